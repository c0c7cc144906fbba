package ingester

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// Log is what the ingester needs of the log: its partitions.
type Log interface {
	Partitions() int
	Stream(partition int) wal.Stream
	MaxPayload() int
}

// Result tells a client what became of its spans: all but Rejected are durable.
type Result struct {
	Rejected int
	Reason   string // of the first rejected span

	nothing bool // was accepted
}

// RefusedError means that nothing of the request can be relied on to be
// stored, and the client should send it again after RetryAfter.
type RefusedError struct {
	Err        error
	RetryAfter time.Duration
	Overloaded bool // 429 and RESOURCE_EXHAUSTED; else 503 and UNAVAILABLE
}

// Error says why the request was refused.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// Receiver takes export requests and returns once they are durable. It is a
// service: requests are refused until it runs and after it stops. When it
// stops it waits for the acknowledgement of what it has published already,
// until Abort is called. Safe for concurrent use.
type Receiver struct {
	services.Service

	cfg        Config
	log        Log
	bucket     objstore.Bucket
	projects   Projects
	quota      *quota
	logger     *slog.Logger
	metrics    *metrics
	rate       rate
	committers []*committer
	inflight   *budget
	splitters  sync.Pool // *otlp.Splitter
	bodies     bodies
	aborted    abort
}

// NewReceiver returns a receiver that publishes to log, and by way of bucket
// what is too large for it, within the limits of projects.
func NewReceiver(cfg Config, log Log, bucket objstore.Bucket, projects Projects, logger *slog.Logger, reg prometheus.Registerer) *Receiver {
	// What is gathered must fit into a message even if it does not compress.
	cfg.MaxMessageBytes = min(cfg.MaxMessageBytes, flagext.Bytes(max(log.MaxPayload()-messageOverhead, 1)))
	r := &Receiver{
		cfg: cfg, log: log, bucket: bucket, projects: projects, quota: newQuota(), logger: logger, metrics: newMetrics(reg),
		inflight:  newBudget(int64(cfg.MaxInflightBytes)),
		splitters: sync.Pool{New: func() any { return new(otlp.Splitter) }},
		aborted:   newAbort(),
	}
	for p := range log.Partitions() {
		r.committers = append(r.committers, newCommitter(&r.cfg, log, p, r.metrics, &r.rate))
	}
	r.Service = services.NewBasicService(nil, r.running, nil)
	return r
}

func (r *Receiver) running(ctx context.Context) error {
	// The publish outlives the callers, not the process: an acknowledgement on
	// its way is worth waiting for during shutdown.
	publishCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var aborter, work sync.WaitGroup
	aborter.Go(func() { r.aborted.ends(publishCtx, stop) })
	for _, c := range r.committers {
		work.Go(func() { c.run(ctx, publishCtx) })
	}
	work.Wait()
	stop()
	aborter.Wait()
	return nil
}

// Abort makes a stopping receiver end at once. Clients whose spans are on
// their way are told that the outcome is unknown.
func (r *Receiver) Abort() { r.aborted.do() }

// Receive stores the spans of an OTLP ExportTraceServiceRequest (protobuf
// bytes, not kept after the return) for a project. When it returns without an
// error, every span but the rejected ones is durable in the log. It fails with
// otlp.ErrMalformed when the bytes are not such a message, with a
// *RefusedError when the client should try again.
func (r *Receiver) Receive(ctx context.Context, id schema.ProjectID, body []byte) (Result, error) {
	now := time.Now()
	settings, err := r.permit(id, len(body), now)
	if err != nil {
		return Result{}, err
	}
	splitter := r.splitters.Get().(*otlp.Splitter)
	split, err := splitter.SplitBy(body, len(r.committers), int(r.cfg.MaxMessageBytes), rulesOf(settings, now))
	if err != nil {
		r.splitters.Put(splitter)
		r.metrics.rejectedRequests.WithLabelValues("malformed").Inc()
		return Result{}, err
	}
	if err := r.quota.admitTraces(settings, split.Traces, now); err != nil {
		r.splitters.Put(splitter)
		r.metrics.rejectedRequests.WithLabelValues("live_traces").Inc()
		return Result{}, err
	}
	r.metrics.received(id, split.Spans+split.Rejected, len(body))
	r.metrics.reject(id, "invalid", split.Rejected-split.Expired-split.TooLarge)
	r.metrics.reject(id, "expired", split.Expired)
	r.metrics.reject(id, "attribute_bytes", split.TooLarge)
	r.quota.charge(settings, split.Spans, now)
	outcomes, err := r.enqueue(ctx, id, split.Chunks)
	r.splitters.Put(splitter)
	if err == nil {
		err = wait(ctx, outcomes)
	}
	if err != nil {
		return Result{}, r.refuse(id, split.Spans, err)
	}
	return Result{Rejected: split.Rejected, Reason: split.Reason, nothing: split.Spans == 0}, nil
}

// permit returns what counts for a project that may send so many bytes now. It
// fails with a *RefusedError.
func (r *Receiver) permit(id schema.ProjectID, bytes int, now time.Time) (project.Project, error) {
	settings, err := r.projects.Project(id)
	if err != nil {
		r.metrics.rejectedRequests.WithLabelValues("project").Inc()
		return settings, &RefusedError{Err: err, RetryAfter: time.Second}
	}
	if err := r.quota.take(settings, bytes, now); err != nil {
		r.metrics.rejectedRequests.WithLabelValues("rate").Inc()
		return settings, err
	}
	return settings, nil
}

// messageOverhead is more than a message needs besides its entries.
const messageOverhead = 1 << 10

// enqueue writes the chunks into their partitions' next messages. The returned
// channel, whose capacity is their number, gets the outcome of each.
func (r *Receiver) enqueue(ctx context.Context, project schema.ProjectID, chunks []otlp.Chunk) (<-chan error, error) {
	outcomes := make(chan error, len(chunks)) // so that a committer never waits for a caller that went away
	commits := make([]commit, len(chunks))
	for i, chunk := range chunks {
		c := commit{project: project, chunk: chunk, outcome: outcomes}
		var err error
		if c.claim, err = r.claim(ctx, c); err != nil {
			return nil, err
		}
		commits[i] = c
	}
	for _, c := range commits {
		r.committers[c.chunk.Partition].add(c)
	}
	return outcomes, nil
}

// wait returns the first failure once there are as many outcomes as fit, or that
// the caller went away.
func wait(ctx context.Context, outcomes <-chan error) error {
	var failed error
	for range cap(outcomes) {
		select {
		case err := <-outcomes:
			if failed == nil {
				failed = err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return failed
}

// refuse turns the failure of a publish into what the client should do.
func (r *Receiver) refuse(project schema.ProjectID, spans int, err error) error {
	refused := &RefusedError{Err: err, RetryAfter: time.Second}
	reason := "unavailable"
	switch {
	case errors.Is(err, wal.ErrFull):
		reason, refused.Overloaded = "log_full", true
		refused.RetryAfter = r.retryAfter()
	case errors.Is(err, wal.ErrUnknownOutcome):
		reason = "unknown_outcome"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		reason = "client_gone"
	}
	r.metrics.reject(project, reason, spans)
	return refused
}

// admit charges bytes to the in-flight budget, to be given back by the caller.
// It fails with a *RefusedError when the budget is used up.
func (r *Receiver) admit(bytes int64) error {
	if r.inflight.take(bytes) {
		return nil
	}
	r.metrics.rejectedRequests.WithLabelValues("inflight").Inc()
	return &RefusedError{
		Err:        errors.New("too many bytes are being received at once"),
		RetryAfter: r.retryAfter(), Overloaded: true,
	}
}

// retryAfter is when a refused client should come back: from the backlog and the speed at which the log has been taking them.
func (r *Receiver) retryAfter() time.Duration {
	backlog := uint64(max(r.inflight.taken(), 0))
	for _, c := range r.committers {
		backlog += c.backlogBytes()
	}
	return drainTime(backlog, r.rate.estimate())
}
