package e2e_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// TestExpiry shortens a project's retention beside a server that runs. What is older
// is in no answer within seconds and gone from the bucket with the next look of the
// compactor; what is younger, and other projects, stay. Killing the server in
// between changes nothing.
func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	where := inFolder(filepath.Join(dir, "bucket"))
	launch := func() (*process, *client) {
		p := startProcess(t, dir, fromBlocks, noCutByAge, "-compactor.interval=100ms", "-compactor.delete-after=1s")
		return p, newClient(t, p.ready(t))
	}
	p, c := launch()
	bucket := where.open(t)
	random, now := rand.New(rand.NewPCG(3, 4)), time.Now()

	store := func(project string, received time.Time) (trace string, key string) {
		t.Helper()
		id := randomID(random, 16)
		keys := storeAt(t, c, bucket, project, received, exportOf(randomSpan(random, id, received)))
		require.Len(t, keys, 1)
		return hex.EncodeToString(id), keys[0]
	}
	status := func(project, trace string) int {
		t.Helper()
		got, err := c.get(t.Context(), project, "/api/traces/"+trace)
		require.NoError(t, err)
		return got.status
	}
	old, oldKey := store("shop", now.Add(-2*time.Hour))
	young, youngKey := store("shop", now.Add(-30*time.Minute))
	other, otherKey := store("other", now.Add(-2*time.Hour))
	for trace, project := range map[string]string{old: "shop", young: "shop", other: "other"} {
		require.Equal(t, http.StatusOK, status(project, trace))
	}

	code, _, stderr := runProgram(t, "project", "set-retention", "shop", "1h", "-data-dir="+dir)
	require.Zero(t, code, stderr)
	p.kill()
	_, c = launch()
	eventually(t, func() bool { return status("shop", old) == http.StatusNotFound })
	eventually(t, func() bool { return !isThere(t, bucket, oldKey) })
	require.Equal(t, http.StatusOK, status("shop", young))
	require.Equal(t, http.StatusOK, status("other", other))
	require.True(t, isThere(t, bucket, youngKey))
	require.True(t, isThere(t, bucket, otherKey))

	r, err := randomRequest(random, "shop", exportOf(randomSpan(random, randomID(random, 16), now.Add(-2*time.Hour))))
	require.NoError(t, err)
	reply, err := c.send(t.Context(), r)
	require.NoError(t, err)
	require.EqualValues(t, 1, reply.GetPartialSuccess().GetRejectedSpans())
	require.Contains(t, reply.GetPartialSuccess().GetErrorMessage(), "keeps spans for 1h only")
	code, stdout, stderr := runProgram(t, "explain", "retention", "shop", "-data-dir="+dir)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "keeps spans for: 1h (set for the project)")
	require.Contains(t, stdout, "The compactor deletes blocks")
}

// storeAt sends spans that all start then and makes them blocks that were received then.
func storeAt(t *testing.T, c *client, bucket objstore.Bucket, project string, received time.Time, data *tracepb.TracesData) (keys []string) {
	t.Helper()
	r, err := randomRequest(rand.New(rand.NewPCG(1, 1)), project, data)
	require.NoError(t, err)
	require.NoError(t, c.export(t.Context(), r))
	require.NoError(t, c.flush(t.Context()))
	for o, err := range bucket.List(t.Context(), objstore.ListOptions{Prefix: schema.ProjectPrefix(schema.ProjectID(project))}) {
		require.NoError(t, err)
		name, err := schema.ParseBlockName(o.Key)
		require.NoError(t, err)
		if nanos := uint64(received.UnixNano()); name.MinStart == nanos && name.LogNanos != nanos { //nolint:gosec // now
			data, _, err := bucket.Get(t.Context(), o.Key, objstore.GetOptions{})
			require.NoError(t, err)
			name.LogNanos = nanos
			require.NoError(t, bucket.Put(t.Context(), name.Key(), bytes.NewReader(data), objstore.PutOptions{}))
			require.NoError(t, bucket.Delete(t.Context(), o.Key))
			keys = append(keys, name.Key())
		}
	}
	require.NotEmpty(t, keys)
	return keys
}

func isThere(t *testing.T, bucket objstore.Bucket, key string) bool {
	t.Helper()
	_, err := bucket.Stat(t.Context(), key)
	require.True(t, err == nil || errors.Is(err, objstore.ErrNotExist), err)
	return err == nil
}

// TestRules sets rules by the command line, beside a server that runs and is killed:
// traces without an error go with the next look of the compactor once they are old
// enough, also those of a block of which others stay. A trace stays whole if any of
// its spans has an error, in whatever block.
func TestRules(t *testing.T) {
	dir := t.TempDir()
	where := inFolder(filepath.Join(dir, "bucket"))
	launch := func() (*process, *client) {
		p := startProcess(t, dir, fromBlocks, noCutByAge, "-compactor.interval=100ms", "-compactor.delete-after=1s")
		return p, newClient(t, p.ready(t))
	}
	p, c := launch()
	bucket := where.open(t)
	random, now := rand.New(rand.NewPCG(3, 5)), time.Now()
	old, young := now.Add(-50*time.Hour), now.Add(-30*time.Minute)
	span := func(id []byte, start time.Time, failed bool) *tracepb.Span {
		s := randomSpan(random, id, start)
		if failed {
			s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
		}
		return s
	}
	dull, failing, later, recent := randomID(random, 16), randomID(random, 16), randomID(random, 16), randomID(random, 16)
	oldKeys := storeAt(t, c, bucket, "shop", old, exportOf(
		span(dull, old, false), span(dull, old, false), span(failing, old, false), span(failing, old, true), span(later, old, false)))
	storeAt(t, c, bucket, "shop", young, exportOf(span(later, young, true), span(recent, young, false)))
	otherKeys := storeAt(t, c, bucket, "other", old, exportOf(span(dull, old, false)))
	spans := func(id []byte) int {
		t.Helper()
		trace, err := c.trace(t.Context(), "shop", forms()[0], hex.EncodeToString(id))
		require.NoError(t, err)
		count := 0
		for _, r := range trace.GetResourceSpans() {
			for _, scope := range r.GetScopeSpans() {
				count += len(scope.GetSpans())
			}
		}
		return count
	}
	require.Equal(t, []int{2, 2, 2, 1}, []int{spans(dull), spans(failing), spans(later), spans(recent)})

	code, _, stderr := runProgram(t, "project", "set-retention", "shop", "1h", "-rule", "{ status = error }=90d", "-data-dir="+dir)
	require.Zero(t, code, stderr)
	p.kill()
	_, c = launch()
	eventually(t, func() bool { return spans(dull) == 0 })
	for _, key := range oldKeys {
		eventually(t, func() bool { return !isThere(t, bucket, key) })
	}
	require.Equal(t, []int{0, 2, 2, 1}, []int{spans(dull), spans(failing), spans(later), spans(recent)})
	for _, key := range otherKeys {
		require.True(t, isThere(t, bucket, key), "of a project without rules")
	}
	code, stdout, stderr := runProgram(t, "explain", "retention", "shop", "-data-dir="+dir)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "keeps spans for: 1h (set for the project)")
	require.Contains(t, stdout, "Traces that { status = error } finds are kept for: 90d.")
}
