package e2e_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

	// store sends a trace and makes it a block that was received then.
	store := func(project string, received time.Time) (trace string, key string) {
		t.Helper()
		id := randomID(random, 16)
		r, err := randomRequest(random, project, exportOf(randomSpan(random, id, received)))
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
				key = name.Key()
			}
		}
		require.NotEmpty(t, key)
		return hex.EncodeToString(id), key
	}
	status := func(project, trace string) int {
		t.Helper()
		got, err := c.get(t.Context(), project, "/api/traces/"+trace)
		require.NoError(t, err)
		return got.status
	}
	there := func(key string) bool {
		t.Helper()
		for o, err := range bucket.List(t.Context(), objstore.ListOptions{Prefix: key}) {
			require.NoError(t, err)
			return o.Key == key
		}
		return false
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
	eventually(t, func() bool { return !there(oldKey) })
	require.Equal(t, http.StatusOK, status("shop", young))
	require.Equal(t, http.StatusOK, status("other", other))
	require.True(t, there(youngKey))
	require.True(t, there(otherKey))

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
