package ingester

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// TestQuota sends requests one after the other, each at a time after the first.
func TestQuota(t *testing.T) {
	type send struct {
		at           time.Duration
		bytes, spans int
		after        time.Duration // Retry-After of a refusal; 0 if it is taken
	}
	const second = time.Second
	for _, test := range []struct {
		name   string
		limits project.Limits
		sends  []send
		limit  string
	}{
		{"no limits", project.Limits{}, []send{{0, 1 << 40, 1 << 40, 0}, {0, 1 << 40, 1 << 40, 0}}, ""},
		{"within the rate", project.Limits{IngestBytesPerSecond: 100}, []send{
			{0, 50, 1, 0}, {0, 49, 1, 0}, {0, 1, 1, 0}, {0, 1, 1, second}, {10 * time.Millisecond, 1, 1, 0},
		}, project.LimitIngestBytes},
		{"a debt is paid off first", project.Limits{IngestBytesPerSecond: 100}, []send{
			{0, 350, 1, 0}, {0, 1, 1, 3 * second}, {2 * second, 1, 1, second}, {2499 * time.Millisecond, 1, 1, second}, {2510 * time.Millisecond, 1, 1, 0},
		}, project.LimitIngestBytes},
		{"no more than a second is saved up", project.Limits{IngestBytesPerSecond: 100}, []send{
			{0, 1, 1, 0}, {3600 * second, 100, 1, 0}, {3600 * second, 1, 1, second},
		}, project.LimitIngestBytes},
		{"spans", project.Limits{IngestSpansPerSecond: 10}, []send{
			{0, 1 << 30, 9, 0}, {0, 1, 1, 0}, {0, 1, 1, second}, {time.Second, 1, 30, 0}, {time.Second, 1, 1, 3 * second},
		}, project.LimitIngestSpans},
		{"a clock that steps back", project.Limits{IngestBytesPerSecond: 100}, []send{
			{10 * second, 50, 1, 0}, {9700 * time.Millisecond, 10, 1, 0},
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, begun := newQuota(), time.Unix(1_700_000_000, 0)
			p := project.Project{ID: "shop", Limits: test.limits}
			for i, s := range test.sends {
				now := begun.Add(s.at)
				err := q.take(p, s.bytes, now)
				if s.after == 0 {
					require.NoError(t, err, i)
					q.charge(p, s.spans, now)
					continue
				}
				refused, ok := errors.AsType[*RefusedError](err)
				require.True(t, ok, i)
				require.True(t, refused.Overloaded)
				require.Equal(t, s.after, refused.RetryAfter, i)
				require.ErrorContains(t, err, test.limit)
				require.ErrorContains(t, err, "spanlake project set-limit shop "+test.limit)
				require.NoError(t, q.take(project.Project{ID: "other", Limits: test.limits}, 1, now), "another project's rate is its own")
			}
		})
	}
}

func TestQuotaIsBounded(t *testing.T) {
	q, now := newQuota(), time.Unix(1_700_000_000, 0)
	send := func(id string, at time.Time) {
		p := project.Project{ID: schema.ProjectID(id), Limits: project.Limits{IngestBytesPerSecond: 10}}
		require.NoError(t, q.take(p, 5, at))
	}
	debtor := project.Project{ID: "debtor", Limits: project.Limits{IngestBytesPerSecond: 10}}
	require.NoError(t, q.take(debtor, 1000, now))
	for i := range maxRates - 1 {
		send(fmt.Sprint("p", i), now)
	}
	require.Len(t, q.used, maxRates)
	send("one-more", now.Add(2*time.Second))
	require.Len(t, q.used, 2)
	require.Error(t, q.take(debtor, 1, now.Add(2*time.Second)), "nobody gets rid of a debt that way")
}

// TestLiveTraces: a trace is live for half a minute to a minute after its last
// span, and a request is taken as long as there is room for one more.
func TestLiveTraces(t *testing.T) {
	const second = time.Second
	begun := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		name  string
		sends []struct {
			at     time.Duration
			traces []uint64
			after  time.Duration // Retry-After of a refusal; 0 if it is taken
		}
	}{
		{"up to the limit", []struct {
			at     time.Duration
			traces []uint64
			after  time.Duration
		}{
			{0, []uint64{1, 2}, 0},
			{0, []uint64{3}, 0},
			{0, []uint64{3, 1, 2}, 0},
			{0, []uint64{4}, 31 * second},
			{29 * second, []uint64{4}, 2 * second},
			{30 * second, []uint64{4}, 31 * second},
			{31 * second, []uint64{1}, 0},
			{59 * second, []uint64{4}, 2 * second},
			{60 * second, []uint64{4}, 0},
			{60 * second, []uint64{1, 5}, 0},
			{60 * second, []uint64{2}, 31 * second},
		}},
		{"a large request", []struct {
			at     time.Duration
			traces []uint64
			after  time.Duration
		}{
			{0, []uint64{1, 2, 3, 4, 5}, 0}, {0, []uint64{5, 1}, 0}, {0, []uint64{6}, 31 * second}, {90 * second, []uint64{6}, 0},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, p := newQuota(), project.Project{ID: "shop", Limits: project.Limits{LiveTraces: 3}}
			for i, s := range test.sends {
				err := q.admitTraces(p, s.traces, begun.Add(s.at))
				if s.after == 0 {
					require.NoError(t, err, i)
					continue
				}
				refused, ok := errors.AsType[*RefusedError](err)
				require.True(t, ok, i)
				require.True(t, refused.Overloaded)
				require.Equal(t, s.after, refused.RetryAfter, i)
				require.NoError(t, q.admitTraces(project.Project{ID: "other", Limits: p.Limits}, []uint64{7}, begun.Add(s.at)))
				require.NoError(t, q.admitTraces(project.Project{ID: "shop"}, s.traces, begun.Add(s.at)), "no limit")
			}
		})
	}
	q := newQuota()
	for i := range maxRates {
		p := project.Project{ID: schema.ProjectID(fmt.Sprint("p", i)), Limits: project.Limits{LiveTraces: 1}}
		require.NoError(t, q.admitTraces(p, []uint64{1}, begun))
	}
	late := project.Project{ID: "late", Limits: project.Limits{LiveTraces: 1}}
	require.NoError(t, q.admitTraces(late, []uint64{1}, begun.Add(50*second)))
	require.Len(t, q.used, maxRates+1, "their traces are live")
	late.ID = "later"
	require.NoError(t, q.admitTraces(late, []uint64{1}, begun.Add(60*second)))
	require.Len(t, q.used, 2)
}
