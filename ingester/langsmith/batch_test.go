package langsmith

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/schema"
)

// Parts come in any order, and the name of a part says whose it is.
func TestMultipart(t *testing.T) {
	body, contentType := parts(
		"attachment.r.a.b", "abc",
		"post.r.outputs", ` {"o":1} `,
		"patch.q", `{"trace_id":"t","end_time":1795245107244}`,
		"post.r", `{"id":"other","trace_id":"t","name":"n","inputs":{"inline":true},"outputs":{"inline":true}}`,
		"post.r.inputs", `{"i":1}`,
		"post.r.serialized", `{"x":1}`,
		"post.r.unknown", `1`,
		"patch.q.error", `"boom\nat line 1"`,
	)
	b, err := readMultipart(body, contentType)
	require.NoError(t, err)
	require.Zero(t, b.unusable)
	spans := rows(t, b)
	require.Len(t, spans, 2)
	r, q := &spans[0], &spans[1]
	require.Equal(t, ingester.SpanIDOf("r"), r.SpanID)
	require.Equal(t, ingester.TraceIDOf("t"), r.TraceID)
	require.Equal(t, schema.FragmentCreate, r.Fragment)
	require.Equal(t, "n", r.Name)
	require.Equal(t, `{"i":1}`, attribute(r, "input.value"), "the part counts, not what is inline")
	require.Equal(t, `{"o":1}`, attribute(r, "output.value"))
	require.Equal(t, "data:image/png;base64,YWJj", attribute(r, "langsmith.attachment.a.b"))
	require.Equal(t, "r", attribute(r, "langsmith.run.id"))
	require.Equal(t, schema.FragmentUpdate, q.Fragment)
	require.EqualValues(t, 1795245107244e6, q.FragmentNanos)
	require.EqualValues(t, statusError, q.StatusCode)
	require.Equal(t, "boom", q.StatusMessage)
	require.Contains(t, string(q.Events), "boom\nat line 1")
}

func TestUnusableParts(t *testing.T) {
	for _, test := range []struct{ name, part, content string }{
		{"no JSON", "post.x", `{`},
		{"no object", "post.x", `[1]`},
		{"no JSON in a field", "post.x.inputs", `{`},
		{"no id", "post.", `{}`},
		{"no id, but a field", "post..inputs", `{}`},
		{"no verb", "x", `{}`},
		{"another verb", "put.x", `{}`},
		{"no name", "", `{}`},
		{"a file of a run that is not there", "attachment.x.f", "abc"},
		{"a file without a name", "attachment.x", "abc"},
		{"feedback on nothing", "feedback.x", `{"key":"k"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, contentType := parts(test.part, test.content, "post.r", `{"trace_id":"r"}`)
			b, err := readMultipart(body, contentType)
			require.NoError(t, err)
			require.Equal(t, 1, b.unusable)
			spans := rows(t, b)
			require.Equal(t, ingester.SpanIDOf("r"), spans[len(spans)-1].SpanID, "what can be used is")
		})
	}
}

func TestBadBodies(t *testing.T) {
	good, contentType := parts("post.r", `{}`)
	for name, read := range map[string]func() (*batch, error){
		"another type":       func() (*batch, error) { return readMultipart(good, "application/json") },
		"no boundary":        func() (*batch, error) { return readMultipart(good, "multipart/form-data") },
		"another boundary":   func() (*batch, error) { return readMultipart(good, "multipart/form-data; boundary=y") },
		"cut off":            func() (*batch, error) { return readMultipart(good[:len(good)-20], contentType) },
		"empty":              func() (*batch, error) { return readMultipart(nil, contentType) },
		"a batch, no JSON":   func() (*batch, error) { return readBatch([]byte(`{"post":[`)) },
		"a batch, an array":  func() (*batch, error) { return readBatch([]byte(`[]`)) },
		"a run, no JSON":     func() (*batch, error) { return readRun([]byte(`x`), false, "") },
		"a run, an array":    func() (*batch, error) { return readRun([]byte(`[]`), false, "") },
		"an update, no JSON": func() (*batch, error) { return readRun(nil, true, "r") },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read()
			require.ErrorIs(t, err, ingester.ErrBadRequest)
		})
	}
}

func TestTooManyRuns(t *testing.T) {
	list := func(n int) []byte {
		return []byte(`{"post":[` + strings.TrimSuffix(strings.Repeat(`{"id":"r"},`, n-1), ",") + `],"patch":[{"id":"r"}]}`)
	}
	b, err := readBatch(list(maxRuns))
	require.NoError(t, err)
	require.Len(t, b.runs, maxRuns)
	_, err = readBatch(list(maxRuns + 1))
	require.ErrorIs(t, err, ingester.ErrTooLarge)

	named := make([]string, 0, 2*(maxRuns+1))
	for i := range maxRuns + 1 {
		named = append(named, fmt.Sprintf("post.%d.inputs", i), `{}`)
	}
	body, contentType := parts(named[:2*maxRuns]...)
	b, err = readMultipart(body, contentType)
	require.NoError(t, err)
	require.Len(t, b.runs, maxRuns)
	for _, more := range [][]string{named[2*maxRuns:], {"attachment.1.f", "abc"}, {"feedback.1", `{"run_id":"r"}`}} {
		body, contentType = parts(append(named[:2*maxRuns:2*maxRuns], more...)...)
		_, err = readMultipart(body, contentType)
		require.ErrorIs(t, err, ingester.ErrTooLarge, more[0])
	}
}

// What a run does not say of its place is in dotted_order, in other runs of the
// request, or stored.
func TestPlaces(t *testing.T) {
	const (
		rootID   = "01a1fcf2-6742-7000-8000-0001b9dc2009"
		parentID = "01a1fcf2-6765-7000-8000-014de4eb9460"
		runID    = "01a1fcf2-6778-7000-8000-03cad4e25e73"
		root     = "20261121T071147010001Z" + rootID
		order    = root + ".20261121T071147045002Z" + parentID + ".20261121T071147064003Z" + runID
	)
	t.Run("dotted_order alone", func(t *testing.T) {
		s := one(t, `{"dotted_order":"`+order+`"}`)
		require.Equal(t, ingester.SpanIDOf(runID), s.SpanID)
		require.Equal(t, ingester.SpanIDOf(parentID), s.ParentSpanID)
		require.Equal(t, ingester.TraceIDOf(rootID), s.TraceID)
		require.EqualValues(t, 1795245107064003000, s.StartNanos)
	})
	t.Run("of a root", func(t *testing.T) {
		s := one(t, `{"dotted_order":"`+root+`"}`)
		require.Equal(t, ingester.TraceIDOf(rootID), s.TraceID)
		require.True(t, s.ParentSpanID.IsZero())
	})
	t.Run("what is said counts", func(t *testing.T) {
		s := one(t, `{"id":"a","trace_id":"b","parent_run_id":"c","start_time":"2026-11-21T00:00:00Z","dotted_order":"`+order+`"}`)
		require.Equal(t, ingester.SpanIDOf("a"), s.SpanID)
		require.Equal(t, ingester.TraceIDOf("b"), s.TraceID)
		require.Equal(t, ingester.SpanIDOf("c"), s.ParentSpanID)
		require.EqualValues(t, 1795219200e9, s.StartNanos)
	})
	for _, order := range []string{"x", ".", "..", "20261121T071147010001Z", "20261321T071147010001Z" + rootID, "20261121T07114701000ZZ" + rootID, strings.Repeat(".", 1000)} {
		s := one(t, `{"id":"a","dotted_order":"`+order+`"}`)
		require.Equal(t, ingester.SpanIDOf("a"), s.SpanID, order)
		require.Equal(t, ingester.TraceIDOf("a"), s.TraceID, order)
	}
	t.Run("by the parents in the request", func(t *testing.T) {
		b, err := readBatch([]byte(`{"post":[{"id":"c","parent_run_id":"b"},{"id":"b","parent_run_id":"a"},{"id":"a","trace_id":"t"}],"patch":[{"id":"c"}]}`))
		require.NoError(t, err)
		for _, s := range rows(t, b) {
			require.Equal(t, ingester.TraceIDOf("t"), s.TraceID)
		}
	})
	t.Run("the topmost is taken for the root", func(t *testing.T) {
		b, err := readBatch([]byte(`{"post":[{"id":"c","parent_run_id":"b"},{"id":"b","parent_run_id":"a"}]}`))
		require.NoError(t, err)
		for _, s := range rows(t, b) {
			require.Equal(t, ingester.TraceIDOf("a"), s.TraceID)
		}
	})
	t.Run("parents in a circle", func(t *testing.T) {
		b, err := readBatch([]byte(`{"post":[{"id":"a","parent_run_id":"b"},{"id":"b","parent_run_id":"a"},{"id":"c","parent_run_id":"c"}]}`))
		require.NoError(t, err)
		require.Len(t, rows(t, b), 3)
	})
	t.Run("no id", func(t *testing.T) {
		b, err := readBatch([]byte(`{"post":[{"name":"x"},7],"patch":[null]}`))
		require.NoError(t, err)
		require.Empty(t, rows(t, b))
		require.Equal(t, 3, b.unusable)
	})
}
