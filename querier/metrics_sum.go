package querier

import (
	"context"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// counted is what a metrics query has counted so far.
type counted struct {
	metrics tempopb.SearchMetrics
	query   *engine.MetricsQuery
	// Samples that begin from then on are final, Unix nanoseconds; 0 for none.
	settled uint64
	// result is the answer of what was counted. It must not be called after the
	// report has returned.
	result func() (*engine.MetricsResult, error)
}

// metricsReport is told each time a metrics query has counted more.
type metricsReport func(so counted) error

// sumMetrics adds up what the jobs of a query have seen. If there is a report,
// the newest samples are counted first.
func (q *Querier) sumMetrics(
	ctx context.Context, projects []schema.ProjectID, params metricsParams, within timeRange, instant bool, report metricsReport,
) (result *engine.MetricsResult, stats tempopb.SearchMetrics, err error) {
	ask, err := newMetricsQuestion(params.plan, params.query, within, q.cfg.SearchMargin, params.opts, instant)
	if err != nil {
		return nil, stats, err
	}
	r, err := q.begin(ctx, projects)
	if err != nil {
		return nil, stats, err
	}
	asks := []*metricsQuestion{ask}
	if report != nil && ask.metrics.Stepwise() && spansIn(r.joined.Blocks, ask.searched()) > uint64(q.cfg.JobSpans/slicedShare) { //nolint:gosec // positive
		if asks, err = ask.slices(r.joined.Blocks, firstSlice*q.cfg.Concurrency); err != nil {
			return nil, stats, err
		}
	}
	s := &metricsSum{sum: ask.metrics.Sum(), report: report}
	s.so.query = ask.metrics
	s.so.metrics.TotalBlocks = clip(uint64(len(r.joined.Blocks)))
	s.so.result = func() (result *engine.MetricsResult, err error) {
		err = q.inTurn(ctx, projects, func(context.Context) (err error) {
			result, err = s.sum.Result()
			return err
		})
		return result, err
	}
	if err := s.run(ctx, q, r, asks); err != nil {
		return nil, stats, err
	}
	result, err = s.so.result()
	return result, s.so.metrics, err
}

// slicedShare is of how large a part of a job the newest samples are counted first:
// less is done before anybody would look, and each slice lists what blocks hold anew.
const slicedShare = 8

// spansIn are those of the blocks that are searched.
func spansIn(blocks []schema.BlockName, searched timeRange) (n uint64) {
	for _, b := range blocks {
		if searched.overlaps(b) {
			n += b.Spans
		}
	}
	return n
}

// metricsSum is a metrics query that is being added up.
type metricsSum struct {
	sum    *engine.MetricsSum
	so     counted
	report metricsReport
}

func (s *metricsSum) run(ctx context.Context, q *Querier, r *reading, asks []*metricsQuestion) error {
	splits := make([][][]schema.Traces, len(asks))
	for i, ask := range asks {
		splits[i] = q.split(r, ask)
		for _, traces := range splits[i] {
			s.so.metrics.TotalJobs += clip(uint64(len(traces)))
		}
	}
	for i, ask := range asks {
		err := q.inParts(ctx, r, ask, splits[i], func(answers []answer) error {
			if err := q.inTurn(ctx, r.projects, func(context.Context) error { return s.take(answers) }); err != nil {
				return err
			}
			return s.tell()
		})
		if err != nil {
			return err
		}
		if ask.metrics.Stepwise() {
			s.so.settled, _ = ask.metrics.Times()
		}
		if err := s.tell(); err != nil {
			return err
		}
	}
	return nil
}

// take takes what jobs have counted.
func (s *metricsSum) take(answers []answer) error {
	for _, a := range answers {
		seen, ok := a.(*engine.MetricsPart)
		if !ok {
			return fmt.Errorf("a metrics query was answered with %T", a)
		}
		if err := s.sum.Add(seen); err != nil {
			return err
		}
		s.so.metrics.CompletedJobs++
		s.so.metrics.InspectedSpans += seen.InspectedSpans
	}
	return nil
}

// tell reports, unless what follows is the answer.
func (s *metricsSum) tell() error {
	if s.report == nil || s.so.metrics.CompletedJobs >= s.so.metrics.TotalJobs {
		return nil
	}
	return s.report(s.so)
}

// reportRange returns a report that leaves in the channel what nobody has taken
// yet: samples that are final, since some clients keep what they see first. They
// come without exemplars, since others may take their places.
func reportRange(reports chan *tempopb.QueryRangeResponse, params *metricsParams, within timeRange) metricsReport {
	shown, waitingTo := within.end, within.end // samples from then on were reported, sent
	return func(so counted) error {
		waiting := &tempopb.QueryRangeResponse{Windows: true}
		select {
		case waiting = <-reports:
		default:
			waitingTo = shown
		}
		if so.settled > 0 && so.settled < shown {
			result, err := so.result()
			if err != nil {
				return err
			}
			// Of what is more than is shown in the end, some has no place there.
			if _, message := params.shown(result.Series); message == "" {
				result = so.query.Between(result, so.settled, waitingTo)
				waiting.Times, waiting.Series = result.Times, result.Series
			}
			shown = so.settled
		}
		waiting.Metrics = so.metrics
		reports <- waiting // it is empty: nobody else fills it
		return nil
	}
}

// reportInstant returns a report that leaves in the channel all that was counted,
// not more often than asked: an answer replaces those before it.
func reportInstant(reports chan *tempopb.QueryInstantResponse, params *metricsParams, every time.Duration) metricsReport {
	var last time.Time
	return func(so counted) error {
		var waiting *tempopb.QueryInstantResponse
		select {
		case waiting = <-reports:
		default:
		}
		if time.Since(last) >= every {
			result, err := so.result()
			if err != nil {
				return err
			}
			waiting, last = params.instant(result, so.metrics), time.Now()
		}
		if waiting != nil {
			waiting.Metrics = so.metrics
			reports <- waiting // it is empty: nobody else fills it
		}
		return nil
	}
}
