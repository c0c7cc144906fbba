package querier

import (
	"net/http"
	"time"
)

// ParseTags is parseTags.
var ParseTags = parseTags

// NewPatient is newPatient.
func NewPatient(w http.ResponseWriter, patience time.Duration) http.ResponseWriter {
	return newPatient(w, patience)
}

// SetPartialEvery changes how often streams get what is not the whole answer.
func (q *Querier) SetPartialEvery(d time.Duration) { q.partialEvery = d }

// IsHome is isHome.
var IsHome = isHome

// SetTraceInMemory changes up to which size traces are put together in memory.
func (q *Querier) SetTraceInMemory(bytes int64) { q.traceInMemory = bytes }

// SetMaxErased changes how many traces an erasure may be about.
func (q *Querier) SetMaxErased(traces int) { q.maxErased = traces }

// SetMaxFound changes how many traces and spans a list may be about.
func (q *Querier) SetMaxFound(traces, spans int) { q.maxFound, q.maxFoundRows = traces, spans }
