package engine_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/vec/vectest"
)

// Comparisons of one field by && are one predicate, except where different
// events may fulfil them.
func TestChainsOfAnd(t *testing.T) {
	for _, tt := range []struct {
		query string
		count int
	}{
		{`{ span.a != "x" && span.a != "y" && span.a !~ "b.*" }`, 1},
		{`{ span.a != "x" && span.b = 1 && span.a != "y" }`, 2},
		{`{ .a != "x" && .a != "y" }`, 3}, // span, its absence, resource
		{`{ duration >= 10ms && duration < 12ms && status = error }`, 2},
		{`{ event.a != "x" && event.a != "y" }`, 2},
		{`{ event:name != "x" && event:name != "y" }`, 2},
		{`{ link.a != "x" && link.a != "y" }`, 2},
		{`{ instrumentation.a != "x" && instrumentation.a != "y" }`, 1},
		{`{ span.a != nil && span.a != "y" }`, 2},
		{`{ name = "x" && name = 5 }`, 0},
	} {
		plan, ok := tryCompile(tt.query)
		if !ok {
			require.Zero(t, tt.count, tt.query) // refused
			continue
		}
		filter, _ := plan.Filter()
		require.Len(t, filter.Predicates(nil), tt.count, tt.query)
	}

	p := predicates(t, `{ span.a != "x" && span.a !~ "y|z" && span.a !~ "b.*" && span.a > "a" }`)[0]
	for text, want := range map[string]bool{"x": false, "y": false, "z": false, "bc": false, "a": false, "c": true, "aa": true} {
		require.Equal(t, want, p.Text(text), text)
	}
	require.Nil(t, p.Int)

	p = predicates(t, `{ span.a > 3 && span.a <= 7.5 }`)[0]
	require.Equal(t, vec.Interval{Least: 4, Most: 7}, *p.Between)
	require.True(t, p.Int(4) && p.Int(7) && p.Float(7.5))
	require.False(t, p.Int(3) || p.Int(8) || p.Float(3))

	p = predicates(t, `{ span.a > 7 && span.a < 8 }`)[0]
	require.Nil(t, p.Int)
	require.Nil(t, p.Between)
	require.True(t, p.Float(7.5))

	p = predicates(t, `{ span.a != 5 && span.a > 3 }`)[0]
	require.Nil(t, p.Between)
	require.True(t, p.Int(4) && !p.Int(5) && !p.Int(3))

	p = predicates(t, `{ span.a =~ ".*ab.*" && span.a =~ ".*abc.*" }`)[0]
	require.Equal(t, "abc", p.Contains)
}

func TestChainsOfOneField(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	fields := []string{
		"span.a", ".a", "resource.service.name", ".service.name", "event.a", "link.a", "instrumentation.a", "name", "duration",
		"event:name", "kind", "span:id",
	}
	compiled, found := 0, 0
	for range 10 {
		spans := vectest.Spans(rng, 60)
		for range 200 {
			field := fields[rng.IntN(len(fields))]
			links := make([]string, 2+rng.IntN(3))
			for i := range links {
				// A field may stand for others that compare it.
				for links[i] = ""; !strings.Contains(links[i], field+" ") && !strings.HasSuffix(links[i], " "+field); {
					links[i] = randomCondition(rng, 0)
				}
			}
			text := "{ " + strings.Join(links, " && ") + " }"
			if rng.IntN(4) == 0 {
				text = "{ !(" + strings.Join(links, " && ") + ") }"
			}
			plan, ok := tryCompile(text)
			if !ok {
				continue
			}
			compiled++
			requireFilter(t, plan, spans, text)
			filter, _ := plan.Filter()
			if n := len(vectest.Hits(filter, spans)); n > 0 && filter.Op != vec.OpTrue {
				found++
			}
		}
	}
	require.Greater(t, compiled, 500)
	require.Greater(t, found, compiled/10)
}
