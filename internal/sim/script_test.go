package sim_test

import (
	"math/rand/v2"
	"testing"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// The engine answers the scripts of the language in every layout.
func TestScripts(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(*seed, 0))
			traceqltest.Run(t, traceqltest.Scripts(), func(t *testing.T, rows []schema.Span) traceqltest.Engine {
				t.Helper()
				return newPlaced(l.place(t, rows, rng))
			})
		})
	}
}
