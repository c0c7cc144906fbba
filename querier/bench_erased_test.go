package querier_test

import (
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// BenchmarkErased is what a pending erasure costs queries: of a trace that no block
// has, and of one that one of sixteen has.
func BenchmarkErased(b *testing.B) {
	w := newWorldWith(b, nil, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 4, CacheBytes: 64 << 20, PageCacheBytes: 64 << 20, SearchMargin: time.Hour,
	})
	decoder := otlp.NewDecoder()
	var rows []schema.Span
	var last schema.TraceID
	blocks := 0
	for wire := range corpus.Workload(3, 64_000, corpus.MixMicro) {
		more, err := decoder.Decode(wire, 1, nil)
		require.NoError(b, err)
		if rows = append(rows, more...); len(rows) >= 4000 && blocks < 16 {
			last = rows[0].TraceID
			slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
			w.storeAt(schema.DefaultProject, rows...)
			rows, blocks = nil, blocks+1
		}
	}
	within := url.Values{"start": {strconv.Itoa(corpus.WorkloadStart / 1e9)}, "end": {strconv.Itoa(corpus.WorkloadStart/1e9 + 7200)}}.Encode()
	erase := func(ids ...schema.TraceID) {
		r := w.erase(1 << 40)
		r.Traces = erasure.Sorted(ids)
		w.erasures.set(schema.DefaultProject, r)
	}
	for _, test := range []struct {
		name  string
		erase func()
	}{
		{"nothing", func() { w.erasures.set(schema.DefaultProject) }},
		{"elsewhere", func() { erase(schema.TraceID{1}) }},
		{"one-block", func() { erase(last) }},
	} {
		for kind, path := range map[string]string{
			"search": "/api/search?q=%7Bduration%3E1s%7D&limit=20&" + within, "rate": "/api/metrics/query_range?step=60s&q=%7B%7D%7Crate()by(name)&" + within,
		} {
			b.Run(kind+"/erased="+test.name, func(b *testing.B) {
				test.erase()
				for b.Loop() {
					require.Equal(b, 200, w.get(path).status)
				}
			})
		}
	}
}
