package ingester

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// TestUnpricedModels: those that have usage and no price have their names, as many as
// there may be.
func TestUnpricedModels(t *testing.T) {
	reg := prometheus.NewRegistry()
	u := newUnpriced(reg)
	n := llm.New(price.Shipped())
	n.OnUnpriced(u.add)
	call := func(model string, tokens int64) {
		s := schema.Span{Resource: &schema.Resource{}, Scope: &schema.Scope{}}
		s.Attributes = otlp.AppendAttribute(s.Attributes, "gen_ai.request.model", schema.Value{Kind: schema.KindString, Str: model})
		if tokens > 0 {
			s.Attributes = otlp.AppendAttribute(s.Attributes, "gen_ai.usage.input_tokens", schema.Value{Kind: schema.KindInt, Int: tokens})
		}
		n.Derive(&s)
	}
	counts := func() map[string]float64 {
		list := make(map[string]float64)
		families, err := reg.Gather()
		require.NoError(t, err)
		for _, f := range families {
			require.Equal(t, "spanlake_unpriced_model_total", f.GetName())
			for _, m := range f.GetMetric() {
				list[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
		return list
	}
	call("gpt-4o-mini", 5)
	call("house-0", 0)
	require.Empty(t, counts())
	for range 2 {
		for i := range maxUnpriced - 1 {
			call(fmt.Sprintf("house-%d", i), 5)
		}
	}
	call(strings.Repeat("x", maxModelBytes+1), 5)
	require.EqualValues(t, 1, counts()[otherModels])
	call(strings.Repeat("x", maxModelBytes), 5)
	call("one-too-many", 5)
	got := counts()
	require.EqualValues(t, 2, got["house-0"])
	require.EqualValues(t, 1, got[strings.Repeat("x", maxModelBytes)])
	require.EqualValues(t, 2, got[otherModels])
	require.Len(t, got, maxUnpriced+1)
}
