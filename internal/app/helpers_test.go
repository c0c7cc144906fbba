package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/app"
)

// process is a running App.
type process struct {
	*app.App

	client *http.Client
	stop   func() error // ends it and returns what Run returned
}

// load is a configuration on free ports of loopback.
func load(t *testing.T, args ...string) app.Config {
	t.Helper()
	ports := []string{"-api.addr=127.0.0.1:0", "-otlp.grpc-addr=127.0.0.1:0", "-otlp.http-addr=127.0.0.1:0"}
	cfg, err := app.Load(append(ports, args...), os.LookupEnv)
	require.NoError(t, err)
	cfg.Version = "v0.1.0"
	return cfg
}

// launch runs an App and does not wait for it.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	a, err := app.New(load(t, args...), slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	p := &process{App: a, client: &http.Client{Transport: &http.Transport{}}}
	stopped := false
	p.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		p.client.CloseIdleConnections()
		cancel()
		return <-ended
	}
	t.Cleanup(func() { require.NoError(t, p.stop()) })
	return p
}

// start runs an App and waits until it is ready.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := launch(t, args...)
	require.NoError(t, p.AwaitReady(t.Context()))
	return p
}

// fails runs an App that is expected to end by itself and returns why.
func fails(t *testing.T, args ...string) error {
	t.Helper()
	a, err := app.New(load(t, args...), slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
	require.NoError(t, err)
	return a.Run(t.Context())
}

// eventually calls f until it returns true or the test's time is up.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for !f() {
		select {
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err())
		case <-time.After(time.Millisecond):
		}
	}
}

type answer struct {
	code   int
	header http.Header
	body   []byte
}

func (p *process) do(t *testing.T, method, url string, header http.Header, body []byte) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		req.Header = header
	}
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return answer{resp.StatusCode, resp.Header, content}
}

func (p *process) api(t *testing.T, method, path string) answer {
	t.Helper()
	return p.do(t, method, fmt.Sprintf("http://%s%s", p.APIAddr(), path), nil, nil)
}

// export sends an OTLP/JSON request with one span.
func (p *process) export(t *testing.T, traceID, name string) {
	t.Helper()
	body := oneSpan(traceID, name)
	got := p.do(t, http.MethodPost, fmt.Sprintf("http://%s/v1/traces", p.OTLPHTTPAddr()),
		http.Header{"Content-Type": {"application/json"}}, body)
	require.Equal(t, http.StatusOK, got.code, string(got.body))
}

func oneSpan(traceID, name string) []byte {
	return fmt.Appendf(nil, `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},`+
		`"scopeSpans":[{"spans":[{"traceId":%q,"spanId":"b7ad6b7169203331","name":%q,"kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000"}]}]}]}`,
		traceID, name)
}

// spanNames reads a trace by id, as JSON and as protobuf, and returns the
// names of its spans.
func (p *process) spanNames(t *testing.T, traceID string) []string {
	t.Helper()
	url := fmt.Sprintf("http://%s/api/v2/traces/%s", p.APIAddr(), traceID)
	binary := p.do(t, http.MethodGet, url, http.Header{"Accept": {"application/protobuf"}}, nil)
	require.Equal(t, http.StatusOK, binary.code, string(binary.body))
	_, _, n := protowire.ConsumeTag(binary.body)
	message, _ := protowire.ConsumeBytes(binary.body[n:])
	var data tracepb.TracesData
	require.NoError(t, proto.Unmarshal(message, &data))
	names := namesOf(&data)

	text := p.do(t, http.MethodGet, url, nil, nil)
	require.Equal(t, http.StatusOK, text.code, string(text.body))
	var reply struct {
		Trace struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []struct{ Name string } }
			}
		}
	}
	require.NoError(t, json.Unmarshal(text.body, &reply))
	var fromJSON []string
	for _, rs := range reply.Trace.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				fromJSON = append(fromJSON, s.Name)
			}
		}
	}
	require.Equal(t, names, fromJSON)
	return names
}

func namesOf(data *tracepb.TracesData) []string {
	var names []string
	for _, rs := range data.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				names = append(names, s.GetName())
			}
		}
	}
	return names
}
