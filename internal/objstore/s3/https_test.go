package s3_test

import (
	"bytes"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// Over https the SDK sends bodies in another form: in chunks, unsigned, and
// their checksum after them.
func TestHTTPS(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	p, name := newProxy(t, server, (*httptest.Server).StartTLS), server.Bucket(t)
	url := "s3://" + name + "?endpoint=" + p.url + "&region=" + s3test.Region

	err := firstError(t, open(t, url))
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	require.NotErrorIs(t, err, objstore.ErrTransient)

	bundle := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw}), 0o600))
	t.Setenv("AWS_CA_BUNDLE", bundle)
	for _, mode := range []s3.Checksum{s3.ChecksumWhenSupported, s3.ChecksumWhenRequired} {
		b := open(t, url, small, func(o *s3.Options) { o.Checksum = mode })
		for _, size := range []int{0, 1, 70_000, 6 << 20} {
			data := content(size)
			require.NoError(t, b.Put(t.Context(), "k", bytes.NewReader(data), objstore.PutOptions{}))
			require.True(t, bytes.Equal(data, []byte(get(t, b, "k"))), "%d bytes %s", size, mode)
		}
		broken := &brokenAfter{bytes.NewReader(content(1 << 20)), 100_000, func() error { return errBody }}
		require.ErrorIs(t, b.Put(t.Context(), "broken", broken, objstore.PutOptions{}), errBody)
		require.Equal(t, []string{"k"}, keys(t, b, objstore.ListOptions{}))
		interruptedUpload(t, p, b)
	}
}

// interruptedUpload has the connection break in the middle of a body: what has
// arrived is not taken for an object.
func interruptedUpload(t *testing.T, p *proxy, b *s3.Bucket) {
	t.Helper()
	p.inject(fault{"PUT", func(p *proxy, w http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 100_000), iotest.ErrReader(errBody)))
		p.forward.ServeHTTP(w, r)
	}})
	require.ErrorIs(t, b.Put(t.Context(), "broken", bytes.NewReader(content(1<<20)), objstore.PutOptions{}), objstore.ErrTransient)
	require.Equal(t, []string{"k"}, keys(t, b, objstore.ListOptions{}))
}
