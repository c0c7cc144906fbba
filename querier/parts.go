package querier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/querier/jobs"
	"github.com/spanlake/spanlake/schema"
)

// reading is what a query reads.
type reading struct {
	projects []schema.ProjectID
	views    []*catalog.View // by project, with which it was joined
	joined   *catalog.Joined
	pace     *jobs.Pace
}

// begin joins what a query reads.
func (q *Querier) begin(ctx context.Context, projects []schema.ProjectID) (*reading, error) {
	r := &reading{projects: projects, views: make([]*catalog.View, len(projects)), pace: jobs.NewPace(q.cfg.HedgeAfter)}
	used := usageOf(ctx)
	defer since(time.Now(), &used.list)
	var err error
	if r.joined, err = q.join(ctx, projects, q.allPartitions(), r.views); err != nil {
		return nil, err
	}
	used.blocks = len(r.joined.Blocks)
	return r, nil
}

// split returns the jobs of a question, by partition.
func (q *Querier) split(r *reading, ask question) (byPartition [][]schema.Traces) {
	searched := make([]schema.BlockName, 0, len(r.joined.Blocks))
	for _, b := range r.joined.Blocks {
		if ask.searched().overlaps(b) {
			searched = append(searched, b)
		}
	}
	for _, t := range jobs.Split(searched, q.partitions, uint64(q.cfg.JobSpans)) { //nolint:gosec // Config.Validate bounds it
		if n := len(byPartition); n == 0 || byPartition[n-1][0].Partition != t.Partition {
			byPartition = append(byPartition, nil)
		}
		last := len(byPartition) - 1
		byPartition[last] = append(byPartition[last], t)
	}
	return byPartition
}

// inParts answers a question in jobs, several at once if there are several, and
// gives take their answers, one after the other. The answers of a partition come
// together: when something of it is gone, they are void and it is read anew.
func (q *Querier) inParts(ctx context.Context, r *reading, ask question, split [][]schema.Traces, take func([]answer) error) error {
	used := usageOf(ctx)
	defer since(time.Now(), &used.run)
	count := 0
	for _, traces := range split {
		count += len(traces)
	}
	if count == 1 {
		answers, err := q.partition(ctx, r, ask, split[0], make(chan struct{}, 1), false)
		if err != nil {
			return err
		}
		return take(answers)
	}
	slots := make(chan struct{}, q.cfg.QueryJobs)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, traces := range split {
		group.Go(func() error {
			answers, err := q.partition(ctx, r, ask, traces, slots, q.workers != nil && count >= q.shareFrom)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			return take(answers)
		})
	}
	return group.Wait()
}

// partition answers of one partition.
func (q *Querier) partition(
	ctx context.Context, r *reading, ask question, traces []schema.Traces, slots chan struct{}, share bool,
) ([]answer, error) {
	partition, n := traces[0].Partition, traces[0].Partitions
	joined, views := ofPartition(r.joined, partition, n), slices.Clone(r.views)
	var gone error
	for try := range maxRetries {
		if try > 0 {
			q.metrics.retries.Inc()
			var err error
			if joined, err = q.join(ctx, r.projects, q.partitionsOf(partition, n), views); err != nil {
				return nil, err
			}
		}
		answers := make([]answer, len(traces))
		group, groupCtx := errgroup.WithContext(ctx)
		for i, t := range traces {
			group.Go(func() (err error) {
				select {
				case slots <- struct{}{}:
					defer func() { <-slots }()
				case <-groupCtx.Done():
					return groupCtx.Err()
				}
				p := &part{projects: r.projects, traces: t, joined: joined}
				if share {
					answers[i], err = q.share(groupCtx, r.pace, p, ask)
				} else {
					answers[i], err = q.do(groupCtx, placeHere, p, ask)
				}
				return err
			})
		}
		err := group.Wait()
		if !isGone(err) {
			return answers, err
		}
		gone = err
	}
	return nil, fmt.Errorf("%w: %w", catalog.ErrUnsettled, gone)
}

// isGone reports whether something that was listed is not there any more.
func isGone(err error) bool {
	return errors.Is(err, objstore.ErrNotExist) || errors.Is(err, objstore.ErrChanged) || errors.Is(err, catalog.ErrStale)
}

// busyError means that a project has more to do than it may: answered with 429.
type busyError struct{ text string }

func (e *busyError) Error() string { return e.text }

// enter waits until a job of projects may run here.
func (q *Querier) enter(ctx context.Context, projects []schema.ProjectID, bytes int64) (leave func(), err error) {
	name := projectsText(projects)
	leave, err = q.queue.Enter(ctx, name, bytes)
	if errors.Is(err, jobs.ErrFull) {
		return nil, &busyError{fmt.Sprintf("%d parts of queries of project %s are waiting, as many as may "+
			"(querier.max-waiting-jobs): try again later, or with fewer queries at once", q.cfg.MaxWaitingJobs, name)}
	}
	return leave, err
}

// projectsText is how a header names projects.
func projectsText(projects []schema.ProjectID) string {
	names := make([]string, len(projects))
	for i, p := range projects {
		names[i] = string(p)
	}
	return strings.Join(names, separator)
}

// do answers of a part in this process.
func (q *Querier) do(ctx context.Context, place string, p *part, ask question) (answer, error) {
	leave, err := q.enter(ctx, p.projects, q.memoryOf(p, ask.searched()))
	if err != nil {
		return nil, err
	}
	defer leave()
	return q.counted(place, func() (found answer, err error) {
		err = q.inTurn(ctx, p.projects, func(ctx context.Context) error {
			sources, err := ask.sources(ctx, q, p)
			if err == nil {
				found, err = ask.run(ctx, sources)
			}
			return err
		})
		return found, err
	})
}

// share lets a worker answer of a part, or does it here when there is none.
func (q *Querier) share(ctx context.Context, pace *jobs.Pace, p *part, ask question) (answer, error) {
	message := q.messageOf(ctx, p, ask)
	race := jobs.Race[answer]{
		Ask: func(ctx context.Context) (answer, error) {
			return q.counted(placeElsewhere, func() (answer, error) { return q.askWorker(ctx, message, ask) })
		},
		Do: func(ctx context.Context) (answer, error) { return q.do(ctx, placeHere, p, ask) },
		Final: func(err error) bool {
			return isGone(err) || isRefusal(err)
		},
		Pace: pace, Again: q.metrics.hedged.Inc, Lost: q.metrics.lost.Inc,
	}
	return race.Run(ctx)
}

// messageOf is a part as a message, with what the query may still use.
func (q *Querier) messageOf(ctx context.Context, p *part, ask question) []byte {
	j := q.jobOf(p, ask)
	if deadline, ok := ctx.Deadline(); ok {
		j.Left = time.Until(deadline)
	}
	if used := usageOf(ctx); used.maxBytes > 0 {
		j.MaxReadBytes = max(used.maxBytes-used.bytes.Load(), 1)
	}
	return j.Append(nil)
}

// askWorker lets a worker do a job.
func (q *Querier) askWorker(ctx context.Context, message []byte, ask question) (answer, error) {
	data, err := q.workers.Ask(ctx, message)
	if err != nil {
		return nil, err
	}
	reply, err := wire.ParseReply(data)
	if err != nil {
		return nil, err
	}
	used := usageOf(ctx)
	used.requests.Add(reply.Requests)
	if all := used.bytes.Add(reply.Bytes); used.maxBytes > 0 && all > used.maxBytes {
		return nil, fmt.Errorf("read by workers: %w", errBudget)
	}
	if err := errorOf(reply); err != nil {
		return nil, err
	}
	return ask.parse(reply.Answer)
}

// isRefusal reports whether an error is one of limits, which are the same
// everywhere.
func isRefusal(err error) bool {
	var limit *limitError
	return errors.As(err, &limit) || errors.Is(err, errBudget) ||
		errors.Is(err, engine.ErrTooManySeries) || errors.Is(err, engine.ErrTooMuchMemory)
}
