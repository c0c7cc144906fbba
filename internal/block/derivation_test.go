package block_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// By what the rows of a block were derived a merge knows if all of its inputs that have
// rows do.
func TestDerivation(t *testing.T) {
	january, february := block.Derivation{Norm: 1, Tables: []string{"2026-01"}}, block.Derivation{Norm: 2, Tables: []string{"2026-02"}}
	both := block.Derivation{Norm: 1, Tables: []string{"2026-01", "2026-02"}}
	tests := []struct {
		name   string
		inputs []block.Derivation
		want   block.Derivation
	}{
		{"one", []block.Derivation{january}, january},
		{"the same twice", []block.Derivation{january, january}, january},
		{"two", []block.Derivation{february, january}, both},
		{"three", []block.Derivation{february, both, january}, both},
		{"nothing known", []block.Derivation{{}, {}}, block.Derivation{}},
		{"one unknown", []block.Derivation{january, {}, february}, block.Derivation{}},
		{"the first unknown", []block.Derivation{{}, january}, block.Derivation{}},
	}
	rows := randomSpans(rand.New(rand.NewPCG(1, 2)), shape{rows: 50, traces: 10, payload: 20, resources: 3})
	for i := range rows {
		rows[i].Derived = nil
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var inputs []*block.Reader
			for i, by := range tt.inputs {
				own := slices.Clone(rows)
				if i == len(tt.inputs)-1 {
					own[7].Derived = otlp.AppendKeyValue(nil, 9, "gen_ai.usage.cost", schema.Value{Kind: schema.KindDouble, Double: 1})
				}
				o, err := block.EncodeDerived(project, by, own)
				require.NoError(t, err)
				r := openMemory(t, o)
				got, some, err := r.Derivation(t.Context())
				require.NoError(t, err)
				require.Equal(t, by, got)
				require.Equal(t, i == len(tt.inputs)-1, some)
				inputs = append(inputs, r)
			}
			empty, err := block.EncodeDerived(project, block.Derivation{})
			require.NoError(t, err)
			inputs = append(inputs, openMemory(t, empty))
			var out bytes.Buffer
			m, err := block.Merge(t.Context(), &out, inputs, block.MergeOptions{})
			require.NoError(t, err)
			got, _, err := openMerged(t, m, out.Bytes()).Derivation(t.Context())
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}
