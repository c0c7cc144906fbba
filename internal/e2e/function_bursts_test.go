package e2e_test

import (
	"flag"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// bursts is how often TestScaleToZero invokes everything.
var bursts = flag.Int("bursts", 4, "bursts of invocations in TestScaleToZero; nothing of it runs in between")

// spend is what a function costs.
type spend struct {
	invocations int
	calls       map[string]int // of the bucket, by class
}

// TestScaleToZero: with nothing running but NATS and the bucket, bursts of ingest,
// flush, compact and query invocations, of which the last counts every span. It
// says what a burst costs: with environments that stay, and with new ones each time.
func TestScaleToZero(t *testing.T) {
	for _, test := range []struct {
		name string
		cold bool
	}{{"environments stay", false}, {"new environments", true}} {
		t.Run(test.name, func(t *testing.T) { scaleToZero(t, test.cold) })
	}
}

// burst is how many requests of so many traces a burst takes in.
const (
	burstRequests = 10
	burstTraces   = 5
)

func scaleToZero(t *testing.T, cold bool) {
	t.Helper()
	w := newCloud(t)
	names := []string{"ingest", "flush", "compact", "query"}
	functions := make(map[string]*lambda)
	costs := make(map[string]*spend)
	for _, name := range names {
		costs[name] = &spend{calls: make(map[string]int)}
	}
	invoked := func(name string) *lambda {
		costs[name].invocations++
		if l := functions[name]; l != nil {
			l.thaw()
			return l
		}
		functions[name] = w.function(name)
		return functions[name]
	}
	rest := func(name string) {
		if cold {
			functions[name].process.kill()
			delete(functions, name)
			return
		}
		functions[name].freeze()
	}
	for range *bursts {
		for range burstRequests {
			w.send(invoked("ingest"), burstTraces)
		}
		rest("ingest")
		require.Positive(t, w.run(invoked("flush"), "flush").Spans)
		rest("flush")
		require.False(t, w.run(invoked("compact"), "compact").Unfinished)
		rest("compact")
		got := invoked("query")
		answer := got.reply(got.invoke(httpEvent(t, http.MethodGet, metricsPath, countAround(w.start), map[string]string{"x-scope-orgid": "shop"}, nil)))
		require.Equal(t, http.StatusOK, answer.StatusCode, answer.Body)
		requireCounted(t, []byte(answer.Body), w.sent)
		rest("query")
		for _, name := range names {
			for _, c := range w.recorder(name).Take() {
				costs[name].calls[c.Class()]++
			}
		}
	}
	for _, name := range names {
		cost := costs[name]
		t.Logf("%-8s %5.1f invocations a burst", name, per(cost.invocations))
		for _, class := range slices.Sorted(maps.Keys(cost.calls)) {
			t.Logf("%-8s %5.1f %s a burst", name, per(cost.calls[class]), class)
		}
	}
	// Blocks are what is stored, one in each partition, two if a cut of ingest came in
	// between; nothing reads them but merges, and listings are as many as there are
	// things to find out.
	require.Zero(t, costs["ingest"].calls["PUT"])
	require.LessOrEqual(t, per(costs["flush"].calls["PUT"]), 4.5)
	require.Zero(t, costs["flush"].calls["GET"])
	most := map[string]float64{"ingest": 2, "flush": 3, "compact": 8, "query": 8}
	for _, name := range names {
		require.LessOrEqual(t, per(costs[name].calls["LIST"]), most[name], name)
	}
}

func per(n int) float64 { return float64(n) / float64(*bursts) }
