package block_test

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// writeGolden is for a new format version only: a golden file that exists is
// never written again.
var writeGolden = flag.Bool("write-golden", false, "write the golden block of the newest version if there is none")

// goldenRows spells out what the golden blocks hold, so that no change to the
// generators of other tests can change it.
func goldenRows() []schema.Span {
	shop := &schema.Resource{Wire: []byte{0x0a, 0x02, 0x10, 0x01}, ServiceName: "shop"}
	scope := &schema.Scope{Wire: []byte{0x0a, 0x03, 0x0a, 0x01, 'l'}, Name: "l", Version: "1.2.3"}
	first, second := schema.TraceID{15: 1}, schema.TraceID{0: 0xff, 15: 2}
	return []schema.Span{
		{
			TraceID: first, SpanID: schema.SpanID{1}, StartNanos: day, EndNanos: day + 1000,
			Name: "GET /", Kind: 2, StatusCode: 1, TraceState: "a=b", Flags: 0x101, Resource: shop, Scope: scope,
			Attributes: []byte{0x4a, 0x03, 0x0a, 0x01, 'k'}, Position: 7,
		},
		{
			TraceID: first, SpanID: schema.SpanID{2}, ParentSpanID: schema.SpanID{1}, StartNanos: day + 10, EndNanos: day - 10,
			Name: "säle", Kind: 3, StatusCode: 2, StatusMessage: "boom", Resource: shop, Scope: &schema.Scope{},
			Events: []byte{0x5a, 0x00}, Links: []byte{0x6a, 0x00}, Rest: []byte{0x50, 0x05}, Position: 7,
		},
		{
			TraceID: second, SpanID: schema.SpanID{7: 255}, StartNanos: math.MaxUint64, EndNanos: 0,
			Kind: -1, StatusCode: math.MinInt32, Flags: math.MaxUint32,
			Resource: &schema.Resource{}, Scope: scope, Position: math.MaxUint64,
		},
	}
}

// TestGolden reads a block of every released version.
func TestGolden(t *testing.T) {
	for _, version := range []string{"v1"} {
		path := filepath.Join("testdata", version, "golden.parquet")
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) && *writeGolden {
			data = encode(t, goldenRows()).Data
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, data, 0o600))
			err = nil
		}
		require.NoError(t, err)
		r, err := block.Open(t.Context(), memory(data), goldenKeys()[version])
		require.NoError(t, err)
		requireBlock(t, r, goldenRows())
		require.True(t, r.MayContain(schema.TraceID{15: 1}))
		require.False(t, r.MayContain(schema.TraceID{15: 3}))
	}
}

// goldenKeys are the keys that the golden blocks were stored under.
func goldenKeys() map[string]string {
	return map[string]string{
		"v1": "blocks/proj/1970-01-01/p0of1/0-1-9_L0g0_1_1700000000000000000-18446744073709551615_3_2944.parquet",
	}
}

// TestFormatIsStable fails when the writer's bytes change: a builder of
// another program version then stores other bytes under the same name, which
// readers survive, but which ought to be on purpose.
func TestFormatIsStable(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "v1", "golden.parquet"))
	require.NoError(t, err)
	o := encode(t, goldenRows())
	require.Equal(t, goldenKeys()["v1"], keyOf(o))
	require.Equal(t, data, o.Data)
}
