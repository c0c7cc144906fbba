package host

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// TestThaw: connections to the bucket are used again, unless the environment may have
// been frozen meanwhile.
func TestThaw(t *testing.T) {
	s3test.Setenv(t)
	var mu sync.Mutex
	from := make(map[string]bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		from[req.RemoteAddr] = true
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	h, err := New(t.Context(), &Config{Bucket: (&s3test.Server{Endpoint: server.URL}).URL("bucket/prefix")}, nil)
	require.NoError(t, err)
	defer h.Store.Close()
	ask := func(idle time.Duration, connections int) {
		t.Helper()
		h.used = h.used.Add(-idle)
		h.Thaw()
		_, _, err := h.Bucket.Get(t.Context(), "key", objstore.GetOptions{})
		require.ErrorIs(t, err, objstore.ErrNotExist)
		require.Len(t, from, connections)
	}
	h.Thaw()
	ask(0, 1)
	ask(frozenFor/2, 1)
	ask(frozenFor+time.Millisecond, 2)
	ask(0, 2)
}
