//go:build unix

package block_test

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// corpusBlock is a block of the corpus's mix, of 256k spans or as many as
// SPANLAKE_BENCH_SPANS says: with a million, a trace lookup needs them.
func corpusBlock(b *testing.B) (*block.Object, []schema.TraceID) {
	b.Helper()
	n := 256 << 10
	if testing.Short() {
		n = 10_000
	}
	if text := os.Getenv("SPANLAKE_BENCH_SPANS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	decoder := otlp.NewDecoder()
	var spans []schema.Span
	position := uint64(0)
	for request := range corpus.Workload(1, n, corpus.MixBoth) {
		position++
		var err error
		spans, err = decoder.Decode(request, position, spans)
		require.NoError(b, err)
	}
	slices.SortStableFunc(spans, func(x, y schema.Span) int { return schema.Compare(&x, &y) })
	o := encode(b, spans)
	var ids []schema.TraceID
	for i := range spans {
		if i == 0 || spans[i].TraceID != spans[i-1].TraceID {
			ids = append(ids, spans[i].TraceID)
		}
	}
	return o, ids
}

// cpu returns what reports, when it is called, the time that the processor spent
// per operation: others may work on the machine.
func cpu(b *testing.B) (report func()) {
	b.Helper()
	before := used(b)
	return func() { b.ReportMetric(float64(used(b)-before)/float64(b.N), "cpu-ns/op") }
}

// used is the time that the processor has spent on this process.
func used(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func is[T comparable](want T) func(T) bool { return func(v T) bool { return v == want } }

// benchmarkFilters are predicates of every kind on the corpus.
func benchmarkFilters() []struct {
	name   string
	filter *vec.Filter
} {
	span := func(key string) vec.Field { return vec.Field{Scope: vec.ScopeSpan, Key: key} }
	one := func(p vec.Predicate) *vec.Filter { return &vec.Filter{Op: vec.OpPredicate, Predicate: &p} }
	long := vec.Interval{Least: 3e9, Most: 1 << 62}
	slow := one(vec.Predicate{
		Field: vec.Field{Key: vec.Duration}, Between: &long, Int: func(v int64) bool { return v >= long.Least && v <= long.Most },
	})
	service := one(vec.Predicate{Field: vec.Field{Key: vec.ServiceName}, Text: is("gateway")})
	return []struct {
		name   string
		filter *vec.Filter
	}{
		{"name", one(vec.Predicate{Field: vec.Field{Key: vec.Name}, Text: func(s string) bool { return strings.HasPrefix(s, "SELECT ") }})},
		{"kind", one(vec.Predicate{Field: vec.Field{Key: vec.Kind}, Int: is(int64(2))})},
		{"status", one(vec.Predicate{Field: span("http.response.status_code"), Int: is(int64(500))})},
		{"model", one(vec.Predicate{Field: span("gen_ai.request.model"), Text: is("gpt-4o")})},
		{"resource", one(vec.Predicate{Field: vec.Field{Scope: vec.ScopeResource, Key: "service.name"}, Text: is("gateway")})},
		{"absent-value", one(vec.Predicate{Field: span("gen_ai.request.model"), Text: is("no such model")})},
		{"absent-key", one(vec.Predicate{Field: span("no such key"), Text: is("x")})},
		{"duration", slow},
		{"service-and-duration", &vec.Filter{Op: vec.OpAnd, Args: []*vec.Filter{slow, service}}},
		{"url", one(vec.Predicate{
			Field: span("url.full"), Contains: "&session=77", Text: func(s string) bool { return strings.Contains(s, "&session=77") },
		})},
		{"event", one(vec.Predicate{Field: vec.Field{Scope: vec.ScopeEvent, Key: "exception.type"}, Text: is("ToolError")})},
	}
}

// BenchmarkSelect decides filters over a block in memory whose tail was read:
// it fetches, verifies and matches, and yields the ids and times of the hits.
func BenchmarkSelect(b *testing.B) {
	o, _ := corpusBlock(b)
	r, err := block.Open(b.Context(), memory(o.Data), keyOf(o))
	require.NoError(b, err)
	for _, bench := range benchmarkFilters() {
		b.Run(bench.name, func(b *testing.B) {
			counted := &requests{Ranger: memory(o.Data)}
			reader := r.Reading(counted)
			b.ReportAllocs()
			report := cpu(b)
			rows := 0
			for b.Loop() {
				n, err := reader.Selected(b.Context(), bench.filter)
				require.NoError(b, err)
				rows = n
			}
			report()
			b.ReportMetric(float64(r.Spans())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(rows), "matches")
			b.ReportMetric(float64(counted.bytes)/float64(b.N), "fetched-B/op")
		})
	}
}

// BenchmarkCodeScan decides "kind" of BenchmarkSelect from a block in memory:
// open it, fetch, verify, match; and the same by means of arrow, and copies as
// many bytes as the column has. All three take turns, so that their ratios hold
// on a machine that is not quiet; rows are counted by the processor's time, too.
func BenchmarkCodeScan(b *testing.B) {
	o, _ := corpusBlock(b)
	column := columnBytes(b, o, block.ColumnKind)
	target := make([]byte, len(column))
	filter := benchmarkFilters()[1].filter
	var ours, arrows, copies, cpu time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begun, before := time.Now(), used(b)
		r, err := block.Open(b.Context(), memory(o.Data), keyOf(o))
		require.NoError(b, err)
		have, err := r.Selected(b.Context(), filter)
		require.NoError(b, err)
		opened := time.Now()
		cpu += used(b) - before
		want := arrowMatches(b, o)
		read := time.Now()
		copy(target, column)
		ours, arrows, copies = ours+opened.Sub(begun), arrows+read.Sub(opened), copies+time.Since(read)
		require.Equal(b, want, have)
	}
	rows := float64(o.Spans) * float64(b.N) / 1e6
	b.ReportMetric(rows/ours.Seconds(), "Mrows/s")
	b.ReportMetric(rows/cpu.Seconds(), "Mrows/cpu-s")
	b.ReportMetric(rows/arrows.Seconds(), "arrow-Mrows/s")
	b.ReportMetric(arrows.Seconds()/ours.Seconds(), "x-arrow")
	b.ReportMetric(ours.Seconds()/copies.Seconds(), "copies")
}

// columnBytes are the bytes of the pages of a column.
func columnBytes(b *testing.B, o *block.Object, name string) (data []byte) {
	b.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(o.Data))
	require.NoError(b, err)
	at := f.MetaData().Schema.ColumnIndexByName(name)
	for g := range f.NumRowGroups() {
		chunk, err := f.MetaData().RowGroup(g).ColumnChunk(at)
		require.NoError(b, err)
		data = append(data, o.Data[chunk.DataPageOffset():][:chunk.TotalCompressedSize()]...)
	}
	return data
}

// arrowMatches counts the servers.
func arrowMatches(b *testing.B, o *block.Object) (matches int) {
	b.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(o.Data))
	require.NoError(b, err)
	column := f.MetaData().Schema.ColumnIndexByName(block.ColumnKind)
	values := make([]int32, 4096)
	for g := range f.NumRowGroups() {
		chunk, err := f.RowGroup(g).Column(column)
		require.NoError(b, err)
		for chunk.HasNext() {
			_, n, err := chunk.(*file.Int32ColumnChunkReader).ReadBatch(int64(len(values)), values, nil, nil)
			require.NoError(b, err)
			for _, v := range values[:n] {
				if v == 2 {
					matches++
				}
			}
		}
	}
	return matches
}

// BenchmarkText looks for a text in the column of URLs, decompressed and
// verified before as a cache keeps it, and takes turns with bytes.Contains of
// every value.
func BenchmarkText(b *testing.B) {
	o, _ := corpusBlock(b)
	cache := block.NewCache(1 << 30)
	r, err := cache.Open(b.Context(), memory(o.Data), keyOf(o))
	require.NoError(b, err)
	var urls [][]byte
	err = eachURL(b, r, func(url []byte) { urls = append(urls, bytes.Clone(url)) })
	require.NoError(b, err)
	literal := []byte("&session=77")
	filter := benchmarkFilters()[9].filter
	var ours, naive time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		have, err := r.Selected(b.Context(), filter)
		require.NoError(b, err)
		decided := time.Now()
		want := 0
		for _, url := range urls {
			if bytes.Contains(url, literal) {
				want++
			}
		}
		ours, naive = ours+decided.Sub(begun), naive+time.Since(decided)
		require.Equal(b, want, have)
	}
	b.ReportMetric(float64(len(urls))*float64(b.N)/ours.Seconds()/1e6, "Mvalues/s")
	b.ReportMetric(ours.Seconds()/naive.Seconds(), "of-contains")
}

// eachURL calls f with every URL of a block.
func eachURL(b *testing.B, r *block.Reader, f func([]byte)) error {
	b.Helper()
	spans, err := scan(b.Context(), r, always(), vec.Columns{Bare: true, Keys: []string{"url.full"}})
	for i := range spans {
		if v, ok := otlp.Lookup(spans[i].Attributes, "url.full"); ok && v.Kind == schema.KindString {
			f([]byte(v.Str))
		}
	}
	return err
}

// BenchmarkFind is BenchmarkSelect with the hits of a search.
func BenchmarkFind(b *testing.B) {
	o, _ := corpusBlock(b)
	r, err := block.Open(b.Context(), memory(o.Data), keyOf(o))
	require.NoError(b, err)
	for _, bench := range benchmarkFilters() {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			report := cpu(b)
			hits := 0
			for b.Loop() {
				hits = 0
				for chunk, err := range r.Find(b.Context(), bench.filter) {
					require.NoError(b, err)
					hits += len(chunk)
				}
			}
			report()
			b.ReportMetric(float64(r.Spans())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(hits), "hits")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	o, _ := corpusBlock(b)
	r, err := block.Open(b.Context(), memory(o.Data), keyOf(o))
	require.NoError(b, err)
	filters := benchmarkFilters()
	for _, bench := range []struct {
		name    string
		filter  *vec.Filter
		columns vec.Columns
	}{
		{"columns=base", always(), vec.Columns{}},
		{"columns=key", always(), vec.Columns{Keys: []string{"http.response.status_code"}}},
		{"columns=attributes", always(), vec.Columns{Attributes: true}},
		{"columns=all", always(), vec.AllColumns()},
		{"columns=base/few", filters[2].filter, vec.Columns{}},
		{"columns=all/few", filters[2].filter, vec.AllColumns()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			report := cpu(b)
			n := 0
			for b.Loop() {
				n = 0
				for rows, err := range r.Scan(b.Context(), bench.filter, bench.columns) {
					require.NoError(b, err)
					n += len(rows)
				}
			}
			report()
			b.ReportMetric(float64(n), "rows")
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkTrace(b *testing.B) {
	o, ids := corpusBlock(b)
	counted := &requests{Ranger: memory(o.Data)}
	r, err := block.Open(b.Context(), counted, keyOf(o))
	require.NoError(b, err)
	for _, many := range []int{1, 20} {
		b.Run("traces="+strconv.Itoa(many), func(b *testing.B) {
			counted.reset()
			b.ReportAllocs()
			report := cpu(b)
			n, wanted := 0, make([]schema.TraceID, many)
			for b.Loop() {
				n++
				for i := range wanted {
					wanted[i] = ids[(n*7919+i*104729)%len(ids)]
				}
				slices.SortFunc(wanted, func(x, y schema.TraceID) int { return bytes.Compare(x[:], y[:]) })
				spans, err := r.Traces(b.Context(), slices.Compact(wanted), vec.AllColumns())
				require.NoError(b, err)
				require.NotEmpty(b, spans)
			}
			report()
			b.ReportMetric(float64(r.Spans()), "spans")
			b.ReportMetric(float64(counted.gets)/float64(n), "requests/op")
			b.ReportMetric(float64(counted.bytes)/float64(n), "fetched-B/op")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	o, _ := corpusBlock(b)
	key := keyOf(o)
	b.ReportAllocs()
	report := cpu(b)
	held := int64(0)
	for b.Loop() {
		r, err := block.Open(b.Context(), memory(o.Data), key)
		require.NoError(b, err)
		held = cmp.Or(held, r.Bytes())
	}
	report()
	b.ReportMetric(float64(o.TailBytes), "tail-B")
	b.ReportMetric(float64(held), "held-B")
}
