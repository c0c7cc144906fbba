// Package s3test runs a real S3 server, versitygw, for tests.
package s3test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// AccessKey is the name of a Server's only user.
	AccessKey = "test"
	// SecretKey is what requests of that user are signed with.
	SecretKey = "testtest"
	// Region is what requests are signed for.
	Region = "us-east-1"
)

// addresses is how many are tried: somebody else may take a free one first.
const addresses = 5

// Server is a running S3 server with its own folder. Use Start.
type Server struct {
	// Endpoint is its URL, such as http://127.0.0.1:7070.
	Endpoint string

	binary, dir, addr string
	buckets           atomic.Int64

	mu      sync.Mutex
	process *process // nil while it is stopped
}

// Start builds the server unless this user has done so before, starts it on a
// free port and waits until it answers. The test fails if any of that does.
// When the test ends the server does, and its folder is removed, which must be
// on a filesystem with extended attributes.
func Start(t testing.TB) *Server {
	t.Helper()
	binary, err := build(t.Context())
	require.NoError(t, err)
	s := &Server{binary: binary, dir: t.TempDir()}
	t.Cleanup(s.Stop)
	for range addresses {
		s.addr = freeAddr(t)
		s.Endpoint = "http://" + s.addr
		if err = s.run(t.Context()); err == nil {
			return s
		}
	}
	require.NoError(t, err)
	return nil
}

// freeAddr is an address that nobody listens on at the moment.
func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}

// Stop kills the server. Its buckets stay for Restart.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Restart starts the server anew, at the same address and with the same
// buckets, and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	require.NoError(t, s.run(t.Context()))
}

// run returns when the server answers, or does not run.
func (s *Server) run(ctx context.Context) error {
	buckets := filepath.Join(s.dir, "buckets")
	versions := filepath.Join(s.dir, "versions")
	if err := errors.Join(os.MkdirAll(buckets, 0o750), os.MkdirAll(versions, 0o750)); err != nil {
		return err
	}
	// A path that no other server answers, should one have the address.
	health := "/" + rand.Text()
	p, err := start(s.binary, "--quiet", "--health", health, "--port", s.addr,
		"--access", AccessKey, "--secret", SecretKey, "--region", Region, "posix", "--versioning-dir", versions, buckets)
	if err != nil {
		return err
	}
	if err := awaitAnswer(ctx, p, s.Endpoint+health); err != nil {
		p.kill()
		return fmt.Errorf("start the S3 server: %w, it said: %s", err, p.output)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	return nil
}

// awaitAnswer returns when the program answers, or has ended.
func awaitAnswer(ctx context.Context, p *process, url string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close() // only the status matters
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// URL is the address of a bucket as -bucket takes it. The place is the name of
// a bucket, or name/prefix; further parameters are added as they are.
func (s *Server) URL(place string, parameters ...string) string {
	all := append([]string{"endpoint=" + url.QueryEscape(s.Endpoint), "region=" + Region, "path_style=true"}, parameters...)
	return "s3://" + place + "?" + strings.Join(all, "&")
}

// Env are the environment variables, as NAME=value, by which the AWS SDK finds
// the credentials of the server and nothing of the machine's own: for the
// processes that a test starts.
func Env() []string {
	var env []string
	for name, value := range variables() {
		env = append(env, name+"="+value)
	}
	return env
}

// Setenv sets the variables of Env in this process until the test ends.
func Setenv(t *testing.T) {
	t.Helper()
	for name, value := range variables() {
		t.Setenv(name, value)
	}
}

func variables() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID":           AccessKey,
		"AWS_SECRET_ACCESS_KEY":       SecretKey,
		"AWS_SESSION_TOKEN":           "",
		"AWS_PROFILE":                 "",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_REGION":                  "",
		"AWS_DEFAULT_REGION":          "",
		"AWS_ENDPOINT_URL":            "",
		"AWS_ENDPOINT_URL_S3":         "",
	}
}
