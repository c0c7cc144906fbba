package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
)

const (
	hugeSpans     = 8_000 // of 5 KB: more than is put together in memory
	hugeSpansFull = 100_000
	hugeTextBytes = 4900
	// hugePeakBytes is what a process may take that shows a trace of any size:
	// pages of a few blocks at a time beside what it takes when idle.
	hugePeakBytes = 320 << 20
)

// A trace that is larger than what a process may take is shown, whole.
func TestHugeTrace(t *testing.T) {
	spans := hugeSpans
	if *full {
		spans = hugeSpansFull
	}
	dir, id := t.TempDir(), []byte("one huge trace..")
	writer := startProcess(t, dir)
	c := newClient(t, writer.ready(t))
	sendHuge(t, c, id, spans)
	require.NoError(t, c.flush(t.Context()))
	require.Zero(t, writer.terminate(t))

	for _, accept := range []string{acceptProtobuf, acceptJSON} {
		reader := startProcess(t, dir)
		e := reader.ready(t)
		begun := time.Now()
		bytes, found := readHuge(t, fmt.Sprintf("http://%s/api/v2/traces/%x", e.api, id), accept)
		took := time.Since(begun)
		require.Zero(t, reader.terminate(t))
		usage, ok := reader.cmd.ProcessState.SysUsage().(*syscall.Rusage)
		require.True(t, ok)
		peak := usage.Maxrss << 10
		t.Logf("%s: %d spans, %d MB in %s; at most %d MB of memory, %.1f s of CPU", accept, spans, bytes/1e6, took.Round(time.Millisecond),
			peak/1e6, (reader.cmd.ProcessState.UserTime() + reader.cmd.ProcessState.SystemTime()).Seconds())
		if accept == acceptProtobuf {
			require.Equal(t, spans, found)
		}
		require.Greater(t, bytes, int64(spans*hugeTextBytes))
		if !raceDetector {
			require.Less(t, peak, int64(hugePeakBytes))
		}
	}
}

// sendHuge sends a trace of so many spans in requests of about a megabyte.
func sendHuge(t *testing.T, c *client, id []byte, spans int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Now().Add(-time.Minute)
	for sent := 0; sent < spans; {
		var list []*tracepb.Span
		for range min(200, spans-sent) {
			s := randomSpan(random, id, start.Add(time.Duration(sent)*time.Microsecond))
			text := make([]byte, hugeTextBytes)
			for i := range text {
				text[i] = "etaoin shrdlu xyz"[random.IntN(17)]
			}
			s.Attributes = append(s.Attributes, &commonpb.KeyValue{
				Key: "prompt", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: string(text)}},
			})
			list = append(list, s)
			sent++
		}
		body, err := proto.Marshal(exportOf(list...))
		require.NoError(t, err)
		r := request{protocol: corpus.HTTPProtobuf, body: body}
		err = c.export(t.Context(), r)
		for full := (*refusedError)(nil); errors.As(err, &full) && full.status == http.StatusTooManyRequests; {
			require.NoError(t, c.flush(t.Context())) // the log is full: wait until there is room
			err = c.export(t.Context(), r)
		}
		require.NoError(t, err)
	}
}

// readHuge reads an answer to its end without keeping it, and counts the spans
// of one in protobuf.
func readHuge(t *testing.T, url, accept string) (bytes int64, spans int) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	if accept != acceptProtobuf {
		bytes, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return bytes, 0
	}
	r := bufio.NewReader(resp.Body)
	seen := make(map[string]bool)
	for {
		number, body, err := readField(r)
		if errors.Is(err, io.EOF) {
			return bytes, len(seen)
		}
		require.NoError(t, err)
		bytes += int64(len(body))
		if number != 1 {
			require.Empty(t, body, "neither partial nor a message")
			continue
		}
		var data tracepb.TracesData
		require.NoError(t, proto.Unmarshal(body, &data))
		for _, r := range data.GetResourceSpans() {
			for _, s := range r.GetScopeSpans() {
				for _, span := range s.GetSpans() {
					seen[string(span.GetSpanId())] = true
				}
			}
		}
	}
}

// readField reads a field that has a length.
func readField(r *bufio.Reader) (protowire.Number, []byte, error) {
	tag, err := r.ReadByte() // numbers are small here
	if err != nil {
		return 0, nil, err
	}
	var length uint64
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, nil, io.ErrUnexpectedEOF
		}
		length |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	number, _ := protowire.DecodeTag(uint64(tag))
	return number, body, nil
}
