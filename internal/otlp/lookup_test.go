package otlp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// A key is looked up as in the list of all attributes.
func TestLookupResource(t *testing.T) {
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	seen := make(map[*schema.Resource]bool)
	for i, body := range bodies {
		spans, err := otlp.NewDecoder().Decode(body, uint64(i+1), nil)
		require.NoError(t, err)
		for k := range spans {
			r := spans[k].Resource
			if seen[r] {
				continue
			}
			seen[r] = true
			first := make(map[string]schema.Value)
			for _, a := range otlp.ResourceAttributes(r) {
				if _, ok := first[a.Key]; !ok {
					first[a.Key] = a.Value
				}
			}
			for key, want := range first {
				v, ok := otlp.LookupResource(r, key)
				require.True(t, ok, key)
				require.Equal(t, want, v, key)
			}
			_, ok := otlp.LookupResource(r, "no such key")
			require.False(t, ok)
		}
	}
	require.Greater(t, len(seen), 20)
}
