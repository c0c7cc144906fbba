package e2e_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/project"
)

// functionWorld is the ingest function with its log and bucket, and what it has
// acknowledged.
type functionWorld struct {
	*lambda

	place  place
	nats   *natsServer
	relay  *relay
	key    string
	random *rand.Rand
	sent   map[string]int // spans of acknowledged traces, by hex id
}

func newFunctionWorld(t *testing.T) *functionWorld {
	t.Helper()
	w := &functionWorld{place: onS3(t), random: rand.New(rand.NewPCG(1, 2)), sent: make(map[string]int)}
	registry := project.NewRegistry(w.place.open(t))
	require.NoError(t, registry.Create(t.Context(), "shop", project.Settings{}))
	_, secret, err := registry.AddKey(t.Context(), "shop", "exporter", []project.Scope{project.ScopeIngest})
	require.NoError(t, err)
	w.key = secret
	w.nats = newNATS(t, t.TempDir(), false)
	w.relay = newRelay(t, strings.TrimPrefix(w.nats.url, "nats://"))
	w.lambda = startLambda(t, "ingest", lambdaTimeout, append(w.place.env,
		"SPANLAKE_BUCKET="+w.place.url, "SPANLAKE_NATS_URL=nats://"+w.relay.addr(), "SPANLAKE_NATS_MONITOR_URLS="+w.nats.monitor,
		"SPANLAKE_AUTH_MODE=keys", "SPANLAKE_INGESTER_PUBLISH_TIMEOUT=6s", "SPANLAKE_LOGGING_FORMAT=json")...)
	return w
}

// trace makes a trace of a few spans.
func (w *functionWorld) trace() (id string, data *tracepb.TracesData) {
	raw := randomID(w.random, 16)
	var spans []*tracepb.Span
	for range 1 + w.random.IntN(5) {
		spans = append(spans, randomSpan(w.random, raw, time.Now()))
	}
	return hex.EncodeToString(raw), exportOf(spans...)
}

// export sends a new trace in one of the forms and requires that it is
// acknowledged.
func (w *functionWorld) export(encoding string) {
	w.t.Helper()
	id, data := w.trace()
	body, err := proto.Marshal(data)
	require.NoError(w.t, err)
	header := []string{"content-type", "application/x-protobuf", "authorization", "Bearer " + w.key}
	switch encoding {
	case "zstd":
		encoder, err := zstd.NewWriter(nil)
		require.NoError(w.t, err)
		body = encoder.EncodeAll(body, nil)
		require.NoError(w.t, encoder.Close())
	default:
		body = compress(w.t, encoding, body)
	}
	if encoding != "" {
		header = append(header, "content-encoding", encoding)
	}
	got := w.post(exportPath, body, header...)
	require.Equal(w.t, http.StatusOK, got.StatusCode, "%s\n%s", got.Body, w.process.stderr)
	require.Equal(w.t, "application/x-protobuf", got.Headers["Content-Type"])
	require.Empty(w.t, got.Body)
	w.sent[id] = len(data.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans())
}

// TestIngestFunction drives the real binary through the runtime API, and finds what
// it acknowledged with the service on the same log and bucket.
func TestIngestFunction(t *testing.T) {
	w := newFunctionWorld(t)
	w.answersWithoutLog()
	w.nats.run()
	w.answers()
	w.survives()
	w.requireStored()
}

// answersWithoutLog: it starts although nothing is there, and says when to come back.
func (w *functionWorld) answersWithoutLog() {
	got := w.post(exportPath, nil, "content-type", "application/x-protobuf", "authorization", "Bearer "+w.key)
	require.Equal(w.t, http.StatusServiceUnavailable, got.StatusCode, got.Body)
	require.Equal(w.t, "1", got.Headers["Retry-After"])
	require.Contains(w.t, got.Body, "log is unavailable")
}

func (w *functionWorld) answers() {
	for _, encoding := range []string{"", "identity", "gzip", "zstd"} {
		w.export(encoding)
	}
	id := randomID(w.random, 16)
	text := fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%x","spanId":"%x","name":"ok","startTimeUnixNano":"%[3]d","endTimeUnixNano":"%[3]d"},`+
		`{"traceId":"","spanId":"%[2]x","name":"no id","startTimeUnixNano":"%[3]d","endTimeUnixNano":"%[3]d"}]}]}]}`, id, randomID(w.random, 8), time.Now().UnixNano())
	got := w.post("/v1/traces", []byte(text), "content-type", "application/json", "x-api-key", w.key)
	require.Equal(w.t, http.StatusOK, got.StatusCode, got.Body)
	require.Contains(w.t, got.Body, `"rejectedSpans":"1"`)
	w.sent[hex.EncodeToString(id)] = 1

	_, data := w.trace()
	body, err := proto.Marshal(data)
	require.NoError(w.t, err)
	protobuf := []string{"content-type", "application/x-protobuf"}
	withKey := append(protobuf, "authorization", "Bearer "+w.key)
	large := bytes.Repeat([]byte{15 << 3, 0}, 2<<20+1) // fields that OTLP does not have
	for _, sent := range []struct {
		name, path string
		body       []byte
		header     []string
		status     int
		text       string
	}{
		{"no key", exportPath, body, protobuf, http.StatusUnauthorized, "a key is needed"},
		{"wrong key", exportPath, body, append(protobuf, "authorization", "Bearer "+w.key+"x"), http.StatusUnauthorized, "unknown or revoked key"},
		{"other project", exportPath, body, append(withKey, "x-scope-orgid", "other"), http.StatusForbidden, "another project"},
		{"unknown path", "/v1/spans", body, withKey, http.StatusNotFound, "send OTLP traces to /v1/traces"},
		{"not what it says", exportPath, body, append(withKey, "content-encoding", "gzip"), http.StatusBadRequest, "gzip"},
		{"not OTLP", exportPath, []byte("hello"), withKey, http.StatusBadRequest, ""},
		{"larger than an event holds", exportPath, large, withKey, http.StatusRequestEntityTooLarge, "at most 4194304"},
		{"the largest that fits", exportPath, large[2:], withKey, http.StatusOK, ""},
	} {
		got := w.post(sent.path, sent.body, sent.header...)
		require.Equal(w.t, sent.status, got.StatusCode, "%s: %s", sent.name, got.Body)
		require.Contains(w.t, got.Body, sent.text, sent.name)
	}
	for _, other := range []string{`{}`, `{"task":"compact"}`, `[]`} {
		require.Contains(w.t, string(w.invoke([]byte(other))), "not an HTTP event in payload format 2.0")
	}
	w.export("gzip") // it goes on after all that
}

// survives freezes the process and takes its connection away meanwhile, in every
// way in which that happens.
func (w *functionWorld) survives() {
	for range 2 {
		for _, away := range []func(){w.nats.terminate, w.nats.kill} {
			w.freeze()
			away()
			w.nats.run()
			w.thaw()
			w.export("gzip")
		}
		// Nobody tells either end.
		w.freeze()
		w.relay.forget()
		w.thaw()
		w.export("gzip")
	}
	// The server is away when the request comes, and back while it waits.
	w.nats.kill()
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() {
		<-time.After(300 * time.Millisecond)
		w.nats.run()
	})
	w.export("gzip")
}

// requireStored has the service store what is in the log, and looks for all of it.
func (w *functionWorld) requireStored() {
	start := func(target string) *client {
		p := runProcess(w.t, w.place.env, buildProgram(w.t), append(loopback(),
			"-target="+target, "-bucket="+w.place.url, "-nats.url="+w.nats.url, "-nats.monitor-urls="+w.nats.monitor)...)
		c := newClient(w.t, p.ready(w.t))
		eventually(w.t, func() bool {
			got, err := c.get(w.t.Context(), "", "/ready")
			return err == nil && got.status == http.StatusOK
		})
		return c
	}
	querier := start("querier")
	w.requireTraces(querier) // in the log
	ingester := start("ingester")
	require.NoError(w.t, ingester.flush(w.t.Context()))
	w.requireTraces(querier) // in blocks
}

func (w *functionWorld) requireTraces(c *client) {
	for id, want := range w.sent {
		data, err := c.trace(w.t.Context(), "shop", forms()[3], id)
		require.NoError(w.t, err)
		have := 0
		for _, resource := range data.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				have += len(scope.GetSpans())
			}
		}
		require.Equal(w.t, want, have, "spans of trace %s", id)
	}
}

// TestFunctionRefusesSettings: whoever set something wrong is told all of it.
func TestFunctionRefusesSettings(t *testing.T) {
	for _, test := range []struct {
		name string
		env  []string
		want []string
	}{
		{"nothing is set", nil, []string{"SPANLAKE_BUCKET", "SPANLAKE_NATS_URL must be set", "SPANLAKE_AUTH_MODE is none"}},
		{
			"an unknown one, and a bad one",
			[]string{"SPANLAKE_NATS_ULR=x", "SPANLAKE_LOG_REPLICAS=secret"},
			[]string{"unknown variable SPANLAKE_NATS_ULR", "SPANLAKE_LOG_REPLICAS is not valid, see -log.replicas"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := runProcess(t, test.env, buildFunction(t, "ingest"))
			<-p.exited
			require.Equal(t, 1, p.cmd.ProcessState.ExitCode())
			for _, part := range test.want {
				require.Contains(t, p.stderr.String(), part)
			}
			require.NotContains(t, p.stderr.String(), "secret")
		})
	}
}
