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

// The attributes of the golden rows, byte by byte: k is a string, n an int, f a
// double, b a bool, a a list with one empty value, and x an int with a length
// that is longer than it must be.
const (
	goldenK      = "\x4a\x0a\x0a\x01k\x12\x05\x0a\x03val"
	goldenN      = "\x4a\x10\x0a\x01n\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
	goldenInt    = "\x4a\x07\x0a\x01n\x12\x02\x18\x2a"
	goldenF      = "\x4a\x0e\x0a\x01f\x12\x09\x21\x00\x00\x00\x00\x00\x00\xe0\x3f"
	goldenB      = "\x4a\x07\x0a\x01b\x12\x02\x10\x01"
	goldenA      = "\x4a\x09\x0a\x01a\x12\x04\x2a\x02\x0a\x00"
	goldenX      = "\x4a\x88\x00\x0a\x01x\x12\x03\x18\x87\x00"
	goldenEvent  = "\x5a\x18\x09\x01\x00\x00\x00\x00\x00\x00\x00\x12\x01e\x1a\x0a\x0a\x01t\x12\x05\x0a\x03\"\\\x01"
	goldenLink   = "\x6a\x09\x22\x07\x0a\x01o\x12\x02\x18\x07"
	goldenShop   = "\x0a\x33\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04shop\x0a\x0d\x0a\x03pid\x12\x06\x18\xff\xff\xff\xff\x7f\x0a\x0a\x0a\x03env\x12\x03\x0a\x01p"
	goldenScope  = "\x0a\x0a\x0a\x01l\x12\x051.2.3"
	goldenOrphan = "\x0a\x02\x10\x01"
)

// goldenRows spells out what the golden blocks hold, so that no change to the
// generators of other tests can change it.
func goldenRows() []schema.Span {
	shop := &schema.Resource{Wire: []byte(goldenShop), ServiceName: "shop"}
	orphan := &schema.Resource{Wire: []byte(goldenOrphan)}
	scope := &schema.Scope{Wire: []byte(goldenScope), Name: "l", Version: "1.2.3"}
	first, second := schema.TraceID{15: 1}, schema.TraceID{0: 0xff, 15: 2}
	spans := []schema.Span{
		{
			TraceID: first, SpanID: schema.SpanID{1}, StartNanos: day, EndNanos: day + 1000,
			Name: "GET /", Kind: 2, StatusCode: 1, TraceState: "a=b", Flags: 0x101, Resource: shop, Scope: scope,
			Attributes: []byte(goldenX + goldenK + goldenInt + goldenF + goldenB + goldenA), Position: 7,
		},
		{
			TraceID: first, SpanID: schema.SpanID{2}, ParentSpanID: schema.SpanID{1}, StartNanos: day + 10, EndNanos: day - 10,
			Name: "säle", Kind: 3, StatusCode: 2, StatusMessage: "boom", Resource: shop, Scope: &schema.Scope{},
			Events: []byte(goldenEvent + "\x5a\x00"), Links: []byte(goldenLink), Rest: []byte{0x50, 0x05}, Position: 7,
		},
		{
			TraceID: second, SpanID: schema.SpanID{7: 255}, StartNanos: math.MaxUint64, EndNanos: 0,
			Kind: -1, StatusCode: math.MinInt32, Flags: math.MaxUint32,
			Resource: orphan, Scope: scope, Position: math.MaxUint64,
		},
	}
	for i := range uint64(5) {
		spans = append(spans, schema.Span{
			TraceID: schema.TraceID{0: 0xff, 15: byte(5 + i/4*2)}, SpanID: schema.SpanID{byte(i)}, StartNanos: day + i,
			EndNanos: day + 2*i, Name: "call", Resource: shop, Scope: scope, Position: 8 + i,
			Attributes: []byte(goldenA + goldenB + goldenN + goldenK + goldenK + goldenF),
			Derived:    []byte(goldenK), Events: []byte(goldenEvent + goldenEvent), Links: []byte(goldenLink),
			Fragment: schema.Fragment(i % 3), FragmentNanos: i,
		})
	}
	return spans
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
		requireParquet(t, data, goldenRows(), newOracle(goldenRows()))
		require.True(t, r.MayContain(schema.TraceID{15: 1}))
		require.False(t, r.MayContain(schema.TraceID{15: 9}))
	}
}

// goldenKeys are the keys that the golden blocks were stored under.
func goldenKeys() map[string]string {
	return map[string]string{
		"v1": "blocks/proj/1970-01-01/p0of1/0-1-9_L0g0o_1_1700000000000000000-18446744073709551615_8_4273.parquet",
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
