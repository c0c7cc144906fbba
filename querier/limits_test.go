package querier_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/querier"
)

func searchPath(query string) string {
	return "/api/search?" + inRange + "&q=" + url.QueryEscape(query)
}

func limitedWorld(t *testing.T, wrap func(objstore.Bucket) objstore.Bucket, change func(*querier.Config)) *world {
	t.Helper()
	cfg := querier.Config{Timeout: time.Minute, MaxSearchRange: time.Hour, Concurrency: 2, CacheBytes: 1 << 20}
	change(&cfg)
	w := newWorldWith(t, wrap, cfg)
	w.store(span(traceA, 1, "a", 1), span(traceA, 2, "b", 2), span(traceB, 1, "c", 3))
	return w
}

func TestGroupsAreLimited(t *testing.T) {
	w := limitedWorld(t, nil, func(c *querier.Config) { c.MaxGroups = 1 })
	a := w.get(searchPath(`{ } | by(name)`))
	require.Equal(t, 422, a.status)
	require.Contains(t, a.body, "2 groups")
	require.Contains(t, a.body, "more than the limit of 1 (querier.max-groups)")
	two := limitedWorld(t, nil, func(c *querier.Config) { c.MaxGroups = 2 })
	require.Equal(t, 200, two.get(searchPath(`{ } | by(name)`)).status)
	require.Equal(t, 200, w.get(searchPath(`{ name != "b" } | by(name)`)).status, "one group of each trace")
}

func TestBytesAreLimited(t *testing.T) {
	w := limitedWorld(t, nil, func(c *querier.Config) { c.MaxReadBytes = 100 })
	a := w.get(searchPath(`{ name = "a" }`))
	require.Equal(t, 422, a.status)
	require.Contains(t, a.body, "100B")
	require.Contains(t, a.body, "querier.max-read-bytes")
	w = limitedWorld(t, nil, func(c *querier.Config) { c.MaxReadBytes = 1 << 20 })
	require.Equal(t, 200, w.get(searchPath(`{ name = "a" }`)).status)
}

// slow never answers a read before its caller gives up.
type slow struct{ objstore.Bucket }

func (slow) Get(ctx context.Context, _ string, _ objstore.GetOptions) ([]byte, objstore.Object, error) {
	<-ctx.Done()
	return nil, objstore.Object{}, ctx.Err()
}

// Who asks may have less time, and say why.
func TestTimeIsLimitedFromOutside(t *testing.T) {
	w := limitedWorld(t, func(b objstore.Bucket) objstore.Bucket { return slow{b} }, func(*querier.Config) {})
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("the invocation is over"))
	defer cancel()
	answer := httptest.NewRecorder()
	w.q.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, searchPath(`{ name = "a" }`), http.NoBody))
	require.Equal(t, 504, answer.Code)
	require.Equal(t, "the invocation is over: narrow the time range or the conditions", answer.Body.String())
}

func TestTimeIsLimited(t *testing.T) {
	w := limitedWorld(t, func(b objstore.Bucket) objstore.Bucket { return slow{b} }, func(c *querier.Config) { c.Timeout = time.Millisecond })
	a := w.get(searchPath(`{ name = "a" }`))
	require.Equal(t, 504, a.status)
	require.Contains(t, a.body, "1ms")
	require.Contains(t, a.body, "querier.timeout")
	_, err := w.caller().call(t.Context(), "Search", "SearchRequest", `{"Query":"{ name = \"a\" }",`+rangeJSON+`}`, "SearchResponse")
	requireCode(t, codes.Canceled, err)
	require.ErrorContains(t, err, "querier.timeout")
}
