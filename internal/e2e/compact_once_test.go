package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
	"github.com/spanlake/spanlake/schema"
)

// mergedBlock is how the keys of blocks look that merges have stored.
var mergedBlock = regexp.MustCompile(`_L[1-9]\d*g`)

// holder stands before an S3 server and holds the second merged block that a
// process wants to store, until that process gives up.
type holder struct {
	*httptest.Server

	reached chan struct{} // closed when it holds one
	stores  atomic.Int64
}

func newHolder(t *testing.T, where place) *holder {
	t.Helper()
	h := &holder{reached: make(chan struct{})}
	forward := s3test.Forward(t, where.gateway.Endpoint)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && mergedBlock.MatchString(r.URL.Path) && h.stores.Add(1) == 2 {
			_, _ = io.Copy(io.Discard, r.Body) // after that a client that goes away is noticed
			close(h.reached)
			<-r.Context().Done()
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// TestCompactOnceInterrupted: SIGINT in the middle of a merge leaves what was merged
// before and what was not, every span once, and says so. The next run does the rest.
func TestCompactOnceInterrupted(t *testing.T) {
	where := onS3(t)
	w := newCompactionWorld(t, where)
	for begun := time.Now(); time.Since(begun) < 3*time.Second; {
		w.send()
		w.count()
	}
	require.NoError(t, w.ingester.flush(t.Context()))
	before, err := w.names(t.Context())
	require.NoError(t, err)

	h := newHolder(t, where)
	held := strings.Replace(where.url, url.QueryEscape(where.gateway.Endpoint), url.QueryEscape(h.URL), 1)
	require.NotEqual(t, where.url, held)
	once := func(bucket string) *process {
		args := append([]string{"compact", "-once"}, w.shared()...)
		for i, arg := range args {
			args[i] = strings.Replace(arg, where.url, bucket, 1)
		}
		return runProcess(t, where.env, buildProgram(t), args...)
	}
	p := once(held)
	select {
	case <-h.reached:
	case <-p.exited:
		require.Fail(t, "it has ended", "%s\n%s", p.stdout, p.stderr)
	}
	p.signal(t, syscall.SIGINT)
	<-p.exited
	require.Equal(t, 1, p.cmd.ProcessState.ExitCode())
	require.Contains(t, p.stderr.String(), "interrupted, what is done stays done")
	require.Contains(t, p.stdout.String(), "merged into 1 of")
	w.count()
	after, err := w.names(t.Context())
	require.NoError(t, err)
	require.Len(t, after, len(before)+1, "one block was merged, and its inputs are still there")
	verify := runProcess(t, where.env, buildProgram(t), "blocks", "verify", w.shared()[0])
	<-verify.exited
	require.Zero(t, verify.cmd.ProcessState.ExitCode(), verify.stderr)

	eventually(t, func() bool {
		p := once(where.url)
		<-p.exited
		require.Zero(t, p.cmd.ProcessState.ExitCode(), p.stderr)
		w.count()
		return !w.mergeable(t.Context())
	})
	names, err := w.names(t.Context())
	require.NoError(t, err)
	require.Equal(t, names, schema.Visible(names), "nothing is left of what was merged")
}
