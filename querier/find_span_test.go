package querier_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// ago is a span that ended so long ago, the only one of its trace.
func ago(id byte, age time.Duration) schema.Span {
	end := uint64(time.Now().Add(-age).UnixNano()) //nolint:gosec // wall clock
	return schema.Span{
		TraceID: schema.TraceID{15: id}, SpanID: schema.SpanID{7: id}, StartNanos: end - 1e9, EndNanos: end, Name: "s",
		Resource: otlp.NewResource(), Scope: otlp.NewScope("", ""), Position: 1,
	}
}

func TestTraceOf(t *testing.T) {
	var failure error
	w := newWorld(t, func(b objstore.Bucket) objstore.Bucket { return away{b, &failure} })
	const day = 24 * time.Hour
	w.storeRows([]schema.Span{ago(1, time.Minute)})
	w.storeRows([]schema.Span{ago(2, 29*day)})
	w.storeRows([]schema.Span{ago(3, 31*day)})
	w.storeIn("other", []schema.Span{ago(4, time.Minute)})
	for i, o := range []struct {
		project schema.ProjectID
		service string
		age     time.Duration
	}{{schema.DefaultProject, "shop", 0}, {schema.DefaultProject, `"quoted" \x`, 0}, {schema.DefaultProject, "old", 31 * day}, {"other", "foreign", 0}} {
		s := ago(byte(10+i), o.age)
		s.Resource = otlp.NewResource(schema.Attribute{Key: "service.name", Value: schema.Value{Kind: schema.KindString, Str: o.service}})
		w.storeIn(o.project, []schema.Span{s})
	}
	for id, found := range map[byte]bool{1: true, 2: true, 3: false, 4: false, 5: false} {
		trace, got, err := w.q.TraceOf(t.Context(), schema.DefaultProject, schema.SpanID{7: id})
		require.NoError(t, err)
		require.Equal(t, found, got, "span %d", id)
		if found {
			require.Equal(t, schema.TraceID{15: id}, trace)
		}
	}
	for service, found := range map[string]bool{"shop": true, "old": false, "foreign": false, `"quoted" \x`: true} {
		start, got, err := w.q.LastOf(t.Context(), schema.DefaultProject, service)
		require.NoError(t, err)
		require.Equal(t, found, got, service)
		require.Equal(t, found, start > 0)
	}

	failure = errors.New("the bucket is away")
	w.storeRows([]schema.Span{ago(6, time.Minute)})
	_, _, err := w.q.TraceOf(t.Context(), schema.DefaultProject, schema.SpanID{7: 6})
	require.ErrorIs(t, err, failure, "nobody knows whether it is there")

	w = newWorldWith(t, nil, querier.Config{Timeout: time.Minute, Concurrency: 4, MaxReadBytes: 1, CacheBytes: 4 << 10})
	w.storeRows([]schema.Span{ago(1, time.Minute)})
	_, found, err := w.q.TraceOf(t.Context(), schema.DefaultProject, schema.SpanID{7: 1})
	require.NoError(t, err)
	require.False(t, found, "not within the limits")
}

// away is a bucket that cannot be read while there is a failure.
type away struct {
	objstore.Bucket

	failure *error
}

func (a away) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if *a.failure != nil {
		return nil, objstore.Object{}, *a.failure
	}
	return a.Bucket.Get(ctx, key, opts)
}
