package langfuse_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

func nameOf(content string) schema.MediaName {
	return schema.MediaName{Project: schema.DefaultProject, SHA256: sha256.Sum256([]byte(content))}
}

// announce says what is to be uploaded and returns where to, "" if it is held.
func (w *world) announce(content, contentType string) (id, upload string) {
	w.tb.Helper()
	hash := sha256.Sum256([]byte(content))
	reply := w.do(http.MethodPost, "/api/public/media", fmt.Sprintf(
		`{"traceId":"t","field":"input","contentType":%q,"contentLength":%d,"sha256Hash":%q}`,
		contentType, len(content), base64.StdEncoding.EncodeToString(hash[:])))
	require.Equal(w.tb, http.StatusCreated, reply.Code, reply.Body)
	var answer struct {
		MediaID   string
		UploadURL *string
	}
	require.NoError(w.tb, json.Unmarshal(reply.Body.Bytes(), &answer))
	require.Contains(w.tb, reply.Body.String(), `"uploadUrl":`)
	if answer.UploadURL != nil {
		upload = *answer.UploadURL
	}
	return answer.MediaID, upload
}

// follow follows a link.
func (w *world) follow(method, link, body string) *httptest.ResponseRecorder {
	w.tb.Helper()
	reply := httptest.NewRecorder()
	w.handler.ServeHTTP(reply, httptest.NewRequestWithContext(w.tb.Context(), method, link, strings.NewReader(body)))
	return reply
}

func TestMedia(t *testing.T) {
	w := newWorld(t, oneProject{})
	const content, contentType = "hello doc", "text/plain; charset=utf-8"
	id, upload := w.announce(content, contentType)
	require.Equal(t, "udM-x0UtrRO_eU3p7h4Gjf", id)
	require.True(t, strings.HasPrefix(upload, "http://example.com/api/public/media-content/default/"), upload)
	require.Equal(t, http.StatusNotFound, w.do(http.MethodGet, "/api/public/media/"+id, "").Code, "not yet")

	require.Equal(t, http.StatusBadRequest, w.follow(http.MethodPut, upload, "hello dog").Code)
	require.Equal(t, http.StatusBadRequest, w.follow(http.MethodPut, upload, "hello").Code)
	require.Equal(t, http.StatusOK, w.follow(http.MethodPut, upload, content).Code)
	require.Equal(t, http.StatusOK, w.follow(http.MethodPut, upload, content).Code, "again")
	require.Equal(t, http.StatusNoContent, w.follow(http.MethodPatch, "/api/public/media/"+id, `{"uploadHttpStatus":200}`).Code)
	_, again := w.announce(content, contentType)
	require.Empty(t, again, "it is held")
	stored, _, err := w.bucket.Get(t.Context(), nameOf(content).Key(), objstore.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, content, string(stored))

	reply := w.do(http.MethodGet, "/api/public/media/"+id, "")
	require.Equal(t, http.StatusOK, reply.Code)
	var told struct {
		MediaID, ContentType, URL string
		ContentLength             int
		UploadedAt, URLExpiry     time.Time
	}
	require.NoError(t, json.Unmarshal(reply.Body.Bytes(), &told))
	require.Equal(t, []any{id, contentType, len(content)}, []any{told.MediaID, told.ContentType, told.ContentLength})
	require.True(t, told.UploadedAt.Before(told.URLExpiry))
	got := w.follow(http.MethodGet, told.URL, "")
	require.Equal(t, http.StatusOK, got.Code)
	require.Equal(t, content, got.Body.String())
	require.Equal(t, contentType, got.Header().Get("Content-Type"))
	require.Equal(t, "nosniff", got.Header().Get("X-Content-Type-Options"))
	require.Contains(t, got.Header().Get("Content-Security-Policy"), "sandbox")

	require.Equal(t, http.StatusForbidden, w.follow(http.MethodPut, told.URL, content).Code, "it is for reading")
	require.Equal(t, http.StatusForbidden, w.follow(http.MethodGet, upload, "").Code, "it is for writing")
	for _, id := range []string{"x", "udM-x0UtrRO_eU3p7h4Gjg", "AAAAAAAAAAAAAAAAAAAAAA"} {
		require.Equal(t, http.StatusNotFound, w.do(http.MethodGet, "/api/public/media/"+id, "").Code, id)
	}
}

// A link is good for what it was made for and nothing else.
func TestLinks(t *testing.T) {
	w := newWorld(t, oneProject{})
	_, upload := w.announce("content", "image/png")
	parsed, err := url.Parse(upload)
	require.NoError(t, err)
	other := fmt.Sprintf("%x", sha256.Sum256([]byte("other")))
	own := fmt.Sprintf("%x", sha256.Sum256([]byte("content")))
	_, _ = w.announce("other", "image/png")
	for name, change := range map[string]func(u *url.URL, q url.Values){
		"other content":   func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, own, other, 1) },
		"other project":   func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, "/default/", "/b/", 1) },
		"no project":      func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, "/default/", "/B!/", 1) },
		"other type":      func(_ *url.URL, q url.Values) { q.Set("type", "text/html") },
		"other length":    func(_ *url.URL, q url.Values) { q.Set("length", "8") },
		"later":           func(_ *url.URL, q url.Values) { q.Set("ends", "99999999999") },
		"no signature":    func(_ *url.URL, q url.Values) { q.Del("signature") },
		"short signature": func(_ *url.URL, q url.Values) { q.Set("signature", q.Get("signature")[:32]) },
		"no number":       func(_ *url.URL, q url.Values) { q.Set("length", "x") },
		"nothing":         func(u *url.URL, q url.Values) { clear(q) },
	} {
		u, q := *parsed, parsed.Query()
		change(&u, q)
		u.RawQuery = q.Encode()
		require.Equal(t, http.StatusForbidden, w.follow(http.MethodPut, u.String(), "content").Code, name)
	}
	w.now = func() time.Time { return time.Now().Add(time.Hour + time.Minute) }
	require.Equal(t, http.StatusForbidden, w.follow(http.MethodPut, upload, "content").Code, "too late")
	w.now = func() time.Time { return time.Now().Add(time.Hour - time.Minute) }
	require.Equal(t, http.StatusOK, w.follow(http.MethodPut, upload, "content").Code)
}

func TestAnnouncements(t *testing.T) {
	w := newWorld(t, oneProject{})
	const hash = "udM+x0UtrRO/eU3p7h4Gjfnq1KDEdPCBiv+eabfJCY8="
	for _, body := range []string{
		``, `[]`, `{}`,
		`{"contentType":"text/plain","contentLength":9,"sha256Hash":"udM="}`,
		`{"contentType":"text/plain","contentLength":0,"sha256Hash":"` + hash + `"}`,
		`{"contentType":"text/plain","contentLength":-1,"sha256Hash":"` + hash + `"}`,
		`{"contentType":"text\nplain","contentLength":9,"sha256Hash":"` + hash + `"}`,
		`{"contentType":"","contentLength":9,"sha256Hash":"` + hash + `"}`,
		`{"contentType":"text/` + strings.Repeat("x", 300) + `","contentLength":9,"sha256Hash":"` + hash + `"}`,
	} {
		require.Equal(t, http.StatusBadRequest, w.do(http.MethodPost, "/api/public/media", body).Code, body)
	}
}

// Media that would be gone before the spans that refer to them now are put anew.
func TestMediaAreRenewed(t *testing.T) {
	w := newWorld(t, oneProject{settings: project.Project{Retention: project.Retention(48 * time.Hour)}})
	id, upload := w.announce("x", "image/png")
	require.Equal(t, http.StatusOK, w.follow(http.MethodPut, upload, "x").Code)
	for after, held := range map[time.Duration]bool{23 * time.Hour: true, 25 * time.Hour: false} {
		w.now = func() time.Time { return time.Now().Add(after) }
		_, upload = w.announce("x", "image/png")
		require.Equal(t, held, upload == "", after)
	}
	for after, code := range map[time.Duration]int{47 * time.Hour: http.StatusOK, 49 * time.Hour: http.StatusNotFound} {
		w.now = func() time.Time { return time.Now().Add(after) }
		require.Equal(t, code, w.do(http.MethodGet, "/api/public/media/"+id, "").Code, after)
	}
}

// brokenBucket does not answer.
type brokenBucket struct{ objstore.Bucket }

var errBroken = errors.New("broken")

func (brokenBucket) Put(context.Context, string, io.ReadSeeker, objstore.PutOptions) error {
	return errBroken
}

func (brokenBucket) Stat(context.Context, string) (objstore.Object, error) {
	return objstore.Object{}, errBroken
}

func TestMediaWithoutABucket(t *testing.T) {
	w := newWorld(t, oneProject{})
	_, upload := w.announce("x", "image/png")
	w.handle(brokenBucket{w.bucket}, oneProject{})
	reply := w.follow(http.MethodPut, upload, "x")
	require.Equal(t, http.StatusServiceUnavailable, reply.Code)
	require.NotEmpty(t, reply.Header().Get("Retry-After"))
	large := base64.StdEncoding.EncodeToString(make([]byte, 64<<10))
	reply = w.do(http.MethodPost, "/api/public/ingestion", `{"batch":[{"id":"1","type":"trace-create","body":{"id":"t","input":"data:image/png;base64,`+large+`"}}]}`)
	require.Equal(t, http.StatusServiceUnavailable, reply.Code)
	require.Empty(t, w.spans("t"), "what refers to nothing is not stored")
}

// Large data URIs are moved out, wherever they are, once for all that are equal.
func TestDataURIs(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 4<<10) // 64 KiB
	large := base64.StdEncoding.EncodeToString([]byte(content))
	small := base64.StdEncoding.EncodeToString([]byte(content[1:]))
	reference := "@@@langfuseMedia:type=image/png|id=" + nameOf(content).ID() + "|source=base64_data_uri@@@"
	for _, tt := range []struct{ name, sent, stored string }{
		{"large", `data:image/png;base64,` + large, reference},
		{"within a text", `see data:image/png;base64,` + large + ` and data:image/png;base64,` + large + `.`, `see ` + reference + ` and ` + reference + `.`},
		{"small", `data:image/png;base64,` + small, `data:image/png;base64,` + small},
		{"small before large", `data:image/png;base64,` + small + ` data:image/png;base64,` + large, `data:image/png;base64,` + small + " " + reference},
		{"not base64", `data:image/png;base64,` + large + "A", `data:image/png;base64,` + large + "A"},
		{"no type", `data:;base64,` + large, `data:;base64,` + large},
		{"a type that is none", `data:image png;base64,` + large, `data:image png;base64,` + large},
		{"no scheme", `image/png;base64,` + large, `image/png;base64,` + large},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, oneProject{})
			w.send(`{"id":"1","type":"trace-create","body":{"id":"t","input":"` + tt.sent + `"}}`)
			spans := w.spans("t")
			require.Equal(t, tt.stored, attribute(t, &spans[0], "langfuse.trace.input").Str)
			_, err := w.bucket.Stat(t.Context(), nameOf(content).Key())
			if strings.Contains(tt.stored, reference) {
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, w.do(http.MethodGet, "/api/public/media/"+nameOf(content).ID(), "").Code)
			} else {
				require.ErrorIs(t, err, objstore.ErrNotExist)
			}
		})
	}
}

// The secret of links is put anew in time: rules of the bucket count from when it was
// put, and nothing that was signed is to end with it.
func TestSecretOfLinksIsRenewed(t *testing.T) {
	for _, tc := range []struct {
		name    string
		kept    time.Duration
		later   time.Duration
		renewed bool
	}{
		{"before half of the retention", 48 * time.Hour, 24*time.Hour - time.Minute, false},
		{"after it", 48 * time.Hour, 24*time.Hour + time.Minute, true},
		{"kept for ever", 0, 10000 * time.Hour, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, oneProject{settings: project.Project{Retention: project.Retention(tc.kept)}})
			key := schema.MediaSecret(schema.DefaultProject)
			_, _ = w.announce("first", "text/plain")
			before, put, err := w.bucket.Get(t.Context(), key, objstore.GetOptions{})
			require.NoError(t, err)
			w.now = func() time.Time { return time.Now().Add(tc.later) }
			_, upload := w.announce("second", "text/plain")
			after, again, err := w.bucket.Get(t.Context(), key, objstore.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, before, after)
			require.Equal(t, tc.renewed, put.ETag != again.ETag)
			require.Equal(t, http.StatusOK, w.follow(http.MethodPut, upload, "second").Code)
		})
	}
}

// What is marked to be erased is asked for again, and is held once it was put since.
func TestMediaThatAreToBeErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneProject{})
		_, upload := w.announce("content", "text/plain")
		require.Equal(t, http.StatusOK, w.follow(http.MethodPut, upload, "content").Code)
		_, again := w.announce("content", "text/plain")
		require.Empty(t, again)
		time.Sleep(time.Second)
		require.NoError(t, w.bucket.Put(t.Context(), nameOf("content").EraseKey(), strings.NewReader(""), objstore.PutOptions{}))
		_, again = w.announce("content", "text/plain")
		require.NotEmpty(t, again)
		time.Sleep(time.Second)
		require.Equal(t, http.StatusOK, w.follow(http.MethodPut, again, "content").Code)
		_, again = w.announce("content", "text/plain")
		require.Empty(t, again)
	})
}
