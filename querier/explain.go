package querier

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// Headers of the answer to a query with the hint explain=true. JSON has no room
// for more: clients refuse fields that they do not know.
const (
	headerTiming     = "Server-Timing"       // how long its stages took, in milliseconds
	headerStatistics = "Spanlake-Statistics" // a dictionary of RFC 9651
)

// usage is what a query has used so far.
type usage struct {
	maxBytes int64                       // of blocks; 0: no limit
	limited  schema.ProjectID            // whose limit that is, "" if it is the process's
	oldest   map[schema.ProjectID]uint64 // the end that spans must have to be shown
	hidden   bool                        // what no query may show is read, too
	bytes    atomic.Int64
	requests atomic.Int64 // to the bucket, for blocks

	explain bool          // somebody wants to know
	list    time.Duration // to find out which blocks and segments there are
	run     time.Duration // to read and judge them
	blocks  int           // that were there
	rows    uint64        // of what was searched
}

type usageKey struct{}

// usageOf returns what the query of a context has used, for itself if the
// context is of none.
func usageOf(ctx context.Context) *usage {
	if u, ok := ctx.Value(usageKey{}).(*usage); ok {
		return u
	}
	return &usage{}
}

// since adds the time from begun on to a stage.
func since(begun time.Time, stage *time.Duration) { *stage += time.Since(begun) }

// writeTo says what was used in an answer that is about to be sent. What is
// neither listing nor running is parsing and encoding.
func (u *usage) writeTo(h http.Header, whole time.Duration) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	h.Set(headerTiming, fmt.Sprintf("list;dur=%.3f, run;dur=%.3f, rest;dur=%.3f", ms(u.list), ms(u.run), ms(whole-u.list-u.run)))
	h.Set(headerStatistics, fmt.Sprintf("blocks=%d, rows=%d, requests=%d, bytes=%d", u.blocks, u.rows, u.requests.Load(), u.bytes.Load()))
}
