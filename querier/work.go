package querier

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
)

// Workers lets somebody else do jobs.
type Workers interface {
	// Ask returns the encoded wire.Reply to an encoded wire.Job, wire.ErrNobody,
	// wire.ErrLost, wire.ErrTooLarge or the error of ctx, with which the work
	// ends.
	Ask(ctx context.Context, job []byte) ([]byte, error)
}

// ShareWith lets workers do jobs of queries that have at least so many. It must be
// called before the first query.
func (q *Querier) ShareWith(w Workers, from int) { q.workers, q.shareFrom = w, from }

// Work does the job of another querier, and returns the encoded wire.Reply. What
// is live it reads itself, up to the end of the log at that time.
func (q *Querier) Work(ctx context.Context, message []byte) []byte {
	reply, err := q.work(ctx, message)
	if err != nil {
		reply = replyOf(err)
	}
	return reply.Append(nil)
}

func (q *Querier) work(ctx context.Context, message []byte) (*wire.Reply, error) {
	j, err := wire.ParseJob(message)
	if err != nil {
		return nil, err
	}
	ask, err := q.questionOf(j)
	if err != nil {
		return nil, err
	}
	if j.LogPartitions != q.partitions {
		return nil, fmt.Errorf("the job is of a log with %d partitions, this one has %d", j.LogPartitions, q.partitions)
	}
	used := &usage{maxBytes: j.MaxReadBytes}
	ctx = context.WithValue(ctx, usageKey{}, used)
	if j.Left > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, j.Left)
		defer cancel()
	}
	p := &part{projects: j.Projects, traces: j.Traces}
	if p.joined, err = q.joinAt(ctx, j); err != nil {
		return nil, err
	}
	found, err := q.do(ctx, placeWorker, p, ask)
	if err != nil {
		return nil, err
	}
	return &wire.Reply{Answer: found.Append(nil), Bytes: used.bytes.Load(), Requests: used.requests.Load()}, nil
}

// joinAt puts what is live to the blocks of a job.
func (q *Querier) joinAt(ctx context.Context, j *wire.Job) (*catalog.Joined, error) {
	all := &catalog.Joined{Blocks: j.Blocks}
	for _, project := range j.Projects {
		floors := make(map[int]catalog.Floor)
		for _, f := range j.Floors {
			if f.Project == project {
				floors[f.Partition] = catalog.Floor{Epoch: f.Epoch, Position: f.Position}
			}
		}
		var own []schema.BlockName
		for _, b := range j.Blocks {
			if b.Project == project {
				own = append(own, b)
			}
		}
		joined, err := catalog.JoinAt(ctx, q.live, project, j.LogPartitions, floors, own)
		if err != nil {
			return nil, err
		}
		all.Segments = append(all.Segments, joined.Segments...)
		all.Parts = append(all.Parts, joined.Parts...)
	}
	var err error
	if all.Erased, err = q.pendingOf(ctx, j.Projects); err != nil {
		return nil, err
	}
	return unerased(unexpired(all, j.Oldest), q.partitions), nil
}

// questionOf reads what a job asks.
func (q *Querier) questionOf(j *wire.Job) (question, error) {
	values, err := url.ParseQuery(j.Query)
	if err != nil {
		return nil, fmt.Errorf("read the question of a job: %w", err)
	}
	switch j.Kind {
	case wire.KindTags:
		return q.newTagsQuestion(values, timeRange{j.Within[0], j.Within[1]}, j.Limit)
	case wire.KindSearch:
		plan, _, err := searchPlan(values)
		if err != nil {
			return nil, err
		}
		return &searchQuestion{
			plan: plan, query: j.Query, within: timeRange{j.Within[0], j.Within[1]}, slice: timeRange{j.Slice[0], j.Slice[1]},
			margin: j.Margin, opts: q.searchOptions(timeRange{j.Slice[0], j.Slice[1]}, j.Limit, j.SpansPerSpanSet),
		}, nil
	case wire.KindMetricsRange, wire.KindMetricsInstant:
	}
	plan, _, err := metricsPlan(values.Get("q"))
	if err != nil {
		return nil, err
	}
	return newMetricsQuestion(plan, j.Query, timeRange{j.Within[0], j.Within[1]}, j.Margin, engine.MetricsOptions{
		StartNanos: j.Slice[0], EndNanos: j.Slice[1], FromNanos: j.Counted[0], ToNanos: j.Counted[1], StepNanos: j.StepNanos, NowNanos: j.NowNanos, Exemplars: j.Exemplars,
		MaxSteps: j.MaxSteps, MaxSeries: j.MaxSeries, MaxBytes: j.MaxBytes, Concurrency: q.cfg.Concurrency, Repeats: q.repeats, Tallies: q.tallies,
	}, j.Kind == wire.KindMetricsInstant)
}

// Names of limits in replies: of those that whoever asked has set.
const (
	limitBytes  = "bytes"
	limitSeries = "series"
	limitMemory = "memory"
)

// refusals are the errors that stand for limits.
func refusals() map[string]error {
	return map[string]error{limitBytes: errBudget, limitSeries: engine.ErrTooManySeries, limitMemory: engine.ErrTooMuchMemory}
}

// replyOf is a reply without an answer.
func replyOf(err error) *wire.Reply {
	reply := &wire.Reply{Status: wire.StatusFailed, Message: err.Error()}
	var busy *busyError
	var limit *limitError
	for name, refusal := range refusals() {
		if errors.Is(err, refusal) {
			reply.Status, reply.Limit = wire.StatusRefused, name
		}
	}
	switch {
	case isGone(err):
		reply.Status = wire.StatusGone
	case errors.As(err, &limit):
		reply.Status = wire.StatusRefused
	case errors.As(err, &busy):
		reply.Status = wire.StatusBusy
	case errors.Is(err, wal.ErrUnavailable), errors.Is(err, wal.ErrClosed):
		reply.Status = wire.StatusUnavailable
	}
	return reply
}

// errorOf is why there is no answer, nil if there is one.
func errorOf(r *wire.Reply) error {
	switch r.Status {
	case wire.StatusDone:
		return nil
	case wire.StatusGone:
		return fmt.Errorf("%w: a worker says: %s", catalog.ErrStale, r.Message)
	case wire.StatusRefused:
		if err := refusals()[r.Limit]; err != nil {
			return fmt.Errorf("a worker says: %w", err)
		}
		return &limitError{r.Message}
	case wire.StatusUnavailable:
		return fmt.Errorf("%w: a worker says: %s", wal.ErrUnavailable, r.Message)
	case wire.StatusBusy, wire.StatusFailed:
	}
	return fmt.Errorf("a worker says: %s", r.Message)
}

// Where a job is done, as metrics say it.
const (
	placeHere      = "here"      // for a query of this process
	placeElsewhere = "elsewhere" // by a worker that was asked
	placeWorker    = "worker"    // here, for another one
)

// counted does a job and counts it.
func (q *Querier) counted(place string, do func() (answer, error)) (answer, error) {
	begun := time.Now()
	found, err := do()
	outcome := "done"
	switch {
	case errors.Is(err, context.Canceled):
		outcome = "unwanted"
	case err != nil:
		outcome = "failed"
	}
	q.metrics.jobs.WithLabelValues(place, outcome).Observe(time.Since(begun).Seconds())
	return found, err
}
