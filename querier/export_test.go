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

// SetTraceInMemory changes up to which size traces are put together in memory.
func (q *Querier) SetTraceInMemory(bytes int64) { q.traceInMemory = bytes }
