package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
	"github.com/spanlake/spanlake/schema"
)

// smallWindows are settings with which there is much to merge and delete within
// seconds: of who makes the log, and of who compacts.
func smallWindows() (log, compact []string) {
	return []string{"SPANLAKE_LOG_PARTITIONS=2", "SPANLAKE_LOG_MERGE_WINDOWS=1s,2s,6s"}, []string{
		"SPANLAKE_COMPACTOR_INTERVAL=100ms", "SPANLAKE_COMPACTOR_MIN_INPUTS=2", "SPANLAKE_COMPACTOR_GRACE=100ms", "SPANLAKE_COMPACTOR_DELETE_AFTER=1s",
	}
}

// compacted is what the compact function may do.
func compacted() []string {
	return []string{
		"s3:ListBucket blocks", "s3:GetObject blocks", "s3:PutObject blocks", "s3:DeleteObject blocks",
		"s3:ListBucket projects", "s3:GetObject projects", "s3:ListBucket erasures", "s3:ListBucket media",
		"s3:GetLifecycleConfiguration ", "s3:PutLifecycleConfiguration ",
	}
}

// TestCompactFunction: spans are taken in, flushed, merged and deleted by functions
// alone, and every query in between counts each of them once.
func TestCompactFunction(t *testing.T) {
	w := newCloud(t)
	logSettings, compactSettings := smallWindows()
	ingest, flush, compact := w.function("ingest", logSettings...), w.function("flush", logSettings...), w.function("compact", compactSettings...)
	w.send(ingest, 3)
	querier := w.service("querier")
	for _, other := range []string{`{"task":"flush"}`, `{"tasks":"compact"}`, `{"version":"2.0","rawPath":"/v1/traces"}`} {
		require.Contains(t, w.decode(compact.invoke([]byte(other))).ErrorMessage, `have the schedule send {"task":"compact"}`)
	}
	var sum task
	away := []func(){func() {}, w.nats.kill, func() {}, w.nats.terminate}
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for round, begun := 0, time.Now(); round < 8 || time.Since(begun) < 8*time.Second; round++ {
		w.send(ingest, 3)
		w.run(flush, "flush")
		requireCount(t, querier, w.start, w.sent)
		if round < len(away) {
			compact.freeze()
			away[round]()
			if round%2 == 1 {
				w.nats.run()
			}
			compact.thaw()
		}
		r := w.run(compact, "compact")
		require.False(t, r.Unfinished)
		sum.Merges += r.Merges
		sum.Covered += r.Covered
		requireCount(t, querier, w.start, w.sent)
		<-ticker.C
	}
	require.Greater(t, sum.Merges, 3)
	require.Greater(t, sum.Covered, 6)
	eventually(t, func() bool {
		<-ticker.C
		w.run(compact, "compact")
		names, err := blockNames(t.Context(), w.bucket)
		require.NoError(t, err)
		return len(schema.Visible(names)) == len(names) && len(names) <= 3*2*2 // of two of the largest windows
	})
	requireCount(t, querier, w.start, w.sent)
	requireCalls(t, w.recorders["compact"].Calls(), compacted()...)

	compact.timeout = time.Minute
	require.Contains(t, w.decode(compact.invoke(scheduled("compact"))).ErrorMessage, "give the function a timeout of 2m0s or more")
}

// TestCompactFunctionKilled: it is killed before and after each of its requests to
// the bucket, two at once now and then. No span is lost, and none counted twice.
func TestCompactFunctionKilled(t *testing.T) {
	w := newCloud(t)
	logSettings, compactSettings := smallWindows()
	ingest, flush := w.function("ingest", logSettings...), w.function("flush", logSettings...)
	w.send(ingest, 1)
	querier := w.service("querier")
	k := newKiller(t, w.place.gateway.Endpoint)
	url := (&s3test.Server{Endpoint: k.endpoint}).URL(w.name + "/" + bucketPrefix)
	kills, merges := 0, 0
	const points = 12
	ticker := time.NewTicker(1200 * time.Millisecond) // a window is over, and the lease of who was killed
	defer ticker.Stop()
	for point := range int64(2 * points) {
		w.send(ingest, 2)
		w.run(flush, "flush")
		<-ticker.C
		k.after.Store(point%2 == 1)
		k.left.Store(point/2 + 5) // from its listing on
		killed := w.function("compact", append(compactSettings, "SPANLAKE_BUCKET="+url)...)
		k.process.Store(killed.process)
		i := killed.begin(scheduled("compact"))
		if point%4 == 0 {
			other := w.function("compact", compactSettings...)
			merges += w.run(other, "compact").Merges
			other.process.kill()
		}
		body, ended := killed.outcome(i)
		if ended {
			kills++
		} else {
			r := w.decode(body)
			require.Empty(t, r.ErrorMessage)
			merges += r.Merges
			killed.process.kill()
		}
		requireCount(t, querier, w.start, w.sent)
	}
	t.Logf("killed %d times, %d merges were finished, %d spans", kills, merges, w.sent)
	require.Greater(t, kills, points/2)
	require.Positive(t, merges)
}
