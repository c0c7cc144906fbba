//go:build unix

package ingester

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
)

const buildSpans = 20_000

// BenchmarkBuild is the way of spans from requests to a block: split, log
// messages, rows, what follows from them about models, and encoding. It reports
// processor time, and how many times that is of the way without what follows.
func BenchmarkBuild(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixLLM} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			requests := slices.Collect(corpus.Workload(1, buildSpans, mix))
			var derived, plain time.Duration
			for b.Loop() {
				derived += build(b, requests, true)
				plain += build(b, requests, false)
			}
			b.ReportMetric(float64(derived.Nanoseconds())/float64(b.N)/buildSpans, "cpu-ns/span")
			b.ReportMetric(derived.Seconds()/plain.Seconds(), "x-plain")
		})
	}
}

// build makes a block of requests and returns the processor time that it took.
func build(b *testing.B, requests [][]byte, derive bool) time.Duration {
	b.Helper()
	before := processorTime(b)
	decoder, normalizer := otlp.NewDecoder(), llm.New(price.Shipped())
	var splitter otlp.Splitter
	var pages otlp.Pages
	for i, request := range requests {
		split, err := splitter.Split(request, 1, 1<<20)
		require.NoError(b, err)
		var wire []byte
		for i := range split.Chunks {
			wire = split.Chunks[i].AppendTo(wire)
		}
		payload, err := wal.DecodePayload(wal.AppendPayload(nil, []wal.Entry{{Project: "p", Wire: wire}}, false))
		require.NoError(b, err)
		rows, err := pages.Decode(decoder, payload.Entries[0].Wire, uint64(i+1))
		require.NoError(b, err)
		for i := range rows {
			if derive {
				normalizer.Apply(&rows[i])
			}
		}
	}
	_, err := block.Encode("p", pages...)
	require.NoError(b, err)
	return processorTime(b) - before
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
