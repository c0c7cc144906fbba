package block_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

func TestEncodeIsAFunctionOfItsRows(t *testing.T) {
	inputs := make([][]schema.Span, 6)
	want := make([][]byte, len(inputs))
	for i := range inputs {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		inputs[i] = randomSpans(rng, shape{rows: 2000, traces: 99, distinct: 9 * i, nulls: 0.3, payload: 90, resources: 30})
		if i > 2 {
			inputs[i] = withAttributes(inputs[i], rng, 0.1)
		}
		want[i] = encode(t, inputs[i]).Data
	}
	// Other orders, several at once, and rows that share nothing in memory.
	var wg sync.WaitGroup
	for range 4 {
		for i := range inputs {
			wg.Go(func() {
				o, err := block.Encode(project, separate(inputs[i]))
				if err != nil || !slices.Equal(want[i], o.Data) {
					t.Errorf("input %d gave other bytes: %v", i, err)
				}
			})
		}
	}
	wg.Wait()
}

// separate returns rows of which none shares a resource or scope.
func separate(spans []schema.Span) []schema.Span {
	spans = slices.Clone(spans)
	for i := range spans {
		resource, scope := *spans[i].Resource, *spans[i].Scope
		spans[i].Resource, spans[i].Scope = &resource, &scope
	}
	return spans
}

func TestObjectSaysWhatItsNameNeeds(t *testing.T) {
	spans := []schema.Span{
		{TraceID: traceID(1), StartNanos: 50, EndNanos: 20},
		{TraceID: traceID(1), StartNanos: 60, EndNanos: 70},
		{TraceID: traceID(1), StartNanos: 90},
	}
	o := encode(t, spans)
	require.Equal(t, uint64(50), o.MinStart)
	require.Equal(t, uint64(90), o.MaxEnd, "of an unfinished span the start counts")
	require.Equal(t, 3, o.Spans)

	empty := encode(t, nil)
	require.Zero(t, empty.MinStart)
	require.Zero(t, empty.MaxEnd)
	require.Zero(t, empty.Spans)
}

func TestEncodeRefuses(t *testing.T) {
	_, err := block.Encode(project, []schema.Span{{Attributes: make([]byte, 256<<20+1)}})
	require.ErrorIs(t, err, block.ErrTooLarge)
}

func TestMissingResourceAndScopeComeBackEmpty(t *testing.T) {
	r, _ := open(t, encode(t, []schema.Span{{TraceID: traceID(1)}}))
	spans, err := r.Trace(t.Context(), traceID(1))
	require.NoError(t, err)
	require.Equal(t, []schema.Span{{TraceID: traceID(1), Resource: &schema.Resource{}, Scope: &schema.Scope{}}}, spans)
}

func TestRowsThatCompareEqualKeepTheirOrder(t *testing.T) {
	var spans []schema.Span
	for _, name := range []string{"c", "a", "b", "a"} {
		spans = append(spans, schema.Span{TraceID: traceID(1), Name: name, Resource: &schema.Resource{}, Scope: &schema.Scope{}})
	}
	r, _ := open(t, encode(t, spans))
	have, err := scanAll(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, spans, have)
}

func TestOneResourceMayHaveSeveralServiceNames(t *testing.T) {
	wire := []byte("same")
	spans := []schema.Span{
		{TraceID: traceID(1), Position: 1, Resource: &schema.Resource{Wire: wire, ServiceName: "a"}, Scope: &schema.Scope{Wire: wire, Name: "x"}},
		{TraceID: traceID(1), Position: 2, Resource: &schema.Resource{Wire: wire, ServiceName: "b"}, Scope: &schema.Scope{Wire: wire, Version: "x"}},
		{TraceID: traceID(1), Position: math.MaxUint64, Resource: &schema.Resource{ServiceName: "a"}, Scope: &schema.Scope{Wire: wire}},
	}
	r, _ := open(t, encode(t, spans))
	have, err := scanAll(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, spans, have)
}
