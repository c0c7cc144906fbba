package wal_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal"
)

// spans is n bytes that compress about as OTLP does: repeated keys, random ids.
func spans(n int) []byte {
	random := noise(n)
	out := make([]byte, 0, n+256)
	for i := 0; len(out) < n; i++ {
		out = append(out, "http.request.method GET url.path /api/v1/items service.name checkout "...)
		out = append(out, random[i*24:i*24+24]...)
	}
	return out[:n]
}

var sizes = []int{4 << 10, 256 << 10}

func BenchmarkAppendPayload(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			entries := []wal.Entry{{Project: "default", Wire: spans(size)}}
			var buf []byte
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				buf = wal.AppendPayload(buf[:0], entries, false)
			}
			b.ReportMetric(float64(len(buf))/float64(size), "ratio")
		})
	}
}

func BenchmarkDecodePayload(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			p := wal.AppendPayload(nil, []wal.Entry{{Project: "default", Wire: spans(size)}}, false)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wal.DecodePayload(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchStream(b *testing.B) wal.Stream {
	b.Helper()
	o := newWorld(b).options()
	o.MaxBytesPerPartition = 512 << 20
	return open(b, o).Stream(0)
}

// purgeEach keeps the log below its limit.
const purgeEach = 500

func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{1 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			s := benchStream(b)
			payload := noise(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if at := publish(b, s, payload); at%purgeEach == 0 {
					require.NoError(b, s.Purge(b.Context(), at))
				}
			}
		})
	}
}

// BenchmarkVisible is the time from publishing to an idle reader's handler.
func BenchmarkVisible(b *testing.B) {
	s := benchStream(b)
	ctx, cancel := context.WithCancel(b.Context())
	seen, done := make(chan uint64), make(chan error, 1)
	go func() {
		done <- s.Read(ctx, func(m wal.Message) error {
			seen <- m.Position
			return nil
		})
	}()
	payload := noise(1 << 10)
	b.ReportAllocs()
	for b.Loop() {
		publish(b, s, payload)
		<-seen
	}
	cancel()
	require.ErrorIs(b, <-done, context.Canceled)
}

// BenchmarkState asks for the state of a stream, and looks at it.
func BenchmarkState(b *testing.B) {
	for _, look := range []bool{false, true} {
		b.Run(fmt.Sprintf("look=%t", look), func(b *testing.B) {
			w := newWorld(b)
			o := w.options()
			if o.Partitions = 4; look {
				o.Look = w.look
			}
			stream := open(b, o).Stream(0)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stream.State(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead reads a backlog of 256 KB messages.
func BenchmarkRead(b *testing.B) {
	const messages, size = 200, 256 << 10
	s := benchStream(b)
	payload := noise(size)
	for range messages {
		publish(b, s, payload)
	}
	b.SetBytes(messages * size)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := s.Read(b.Context(), func(wal.Message) error {
			if n++; n == messages {
				return errEnough
			}
			return nil
		})
		require.ErrorIs(b, err, errEnough)
	}
}
