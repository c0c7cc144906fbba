package querier_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// held is a bucket whose reads of blocks wait.
type held struct {
	objstore.Bucket

	waiting chan struct{} // gets one value for each that waits
	proceed chan struct{} // closed to let all of them go on
	reads   atomic.Int64
}

func (b *held) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if b.waiting != nil {
		b.waiting <- struct{}{}
		<-b.proceed
	}
	data, object, err := b.Bucket.Get(ctx, key, opts)
	b.reads.Add(int64(len(data)))
	return data, object, err
}

// TestConcurrentQueries: as many as the limit says are answered, one more is
// told to come back, another project's are not.
func TestConcurrentQueries(t *testing.T) {
	var bucket *held
	w := newWorld(t, func(b objstore.Bucket) objstore.Bucket {
		bucket = &held{Bucket: b, waiting: make(chan struct{}, 100), proceed: make(chan struct{})}
		return bucket
	})
	w.settings.set(schema.DefaultProject, project.Project{Limits: project.Limits{ConcurrentQueries: 2}})
	w.store(span(traceA, 1, "one", 0))
	path := "/api/traces/" + traceA
	codesOf := make(chan int, 2)
	for range 2 {
		go func() { codesOf <- w.get(path).status }()
		<-bucket.waiting
	}
	refused := w.get(path)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Contains(t, refused.body, "concurrent_queries")
	require.Contains(t, refused.body, "spanlake project set-limit default concurrent_queries")
	require.Equal(t, http.StatusTooManyRequests, w.get(path, "X-Scope-OrgID", "other|default").status)
	require.Equal(t, http.StatusNotFound, w.get(path, "X-Scope-OrgID", "other").status)
	_, err := w.caller().receive(w.caller().open(t.Context(), "SearchTags", "SearchTagsRequest", ""), "SearchTagsResponse")
	require.Equal(t, codes.ResourceExhausted, status.Code(err))

	close(bucket.proceed)
	for range 2 {
		require.Equal(t, http.StatusOK, <-codesOf)
	}
	require.Equal(t, http.StatusOK, w.get(path).status, "the slots are free again")
}

// TestQueryBytes has limits on both sides of what a query reads.
func TestQueryBytes(t *testing.T) {
	read := func(limit int64, projects string) (answer, int64) {
		var bucket *held
		w := newWorld(t, func(b objstore.Bucket) objstore.Bucket {
			bucket = &held{Bucket: b}
			return bucket
		})
		w.settings.set(schema.DefaultProject, project.Project{Limits: project.Limits{QueryBytes: limit}})
		w.store(span(traceA, 1, "one", 0))
		got := w.get("/api/traces/"+traceA, "X-Scope-OrgID", projects)
		return got, bucket.reads.Load()
	}
	got, used := read(0, "default")
	require.Equal(t, http.StatusOK, got.status)
	got, _ = read(used, "default")
	require.Equal(t, http.StatusOK, got.status)
	for _, projects := range []string{"default", "default|other"} {
		got, _ = read(used-1, projects)
		require.Equal(t, http.StatusUnprocessableEntity, got.status)
		require.Contains(t, got.body, "query_bytes")
		require.Contains(t, got.body, "spanlake project set-limit default query_bytes")
	}
}
