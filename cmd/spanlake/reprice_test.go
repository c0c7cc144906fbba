package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func TestRepriceUsage(t *testing.T) {
	for _, test := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"reprice", "shop"}, "A project goes behind -project"},
		{[]string{"reprice", "-from", "yesterday"}, "-from \"yesterday\": want a time such as"},
		{[]string{"reprice", "status", "-from", "2026-01-01"}, "not defined: -from"},
	} {
		code, _, stderr := call(t, test.args...)
		require.Equal(t, exitUsage, code, test.args)
		require.Contains(t, stderr, test.stderr, test.args)
	}
	code, stdout, _ := call(t, "reprice", "-h")
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "-wait")
}

// TestReprice asks for blocks of which one is as it should be already, and waits while
// somebody writes the other.
func TestReprice(t *testing.T) {
	bucket := mem.New()
	store := func(position uint64, by block.Derivation) {
		row := schema.Span{
			TraceID: schema.TraceID{1}, SpanID: schema.SpanID{1}, StartNanos: 1_770_000_000e9, EndNanos: 1_770_000_001e9,
			Resource: &schema.Resource{}, Scope: &schema.Scope{}, Position: position,
			Derived: otlp.AppendAttribute(nil, "gen_ai.usage.cost", schema.Value{Kind: schema.KindDouble, Double: 1}),
		}
		o, err := block.EncodeDerived("shop", by, []schema.Span{row})
		require.NoError(t, err)
		name := schema.BlockName{
			Project: "shop", Partitions: 1, Epoch: 1, First: position, Last: position, LogNanos: 1_770_000_000e9, MinStart: o.MinStart, MaxEnd: o.MaxEnd,
			Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes),
		}
		require.NoError(t, bucket.Put(t.Context(), name.Key(), bytes.NewReader(o.Data), objstore.PutOptions{}))
	}
	current := block.Derivation{Norm: llm.Version, Tables: []string{price.Shipped().Version()}}
	store(1, current)
	store(2, block.Derivation{Norm: llm.Version, Tables: []string{"1999-12"}})
	server := httptest.NewServer(app.ProjectsHandler(bucket, &app.Config{}))
	defer server.Close()
	reprice := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		got, stdout, stderr := call(t, append(append([]string{"reprice"}, args...), "-project", "shop", "-url", server.URL)...)
		require.Equal(t, code, got, stderr)
		return stdout, stderr
	}
	_, stderr := reprice(exitFailed, "status")
	require.Contains(t, stderr, "does not exist")
	stdout, _ := reprice(exitOK, "-from", "2026-02-03")
	require.Contains(t, stdout, "0 blocks in that range, 0 to be written")
	_, stderr = reprice(exitFailed, "-from", "2026-02-03", "-to", "2026-02-01")
	require.Contains(t, stderr, "want from before to")
	stdout, _ = reprice(exitOK, "-from", "2026-01-01")
	require.Contains(t, stdout, "from 2026-01-01T00:00:00Z to -: pending.\n2 blocks in that range, 1 to be written")

	// What the compactor does is tested there: here its output lies beside the input.
	store(3, current)
	for o, err := range bucket.List(t.Context(), objstore.ListOptions{Prefix: "blocks/"}) {
		require.NoError(t, err)
		if n, err := schema.ParseBlockName(o.Key); err == nil && n.First == 2 {
			require.NoError(t, bucket.Delete(t.Context(), o.Key))
		}
	}
	stdout, _ = reprice(exitOK, "-wait")
	require.Contains(t, stdout, "done.\n2 blocks in that range, 0 to be written")
	stdout, _ = reprice(exitOK, "status", "-output", "json")
	require.Contains(t, stdout, `"state": "done"`)

	prices := filepath.Join(t.TempDir(), "prices.json")
	require.NoError(t, os.WriteFile(prices, []byte(`[{"model":"m","input":1}]`), 0o600))
	code, _, stderr := call(t, "project", "set-prices", "shop", prices, "-url", server.URL)
	require.Equal(t, exitOK, code, stderr)
	_, stderr = reprice(exitFailed, "status")
	require.Contains(t, stderr, "ask again")
}
