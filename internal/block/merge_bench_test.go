package block_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// mergeInputs are the blocks of a workload, as a builder cuts them.
func mergeInputs(tb testing.TB, spans, blocks int, mix corpus.Mix) (readers []*block.Reader, bytes int) {
	tb.Helper()
	pages, _ := decoded(tb, slices.Collect(corpus.Workload(1, spans, mix)))
	all := slices.Concat(pages...)
	for part := range slices.Chunk(all, (len(all)+blocks-1)/blocks) {
		o := encode(tb, part)
		bytes += len(o.Data)
		readers = append(readers, openMemory(tb, o))
	}
	return readers, bytes
}

// BenchmarkMerge merges the blocks of a workload into one.
func BenchmarkMerge(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			inputs, size := mergeInputs(b, benchSpans(), 12, mix)
			b.ReportAllocs()
			b.ResetTimer()
			report := cpu(b)
			var m *block.Merged
			for b.Loop() {
				var err error
				m, err = block.Merge(b.Context(), io.Discard, inputs, block.MergeOptions{})
				require.NoError(b, err)
			}
			report()
			b.ReportMetric(float64(m.Spans)*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
			b.ReportMetric(float64(m.Bytes)/float64(m.Spans), "B/span")
			b.ReportMetric(float64(m.Bytes)/float64(size), "of-inputs")
		})
	}
}

// BenchmarkRewrite leaves a trace out of a block that was merged before, as an erasure
// does.
func BenchmarkRewrite(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			inputs, _ := mergeInputs(b, benchSpans(), 12, mix)
			var merged bytes.Buffer
			m, err := block.Merge(b.Context(), &merged, inputs, block.MergeOptions{})
			require.NoError(b, err)
			r, err := block.Open(b.Context(), memory(merged.Bytes()), mergedKey(m))
			require.NoError(b, err)
			held, err := r.Held(b.Context())
			require.NoError(b, err)
			gone := held.IDs[len(held.IDs)/2]
			drop := func(id schema.TraceID) uint64 {
				if id == gone {
					return math.MaxUint64
				}
				return 0
			}
			b.ReportAllocs()
			b.ResetTimer()
			report := cpu(b)
			for b.Loop() {
				m, err = block.Merge(b.Context(), io.Discard, []*block.Reader{r}, block.MergeOptions{Drop: drop})
				require.NoError(b, err)
			}
			report()
			b.ReportMetric(float64(m.Spans)*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}

// BenchmarkMergeMemory watches the heap while blocks are merged: what it holds at
// most besides the inputs' directories.
func BenchmarkMergeMemory(b *testing.B) {
	for _, blocks := range []int{6, 60} {
		b.Run(fmt.Sprintf("mix=mix/blocks=%d", blocks), func(b *testing.B) {
			inputs, _ := mergeInputs(b, benchSpans(), blocks, corpus.MixBoth)
			b.ResetTimer()
			peak := 0.0
			for b.Loop() {
				peak = max(peak, mergePeak(b, inputs))
			}
			b.ReportMetric(peak/1e6, "peak-MB")
		})
	}
}

// mergePeak is the largest heap of a merge, beyond what there was before it.
func mergePeak(tb testing.TB, inputs []*block.Reader) float64 {
	tb.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // so that what is no longer used does not count
	runtime.GC()
	base := heapBytes()
	stop, most := make(chan struct{}), make(chan uint64)
	go watchHeap(stop, most)
	_, err := block.Merge(tb.Context(), io.Discard, inputs, block.MergeOptions{})
	close(stop)
	peak := float64(<-most) - float64(base)
	require.NoError(tb, err)
	return peak
}

// TestMergeMemory merges texts that are many times larger than the memory that a
// merge may take: parts of messages, and attributes that are content.
func TestMergeMemory(t *testing.T) {
	const limit = 256 << 20
	filler := strings.Repeat("x", 64<<10)
	for name, fill := range map[string]func(*schema.Span, string){
		"events": func(s *schema.Span, text string) {
			s.Events = protowire.AppendBytes([]byte{0x5a}, protowire.AppendString([]byte{0x7a}, text)) // an unknown field
		},
		"content": func(s *schema.Span, text string) {
			s.Attributes = otlp.AppendKeyValue(nil, spanAttributes, "prompt", schema.Value{Kind: schema.KindString, Str: text})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var readers []*block.Reader
			size := 0
			for i := range 12 {
				rows := make([]schema.Span, 800)
				for k := range rows {
					n := i*len(rows) + k
					rows[k] = schema.Span{TraceID: traceID(n), StartNanos: day, Resource: &schema.Resource{}, Scope: &schema.Scope{}, Position: 1}
					fill(&rows[k], strconv.Itoa(n)+filler)
					size += len(filler)
				}
				readers = append(readers, opened(t, rows)...)
			}
			require.Greater(t, size, 2*limit)
			require.Less(t, mergePeak(t, readers), float64(limit))
		})
	}
}
