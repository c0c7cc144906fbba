package s3_test

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

func TestParseURL(t *testing.T) {
	for _, test := range []struct {
		name, url string
		want      s3.Options
		prefix    string
	}{
		{"bucket", "s3://traces", s3.Options{Bucket: "traces"}, ""},
		{"slash", "s3://traces/", s3.Options{Bucket: "traces"}, ""},
		{"prefix", "s3://traces/a/b c%20", s3.Options{Bucket: "traces"}, "a/b c%20"},
		{"prefix with a slash", "s3://my.traces-1/a/?region=eu-west-1", s3.Options{Bucket: "my.traces-1", Region: "eu-west-1"}, "a"},
		{
			"server", "s3://traces?endpoint=http://127.0.0.1:7070&region=us-east-1&path_style=true&checksum=when_required",
			s3.Options{Bucket: "traces", Endpoint: "http://127.0.0.1:7070", Region: "us-east-1", PathStyle: true, Checksum: s3.ChecksumWhenRequired},
			"",
		},
		{"server is addressed by path", "s3://traces?endpoint=https://s3.example.org/base", s3.Options{Bucket: "traces", Endpoint: "https://s3.example.org/base", PathStyle: true}, ""},
		{"or not", "s3://traces?path_style=false&endpoint=https://s3.example.org", s3.Options{Bucket: "traces", Endpoint: "https://s3.example.org"}, ""},
		{"checksum", "s3://traces?checksum=when_supported", s3.Options{Bucket: "traces", Checksum: s3.ChecksumWhenSupported}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts, prefix, err := s3.ParseURL(test.url)
			require.NoError(t, err)
			require.Equal(t, test.want, opts)
			require.Equal(t, test.prefix, prefix)
		})
	}
}

func TestParseURLErrors(t *testing.T) {
	for _, test := range []struct{ name, url, want string }{
		{"another scheme", "gs://traces", "want s3://bucket/prefix"},
		{"no bucket", "s3://", "the name of the bucket"},
		{"short name", "s3://ab", "want 3 to 63 letters"},
		{"port", "s3://127.0.0.1:7070/traces", "the name of the bucket"},
		{"prefix", "s3://traces/a//b", "the prefix: not an object key"},
		{"hidden prefix", "s3://traces/.hidden", "begins with a dot"},
		{"unknown parameter", "s3://traces?regoin=x", "parameter regoin: is unknown: want endpoint, region, path_style or checksum"},
		{"secret as a parameter", "s3://traces?secret_key=hunter2", "parameter secret_key: is unknown"},
		{"credentials", "s3://AKIA:hunter2@traces", "credentials do not belong into the URL"},
		{"credentials of the endpoint", "s3://traces?endpoint=https://me:hunter2@s3.example.org", "parameter endpoint: credentials do not belong"},
		{"endpoint without scheme", "s3://traces?endpoint=s3.example.org", "parameter endpoint: want a URL such as https://s3.example.org"},
		{"endpoint without host", "s3://traces?endpoint=http://:80", "parameter endpoint: want a URL"},
		{"endpoint with query", "s3://traces?endpoint=http://h%3Fx=hunter2", "parameter endpoint: want no more than"},
		{"empty endpoint", "s3://traces?endpoint=", "parameter endpoint: want a URL"},
		{"empty region", "s3://traces?region=", "parameter region: is empty"},
		{"path style", "s3://traces?path_style=perhaps", "parameter path_style: want true or false"},
		{"checksum", "s3://traces?checksum=never", "parameter checksum: want when_supported or when_required"},
		{"twice", "s3://traces?region=a&region=b", "parameter region is set twice"},
		{"malformed", "s3://traces?region=%zz-hunter2", "the parameters after ? are malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := s3.ParseURL(test.url)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("s3://traces/prefix?endpoint=http://127.0.0.1:7070&region=us-east-1&path_style=true&checksum=when_required")
	f.Add("s3://a@b?%zz&endpoint=://")
	f.Add("s3://abc//?endpoint=http://u:p@h#f&endpoint=x")
	f.Fuzz(func(t *testing.T, text string) {
		opts, prefix, err := s3.ParseURL(text)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, len(opts.Bucket), 3)
		if prefix != "" {
			require.NoError(t, objstore.CheckKey(prefix))
		}
		require.False(t, strings.ContainsAny(opts.Bucket, "@:/?"))
	})
}

// What an operator reads when something is not set up.
func TestErrorsOfSetup(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	url := server.URL(server.Bucket(t))
	t.Run("missing bucket", func(t *testing.T) {
		b := open(t, server.URL("not-there"))
		for _, err := range []error{
			firstError(t, b), b.Put(t.Context(), "k", strings.NewReader(""), objstore.PutOptions{}), b.Delete(t.Context(), "k"),
		} {
			require.ErrorContains(t, err, "bucket not-there does not exist: create it")
			require.NotErrorIs(t, err, objstore.ErrNotExist)
			require.NotErrorIs(t, err, objstore.ErrTransient)
		}
	})
	t.Run("wrong secret", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
		err := firstError(t, open(t, url))
		require.ErrorContains(t, err, "check the credentials: SignatureDoesNotMatch")
		require.NotContains(t, err.Error(), "hunter2")
		require.NotErrorIs(t, err, objstore.ErrTransient)
		_, err = open(t, url).Stat(t.Context(), "k")
		require.ErrorContains(t, err, "stat k: check the credentials and what they permit")
	})
	t.Run("wrong user", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "stranger")
		require.ErrorContains(t, firstError(t, open(t, url)), "No user exists with the provided access key ID")
	})
	t.Run("no credentials", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		err := firstError(t, open(t, url))
		require.ErrorContains(t, err, "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role")
		require.NotErrorIs(t, err, objstore.ErrTransient)
	})
	t.Run("no server", func(t *testing.T) {
		closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, closed.Close())
		err = firstError(t, open(t, "s3://traces?endpoint=http://"+closed.Addr().String()))
		require.ErrorIs(t, err, objstore.ErrTransient, "it may come up")
		require.ErrorContains(t, err, "list s3://traces/: transient error: reach http://"+closed.Addr().String()+": dial tcp")
	})
	t.Run("no such host", func(t *testing.T) {
		err := firstError(t, open(t, "s3://traces?endpoint=http://spanlake.invalid"))
		require.NotErrorIs(t, err, objstore.ErrTransient)
		require.ErrorContains(t, err, "spanlake.invalid")
	})
	t.Run("no region", func(t *testing.T) {
		_, err := s3.Open(t.Context(), s3.Options{Bucket: "traces"})
		require.ErrorContains(t, err, "region is unknown: set the parameter region, or AWS_REGION")
	})
	t.Run("region of the environment", func(t *testing.T) {
		t.Setenv("AWS_REGION", "eu-west-1")
		_, err := s3.Open(t.Context(), s3.Options{Bucket: "traces"})
		require.NoError(t, err)
	})
	t.Run("the server comes back", func(t *testing.T) {
		b := open(t, url)
		put(t, b, "k", "content")
		server.Stop()
		require.ErrorIs(t, firstError(t, b), objstore.ErrTransient)
		server.Restart(t)
		require.Equal(t, "content", get(t, objstore.Retry(b, objstore.RetryOptions{}), "k"))
	})
}
