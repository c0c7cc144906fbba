package e2e_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// cloud is a NATS server and a bucket, and functions that are invoked. What these
// ask of the bucket is recorded, by function.
type cloud struct {
	t         *testing.T
	random    *rand.Rand
	place     place
	name      string // of the bucket
	bucket    objstore.Bucket
	nats      *natsServer
	recorders map[string]*s3test.Recorder
	start     time.Time // of the spans
	sent      int       // spans that were acknowledged
}

// bucketPrefix is where the data lies in the bucket.
const bucketPrefix = "some/prefix"

func newCloud(t *testing.T) *cloud {
	t.Helper()
	gateway := s3test.Start(t)
	w := &cloud{
		t: t, random: rand.New(rand.NewPCG(1, 2)), name: gateway.Bucket(t), nats: newNATS(t, t.TempDir(), false),
		recorders: make(map[string]*s3test.Recorder), start: time.Unix(1_700_000_000, 0),
	}
	w.place = place{url: gateway.URL(w.name + "/" + bucketPrefix), env: s3test.Env(), gateway: gateway}
	w.bucket = w.place.open(t)
	w.nats.run()
	t.Cleanup(w.requireWithinRoles)
	return w
}

// recorder stands before the bucket for a function.
func (w *cloud) recorder(function string) *s3test.Recorder {
	w.t.Helper()
	if w.recorders[function] == nil {
		w.recorders[function] = s3test.Record(w.t, w.place.gateway.Endpoint)
	}
	return w.recorders[function]
}

// function starts a function's process, with variables that may replace others.
func (w *cloud) function(name string, env ...string) *lambda {
	w.t.Helper()
	all := append(s3test.Env(), "SPANLAKE_BUCKET="+w.recorder(name).URL(w.name+"/"+bucketPrefix), "SPANLAKE_NATS_URL="+w.nats.url,
		"SPANLAKE_NATS_MONITOR_URLS="+w.nats.monitor, "SPANLAKE_LOGGING_FORMAT=json")
	timeout := taskTimeout
	if name == "ingest" || name == "query" {
		timeout = lambdaTimeout
		all = append(all, "SPANLAKE_AUTH_MODE=none", "SPANLAKE_AUTH_INSECURE=true")
	}
	if name == "compact" { // as the roles of terraform/ expect it
		all = append(all, "SPANLAKE_COMPACTOR_LIFECYCLE=terraform")
	}
	return startLambda(w.t, name, timeout, append(all, env...)...)
}

// service starts a target of the service.
func (w *cloud) service(target string, args ...string) *client {
	w.t.Helper()
	return w.ready(w.launch(target, args...))
}

func (w *cloud) launch(target string, args ...string) *process {
	w.t.Helper()
	return runProcess(w.t, w.place.env, buildProgram(w.t), append(append(loopback(), "-target="+target, "-bucket="+w.place.url,
		"-nats.url="+w.nats.url, "-nats.monitor-urls="+w.nats.monitor, fromBlocks), args...)...)
}

// ready waits until a process is.
func (w *cloud) ready(p *process) *client {
	w.t.Helper()
	c := newClient(w.t, p.ready(w.t))
	eventually(w.t, func() bool {
		got, err := c.get(w.t.Context(), "", "/ready")
		return err == nil && got.status == http.StatusOK
	})
	return c
}

// send has the ingest function acknowledge so many traces, which come twice now and
// then.
func (w *cloud) send(ingest *lambda, traces int) {
	w.t.Helper()
	data := new(tracepb.TracesData)
	for range traces {
		id := randomID(w.random, 16)
		for range 1 + w.random.IntN(6) {
			data.ResourceSpans = append(data.ResourceSpans, exportOf(randomSpan(w.random, id, w.start)).GetResourceSpans()...)
		}
	}
	w.export(ingest, compress(w.t, "gzip", marshal(w.t, data)))
	if w.random.IntN(4) == 0 {
		w.export(ingest, compress(w.t, "gzip", marshal(w.t, data)))
	}
	w.sent += len(data.GetResourceSpans())
}

func (w *cloud) export(ingest *lambda, body []byte) {
	w.t.Helper()
	got := ingest.post(exportPath, body, "content-type", "application/x-protobuf", "content-encoding", "gzip", "x-scope-orgid", "shop")
	require.Equal(w.t, http.StatusOK, got.StatusCode, "%s\n%s", got.Body, ingest.process.stderr)
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	require.NoError(t, err)
	return body
}

// task is what flush and compact answer, as far as the tests look at it.
type task struct {
	Task       string
	Partitions int
	Blocks     int
	Spans      int
	Bytes      int64
	Merges     int
	Covered    int
	Unfinished bool

	ErrorMessage string `json:"errorMessage"`
	ErrorType    string `json:"errorType"`
}

// run invokes a function as its schedule does, which must succeed.
func (w *cloud) run(l *lambda, name string) task {
	w.t.Helper()
	r := w.decode(l.invoke(scheduled(name)))
	require.Empty(w.t, r.ErrorMessage, "%s", l.process.stderr)
	require.Equal(w.t, name, r.Task)
	return r
}

func scheduled(name string) []byte { return []byte(`{"task":"` + name + `"}`) }

func (w *cloud) decode(body []byte) (r task) {
	w.t.Helper()
	require.NoError(w.t, json.Unmarshal(body, &r), string(body))
	return r
}

// requireSpent: a flush finds nothing in the log.
func (w *cloud) requireSpent(flush *lambda) {
	w.t.Helper()
	require.Zero(w.t, w.run(flush, "flush").Spans)
}

// requireCalls fails unless all calls are among those that a function may make, each
// as an action and the beginning of the key, without the bucket's prefix.
func requireCalls(t *testing.T, calls []s3test.Call, may ...string) {
	t.Helper()
	allowed := make(map[string]bool)
	for _, m := range may {
		allowed[m] = true
	}
	for _, c := range calls {
		key := strings.TrimPrefix(c.Key, bucketPrefix+"/")
		folder, _, _ := strings.Cut(key, "/")
		require.True(t, allowed[c.Action()+" "+folder], "%s of %s", c.Action(), c.Key)
	}
}
