package tail

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// maxReads is how many reads of the log go on at once, of all queries; others
// wait. Each holds what is on its way from the log and one decoded message.
const maxReads = 8

// Reader reads logs' tails. It is safe for concurrent use, and by itself
// answers for the live data of a process without a builder.
type Reader struct {
	log      catalog.Log
	bucket   objstore.Bucket
	prices   llm.Tables
	spans    *llm.Spans    // of queries
	slots    chan struct{} // capacity maxReads: held while reading
	reads    prometheus.Counter
	messages prometheus.Counter
}

var _ catalog.Live = (*Reader)(nil)

// New returns a reader of the log's messages and the claims in bucket. What rows
// say about models is priced by prices.
func New(log catalog.Log, bucket objstore.Bucket, prices llm.Tables, reg prometheus.Registerer) *Reader {
	f := promauto.With(reg)
	return &Reader{
		log: log, bucket: bucket, prices: prices, spans: llm.NewSpans(prices), slots: make(chan struct{}, maxReads),
		reads:    f.NewCounter(prometheus.CounterOpts{Name: "spanlake_tail_reads_total", Help: "Times that a query read a part of the log itself."}),
		messages: f.NewCounter(prometheus.CounterOpts{Name: "spanlake_tail_read_messages_total", Help: "Messages of the log that queries read themselves."}),
	}
}

// Tail implements catalog.Live: all that is not in blocks is to be read.
func (r *Reader) Tail(ctx context.Context, project schema.ProjectID, partition int, _ uint64) (catalog.Tail, error) {
	stream := r.log.Stream(partition)
	state, err := stream.State(ctx)
	if err != nil {
		return catalog.Tail{}, err
	}
	return r.Whole(project, stream, state), nil
}

// Whole is the tail of a log of which nothing is in memory.
func (r *Reader) Whole(project schema.ProjectID, stream wal.Stream, state wal.State) catalog.Tail {
	from := state.Floor() + 1
	return catalog.Tail{Epoch: stream.Epoch(), From: from, Unread: r.Unread(project, stream, from, state.Last)}
}

// Unread is a project's part of the messages from first to last, nil if that
// is none.
func (r *Reader) Unread(project schema.ProjectID, stream wal.Stream, first, last uint64) *catalog.Unread {
	if first > last {
		return nil
	}
	return &catalog.Unread{First: first, Last: last, Between: func(first, last uint64) catalog.Segment {
		return &part{reader: r, project: project, stream: stream, first: first, last: last}
	}}
}

// acquire waits for a slot, which the caller gives back by release.
func (r *Reader) acquire(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		r.reads.Inc()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Reader) release() { <-r.slots }
