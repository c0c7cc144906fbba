package s3_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// world is a bucket behind a proxy: bare, and with quick retries.
type world struct {
	server  *s3test.Server
	proxy   *proxy
	name    string
	bare    *s3.Bucket
	retried objstore.Bucket
}

func newWorld(t *testing.T, change ...func(*s3.Options)) *world {
	t.Helper()
	s3test.Setenv(t)
	w := &world{server: s3test.Start(t)}
	w.proxy, w.name = newProxy(t, w.server, (*httptest.Server).Start), w.server.Bucket(t)
	w.bare = open(t, "s3://"+w.name+"?endpoint="+w.proxy.url+"&region="+s3test.Region, append([]func(*s3.Options){small}, change...)...)
	w.retried = objstore.Retry(w.bare, objstore.RetryOptions{MinDelay: time.Nanosecond})
	return w
}

// Whatever may pass is repeated once, and by one layer only.
func TestTransientErrors(t *testing.T) {
	w := newWorld(t)
	put(t, w.bare, "k", "content")
	w.proxy.seen(t)
	for _, test := range []struct {
		name  string
		fault func(match string) fault
	}{
		{"throttled", func(m string) fault { return status(m, 503, "SlowDown") }},
		{"too many requests", func(m string) fault { return status(m, 429, "TooManyRequests") }},
		{"internal error", func(m string) fault { return status(m, 500, "InternalError") }},
		{"gateway", func(m string) fault { return status(m, 502, "") }},
		{"request timeout", func(m string) fault { return status(m, 400, "RequestTimeout") }},
		{"conflict", func(m string) fault { return status(m, 409, "ConditionalRequestConflict") }},
		{"lost reply", lostReply},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, op := range []struct {
				method string
				do     func(b objstore.Bucket) error
			}{
				{"PUT", func(b objstore.Bucket) error {
					return b.Put(t.Context(), "k", strings.NewReader("content"), objstore.PutOptions{})
				}},
				{"GET", func(b objstore.Bucket) error {
					_, _, err := b.Get(t.Context(), "k", objstore.GetOptions{Length: 3})
					return err
				}},
				{"GET list-type", func(b objstore.Bucket) error { return firstError(t, b) }},
				{"HEAD", func(b objstore.Bucket) error {
					_, err := b.Stat(t.Context(), "k")
					return err
				}},
				{"DELETE", func(b objstore.Bucket) error { return b.Delete(t.Context(), "another") }},
			} {
				if test.name == "request timeout" && op.method == "HEAD" {
					continue // a reply without a body cannot tell
				}
				w.bare.Close() // Go repeats a GET that fails on a connection used before
				w.proxy.inject(test.fault(op.method))
				require.ErrorIs(t, op.do(w.bare), objstore.ErrTransient, op.method)
				require.Equal(t, []string{op.method}, w.proxy.seen(t), "the SDK repeats nothing")
				w.bare.Close()
				w.proxy.inject(test.fault(op.method))
				require.NoError(t, op.do(w.retried), op.method)
				require.Equal(t, []string{op.method, op.method}, w.proxy.seen(t))
			}
		})
	}
}

func TestPermanentErrors(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		fault fault
		want  string
	}{
		{status("PUT", 403, "InvalidAccessKeyId"), "check the credentials: InvalidAccessKeyId"},
		{status("PUT", 403, "RequestTimeTooSkewed"), "check this machine's clock: RequestTimeTooSkewed"},
		{status("PUT", 403, "AccessDenied"), "check the credentials and what they permit: AccessDenied: as injected (HTTP status 403"},
		{status("PUT", 301, "PermanentRedirect"), "check the region: PermanentRedirect"},
		{status("PUT", 501, "NotImplemented"), "NotImplemented: as injected (HTTP status 501"},
		{status("PUT", 400, "EntityTooLarge"), "EntityTooLarge"},
		{status("PUT", 404, "NoSuchBucket"), "bucket " + w.name + " does not exist: create it"},
	} {
		w.proxy.inject(test.fault)
		err := w.retried.Put(t.Context(), "k", strings.NewReader("content"), objstore.PutOptions{IfNotExist: true})
		require.ErrorContains(t, err, "put k: ")
		require.ErrorContains(t, err, test.want)
		require.NotErrorIs(t, err, objstore.ErrTransient)
		require.NotErrorIs(t, err, objstore.ErrNotExist)
		require.Equal(t, []string{"PUT"}, w.proxy.seen(t))
	}
	// Something between us and the store that knows no objects must not make
	// blocks look deleted.
	w.proxy.inject(status("GET", 404, ""))
	_, _, err := w.retried.Get(t.Context(), "k", objstore.GetOptions{})
	require.NotErrorIs(t, err, objstore.ErrNotExist)
	require.ErrorContains(t, err, "HTTP status 404")
}

func TestLostReplyOfConditionalPut(t *testing.T) {
	w := newWorld(t)
	w.proxy.inject(lostReply("PUT"))
	err := w.retried.Put(t.Context(), "k", strings.NewReader("content"), objstore.PutOptions{IfNotExist: true})
	require.ErrorIs(t, err, objstore.ErrExist, "its own object, as Retry says")
	require.Equal(t, []string{"PUT", "PUT"}, w.proxy.seen(t))
	require.Equal(t, "content", get(t, w.bare, "k"))
}

func TestRepliesThatAreWrong(t *testing.T) {
	w := newWorld(t)
	put(t, w.bare, "k", "0123456789")
	w.proxy.seen(t)
	cut := func(body []byte) []byte { return body[:4] }
	flip := func(body []byte) []byte { body = bytes.Clone(body); body[3] ^= 1; return body }
	for _, test := range []struct {
		name  string
		fault fault
		opts  objstore.GetOptions
		want  string
	}{
		{"broken off", changedReply("GET", cut), objstore.GetOptions{}, "0123456789"},
		{"range broken off", changedReply("GET", cut), objstore.GetOptions{Offset: 2}, "23456789"},
		{"a bit is wrong", changedReply("GET", flip), objstore.GetOptions{}, "0123456789"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.proxy.inject(test.fault)
			_, _, err := w.bare.Get(t.Context(), "k", test.opts)
			require.ErrorIs(t, err, objstore.ErrTransient)
			w.proxy.inject(test.fault)
			data, _, err := w.retried.Get(t.Context(), "k", test.opts)
			require.NoError(t, err)
			require.Equal(t, test.want, string(data))
			w.proxy.seen(t)
		})
	}
	t.Run("range is ignored", func(t *testing.T) {
		for _, opts := range []objstore.GetOptions{{Offset: 2, Length: 3}, {Offset: -3}, {Length: 4}, {Offset: 10}} {
			w.proxy.inject(answer("GET", http.Header{"Etag": {`"e"`}}, "0123456789"))
			data, object, err := w.bare.Get(t.Context(), "k", opts)
			start, end, rangeErr := opts.Range(10)
			if rangeErr != nil {
				require.ErrorIs(t, err, objstore.ErrRange)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "0123456789"[start:end], string(data))
			require.Equal(t, int64(10), object.Size)
		}
	})
	t.Run("another range", func(t *testing.T) {
		for _, contentRange := range []string{"bytes 4-5/10", "bytes 1-3/10", "bytes 1-2/2", "nonsense"} {
			w.proxy.inject(answer("GET", http.Header{"Content-Range": {contentRange}}, "45"))
			_, _, err := w.bare.Get(t.Context(), "k", objstore.GetOptions{Offset: 1, Length: 2})
			require.ErrorContains(t, err, contentRange)
		}
	})
	t.Run("listing out of order", func(t *testing.T) {
		w.proxy.inject(answer("GET list-type", nil, `<ListBucketResult><Contents><Key>b</Key></Contents><Contents><Key>a</Key></Contents></ListBucketResult>`))
		require.ErrorContains(t, firstError(t, w.retried), `the server does not list keys in their order: it cannot be used ("a" after "b")`)
	})
	t.Run("listing without an end", func(t *testing.T) {
		w.proxy.inject(answer("GET list-type", nil, `<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>b</Key></Contents></ListBucketResult>`))
		require.ErrorContains(t, firstError(t, w.retried), "the server broke off a listing")
	})
}

// firstError is how a listing of the bucket ends.
func firstError(t *testing.T, b objstore.Bucket) error {
	t.Helper()
	for _, err := range b.List(t.Context(), objstore.ListOptions{}) {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestParts(t *testing.T) {
	w := newWorld(t)
	data := content(11 << 20) // three parts
	const create, part, done, abort = "POST uploads", "PUT uploadId", "POST uploadId", "DELETE uploadId"
	store := func(b objstore.Bucket, opts objstore.PutOptions) error {
		return b.Put(t.Context(), "large", bytes.NewReader(data), opts)
	}
	stored := func(t *testing.T, want []byte) {
		t.Helper()
		require.True(t, bytes.Equal(want, []byte(get(t, w.bare, "large"))))
		require.Empty(t, w.server.Uploads(t, w.name))
		require.NoError(t, w.bare.Delete(t.Context(), "large"))
		w.proxy.seen(t)
	}
	t.Run("one part is repeated alone", func(t *testing.T) {
		w.proxy.inject(fault{part, w.proxy.pass}, status(part, 503, "SlowDown"), lostReply(part))
		require.NoError(t, store(w.bare, objstore.PutOptions{IfNotExist: true}))
		require.Equal(t, []string{"HEAD", create, part, part, part, part, part, done}, w.proxy.seen(t))
		stored(t, data)
	})
	t.Run("a part keeps failing", func(t *testing.T) {
		for range 5 {
			w.proxy.inject(status(part, 503, "SlowDown"))
		}
		err := store(w.retried, objstore.PutOptions{})
		require.ErrorContains(t, err, "put large: part 1: SlowDown: as injected")
		require.NotErrorIs(t, err, objstore.ErrTransient)
		require.Equal(t, []string{create, part, part, part, part, part, abort}, w.proxy.seen(t))
		require.Empty(t, w.server.Uploads(t, w.name))
	})
	t.Run("abort fails, too", func(t *testing.T) {
		w.proxy.inject(status(part, 403, "AccessDenied"), status(abort, 403, "AccessDenied"))
		err := store(w.retried, objstore.PutOptions{})
		require.ErrorContains(t, err, "and its parts stay: check the credentials")
		require.Equal(t, []string{"large"}, w.server.Uploads(t, w.name))
		w.proxy.seen(t)
		w.name = w.server.Bucket(t) // without the parts
		w.bare = open(t, "s3://"+w.name+"?endpoint="+w.proxy.url+"&region="+s3test.Region, small)
		w.retried = objstore.Retry(w.bare, objstore.RetryOptions{MinDelay: time.Nanosecond})
	})
	t.Run("conflict at the end", func(t *testing.T) {
		w.proxy.inject(status(done, 409, "ConditionalRequestConflict"))
		require.NoError(t, store(w.retried, objstore.PutOptions{IfNotExist: true}))
		stored(t, data)
	})
	t.Run("an error after status 200", func(t *testing.T) {
		w.proxy.inject(status(done, 200, "InternalError"))
		require.ErrorIs(t, store(w.bare, objstore.PutOptions{}), objstore.ErrTransient)
		require.Empty(t, w.server.Uploads(t, w.name))
		w.proxy.seen(t)
	})
	t.Run("reply of the end is lost", func(t *testing.T) {
		w.proxy.inject(lostReply(done))
		require.ErrorIs(t, store(w.retried, objstore.PutOptions{IfNotExist: true}), objstore.ErrExist)
		require.Equal(t, []string{"HEAD", create, part, part, part, done, abort, "HEAD"}, w.proxy.seen(t), "nothing is sent twice")
		stored(t, data)
	})
	t.Run("somebody is faster", func(t *testing.T) {
		w.proxy.inject(fault{done, func(p *proxy, rw http.ResponseWriter, r *http.Request) {
			put(t, open(t, w.server.URL(w.name)), "large", "another's")
			p.forward.ServeHTTP(rw, r)
		}})
		require.ErrorIs(t, store(w.retried, objstore.PutOptions{IfNotExist: true}), objstore.ErrExist)
		stored(t, []byte("another's"))
	})
}

// A connection on which nothing moves is given up, and the caller need not
// wait for that.
func TestStall(t *testing.T) {
	w := newWorld(t, func(o *s3.Options) { o.StallTimeout = 100 * time.Millisecond })
	for _, method := range []string{"GET", "PUT"} {
		w.bare.Close() // Go repeats a GET that fails on a connection used before
		w.proxy.inject(stalled(method, func() {}))
		var err error
		if method == "GET" {
			_, _, err = w.bare.Get(t.Context(), "k", objstore.GetOptions{})
		} else {
			err = w.bare.Put(t.Context(), "k", strings.NewReader("content"), objstore.PutOptions{})
		}
		require.ErrorIs(t, err, objstore.ErrTransient)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	}
	patient := newWorld(t)
	put(t, patient.bare, "k", "content")
	ctx, cancel := context.WithCancel(t.Context())
	patient.proxy.inject(stalled("GET", cancel))
	_, _, err := patient.retried.Get(ctx, "k", objstore.GetOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, objstore.ErrTransient)
}

func TestChecksumModes(t *testing.T) {
	for _, test := range []struct {
		mode s3.Checksum
		sent bool
	}{
		{s3.ChecksumDefault, true}, {s3.ChecksumWhenSupported, true}, {s3.ChecksumWhenRequired, false},
	} {
		t.Run("mode "+string(test.mode), func(t *testing.T) {
			w := newWorld(t, func(o *s3.Options) { o.Checksum = test.mode })
			put(t, w.bare, "small", "content")
			require.NoError(t, w.bare.Put(t.Context(), "large", bytes.NewReader(content(6<<20)), objstore.PutOptions{}))
			require.Equal(t, "content", get(t, w.bare, "small"))
			require.Len(t, get(t, w.bare, "large"), 6<<20)
			w.proxy.mu.Lock()
			defer w.proxy.mu.Unlock()
			for i, name := range w.proxy.requests {
				header := map[string]string{
					"PUT": "X-Amz-Checksum-Crc32", "PUT uploadId": "X-Amz-Checksum-Crc32",
					"POST uploads": "X-Amz-Checksum-Algorithm", "GET": "X-Amz-Checksum-Mode",
				}[name]
				if header != "" {
					require.Equal(t, test.sent, w.proxy.headers[i].Get(header) != "", "%s of %s", header, name)
				}
			}
		})
	}
	t.Run("from the environment", func(t *testing.T) {
		t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
		w := newWorld(t)
		put(t, w.bare, "small", "content")
		require.NoError(t, w.bare.Put(t.Context(), "large", bytes.NewReader(content(6<<20)), objstore.PutOptions{}))
		for _, header := range w.proxy.headers {
			require.Empty(t, header.Get("X-Amz-Checksum-Crc32"))
		}
	})
}
