package langsmith

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/project"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// nothing is stored anywhere.
func nothing() *ingester.Lookup { return ingester.NewLookup("", nil) }

// anyProject is a project without limits, whatever its name.
type anyProject struct{}

func (anyProject) Project(id schema.ProjectID) (project.Project, error) {
	return project.Project{ID: id}, nil
}

// newMedia is a store of media in memory, and what it has stored.
func newMedia(tb testing.TB) (*ingester.Media, *bucketmem.Bucket) {
	tb.Helper()
	log, bucket := logmem.New(logmem.Options{Partitions: 1}), bucketmem.New()
	tb.Cleanup(log.Close)
	receiver := ingester.NewReceiver(ingester.Config{MaxMessageBytes: 900 << 10}, log, bucket, anyProject{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	return ingester.NewMedia(receiver, bucket, anyProject{}), bucket
}

// rows are the spans of a batch, which must be such that they can be stored.
func rows(t testing.TB, b *batch) []schema.Span {
	t.Helper()
	media, _ := newMedia(t)
	require.NoError(t, b.moveOut(t.Context(), media, schema.DefaultProject))
	spans := b.spans(t.Context(), nothing(), noon)
	requireStorable(t, spans)
	return spans
}

func requireStorable(t testing.TB, spans []schema.Span) {
	t.Helper()
	if len(spans) == 0 {
		return
	}
	split, err := new(otlp.Splitter).Split(otlp.AppendRequest(nil, spans), 1, 1<<30)
	require.NoError(t, err)
	require.Zero(t, split.Rejected, split.Reason)
	require.Equal(t, len(spans), split.Spans)
}

// attribute is one of a span, nothing if it has none with the key.
func attribute(s *schema.Span, key string) any {
	v, ok := otlp.Lookup(s.Attributes, key)
	if !ok {
		return nil
	}
	switch v.Kind {
	case schema.KindInt:
		return int(v.Int)
	case schema.KindDouble:
		return v.Double
	case schema.KindBool:
		return v.Bool
	case schema.KindArray:
		texts := make([]string, len(v.Array))
		for i, element := range v.Array {
			texts[i] = element.Str
		}
		return texts
	case schema.KindEmpty, schema.KindString, schema.KindBytes, schema.KindMap:
	}
	return v.Str
}

// one is the row of a run that is sent alone.
func one(t testing.TB, run string) *schema.Span {
	t.Helper()
	b, err := readRun([]byte(run), false, "")
	require.NoError(t, err)
	spans := rows(t, b)
	require.Len(t, spans, 1)
	return &spans[0]
}

// captured reads the runs of a captured request, nil if it has none.
func captured(t testing.TB, file string) *batch {
	t.Helper()
	method, path, body, contentType := sent(t, file)
	var b *batch
	var err error
	switch {
	case path == "/runs/multipart":
		b, err = readMultipart(body, contentType)
	case path == "/runs/batch":
		b, err = readBatch(body)
	case path == "/runs":
		b, err = readRun(body, false, "")
	case method == "PATCH":
		b, err = readRun(body, true, strings.TrimPrefix(path, "/runs/"))
	}
	require.NoError(t, err)
	return b
}

// sent is what a client has sent, decompressed.
func sent(t testing.TB, file string) (method, path string, body []byte, contentType string) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var c struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	require.NoError(t, json.Unmarshal(content, &c))
	body = c.Body
	if strings.HasPrefix(c.Headers["content-type"], "multipart/") {
		body = decoded(t, c.Body)
	}
	if c.Headers["content-encoding"] == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(z)
		require.NoError(t, err)
	}
	return c.Method, c.Path, body, c.Headers["content-type"]
}

func decoded(t testing.TB, body json.RawMessage) []byte {
	t.Helper()
	var text string
	require.NoError(t, json.Unmarshal(body, &text))
	bytes, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return bytes
}

func captureFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/wire/*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// parts writes a multipart body: names and contents in turns.
func parts(list ...string) (body []byte, contentType string) {
	var b strings.Builder
	for i := 0; i < len(list); i += 2 {
		kind := "application/json"
		if strings.HasPrefix(list[i], "attachment.") {
			kind = "image/png; length=3"
		}
		b.WriteString("--x\r\nContent-Disposition: form-data; name=\"" + list[i] + "\"\r\nContent-Type: " + kind + "\r\n\r\n" + list[i+1] + "\r\n")
	}
	return []byte(b.String() + "--x--\r\n"), "multipart/form-data; boundary=x"
}
