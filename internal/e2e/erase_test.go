package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// Users of TestErase. What is about the first one stands in no query.
const (
	erasedUser                 = "user-who-wants-to-be-forgotten"
	otherUser                  = "user-who-stays"
	erasedMedium, sharedMedium = "a picture of " + erasedUser, "a picture that many have"
	erasedWhere                = `{ span.user.id = "` + erasedUser + `" }`
)

// TestErase erases a user by a query while spans of another arrive, on an S3 bucket
// that keeps versions. Two seconds later no querier shows the user; with short
// delays the bucket soon has no byte of it, though the compactor is killed at work.
func TestErase(t *testing.T) {
	w := newEraseWorld(t)
	w.putMedia(erasedMedium)
	w.putMedia(sharedMedium)
	const before = 12
	for range before {
		w.sendOf(erasedUser)
		w.sendOf(otherUser)
	}
	for _, q := range w.queriers {
		require.Contains(t, w.search(q), `"traceID"`)
	}
	sending, stop := make(chan struct{}), make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		close(sending)
		for {
			select {
			case <-stop:
				return nil
			default:
				if err := w.export(otherUser); err != nil {
					return err
				}
			}
		}
	})
	<-sending
	require.Equal(t, "12 traces with 36 spans would be erased. Nothing was changed.\n", w.command("-where", erasedWhere, "-dry-run"))
	var reply app.ErasureReply
	require.NoError(t, json.Unmarshal([]byte(w.command("-where", erasedWhere, "-output=json")), &reply))
	seen := time.NewTimer(2 * time.Second)
	require.Equal(t, before, reply.Traces)
	w.compactor.kill()
	w.compactor = w.launch("compactor")
	<-seen.C
	for _, q := range w.queriers {
		w.hidden(q)
	}
	close(stop)
	require.NoError(t, group.Wait())

	kills := 0
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	eventually(t, func() bool {
		<-ticker.C
		if kills++; kills == 20 {
			w.compactor.kill()
			w.compactor = w.launch("compactor")
		}
		var status struct {
			app.ErasureReply
			Left querier.Left `json:"left"`
		}
		require.NoError(t, json.Unmarshal([]byte(w.command("status", "-output=json", reply.ID)), &status))
		require.Zero(t, status.Left.Spans)
		if status.State != "done" {
			return false
		}
		require.Zero(t, status.Left.Stored)
		require.Equal(t, 3*before, status.Spans)
		require.NotEmpty(t, status.Replaced)
		require.Equal(t, 1, status.Media)
		reply = status.ErasureReply
		return true
	})
	w.compactor.kill() // which would delete what is read
	w.forgotten()
	kept := w.place.gateway.Versions(t, "bucket-1")
	for _, o := range reply.Replaced {
		require.NotContains(t, kept, "some/prefix/"+o.Object)
	}
	require.NotContains(t, kept, "some/prefix/"+mediumOf(erasedMedium).Key())
	_, err := w.bucket.Stat(t.Context(), mediumOf(sharedMedium).Key())
	require.NoError(t, err)
	require.NotZero(t, reply.Versions)
	require.Contains(t, w.command("status"), reply.ID)
	for _, q := range w.queriers {
		w.hidden(q)
		require.Equal(t, 3*w.others, w.count(q, otherUser))
	}
}

// eraseWorld is a NATS server, an ingester, two queriers and a compactor.
type eraseWorld struct {
	t         *testing.T
	random    *rand.Rand
	place     place
	nats      *natsServer
	bucket    objstore.Bucket
	ingester  *client
	queriers  []*client
	compactor *process
	others    int // traces of the other user
}

func newEraseWorld(t *testing.T) *eraseWorld {
	t.Helper()
	where := onS3(t)
	where.gateway.KeepVersions(t, "bucket-1")
	w := &eraseWorld{
		t: t, random: rand.New(rand.NewPCG(3, 4)), place: where, bucket: where.open(t), nats: newNATS(t, t.TempDir(), false),
	}
	w.nats.run()
	w.ingester = newClient(t, w.launch("ingester", "-log.partitions=2", "-log.merge-windows=1s,2s,6s", "-ingester.cut-age=150ms", "-ingester.cut-bytes=2KB", fromBlocks).ready(t))
	for range 2 {
		w.queriers = append(w.queriers, newClient(t, w.launch("querier", "-querier.cache-bytes=64MB").ready(t)))
	}
	w.compactor = w.launch("compactor")
	return w
}

func (w *eraseWorld) launch(target string, args ...string) *process {
	args = append(append(loopback(),
		"-target="+target, "-bucket="+w.place.url, "-nats.url="+w.nats.url, "-nats.monitor-urls="+w.nats.monitor,
		"-compactor.interval=100ms", "-compactor.min-inputs=2", "-compactor.grace=1s", "-compactor.delete-after=3s"), args...)
	return runProcess(w.t, w.place.env, buildProgram(w.t), args...)
}

// export sends a trace of a user: the id stands on the root, prompts on its
// children.
func (w *eraseWorld) export(user string) error {
	text := func(key, value string) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
	}
	id := randomID(w.random, 16)
	root := randomSpan(w.random, id, time.Now())
	root.Attributes = append(root.Attributes, text("user.id", user), text("input.value", referenceTo(sharedMedium)))
	if user == erasedUser {
		root.Attributes = append(root.Attributes, text("output.value", referenceTo(erasedMedium)))
	}
	data := exportOf(root)
	for range 2 {
		child := randomSpan(w.random, id, time.Now())
		child.ParentSpanId = root.GetSpanId()
		child.Attributes = append(child.Attributes, text("gen_ai.prompt", "I am "+user))
		data.ResourceSpans = append(data.ResourceSpans, exportOf(child).GetResourceSpans()...)
	}
	r, err := randomRequest(w.random, "shop", data)
	if err == nil {
		err = w.ingester.export(w.t.Context(), r)
	}
	if user == otherUser {
		w.others++
	}
	return err
}

func mediumOf(content string) schema.MediaName {
	return schema.MediaName{Project: "shop", SHA256: sha256.Sum256([]byte(content))}
}

func referenceTo(content string) string {
	return "@@@langfuseMedia:type=image/png|id=" + mediumOf(content).ID() + "|source=bytes@@@"
}

// putMedia stores a medium as the receiver does.
func (w *eraseWorld) putMedia(content string) {
	w.t.Helper()
	for key, data := range map[string]string{mediumOf(content).TypeKey(): "image/png", mediumOf(content).Key(): content} {
		require.NoError(w.t, w.bucket.Put(w.t.Context(), key, strings.NewReader(data), objstore.PutOptions{}))
	}
}

func (w *eraseWorld) sendOf(user string) {
	w.t.Helper()
	require.NoError(w.t, w.export(user))
}

// command runs "spanlake erase" against the first querier.
func (w *eraseWorld) command(args ...string) string {
	w.t.Helper()
	args = append([]string{"erase"}, args...)
	p := runProcess(w.t, nil, buildProgram(w.t), append(args, "-project=shop", "-url=http://"+w.queriers[0].api)...)
	<-p.exited
	require.Zero(w.t, p.cmd.ProcessState.ExitCode(), p.stderr)
	return p.stdout.String()
}

func (w *eraseWorld) get(q *client, path string, params url.Values) string {
	w.t.Helper()
	params.Set("start", strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10))
	params.Set("end", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
	got, err := q.get(w.t.Context(), "shop", path+"?"+params.Encode())
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, got.status, string(got.body))
	return string(got.body)
}

func (w *eraseWorld) search(q *client) string {
	w.t.Helper()
	return w.get(q, "/api/search", url.Values{"q": {erasedWhere}})
}

// hidden looks for the user in all ways.
func (w *eraseWorld) hidden(q *client) {
	w.t.Helper()
	require.NotContains(w.t, w.search(q), "traceID")
	require.NotContains(w.t, w.get(q, "/api/v2/search/tag/span.user.id/values", url.Values{}), erasedUser)
	require.NotContains(w.t, w.get(q, "/api/metrics/query", url.Values{"q": {"{} | rate() by (span.user.id)"}}), erasedUser)
	require.Zero(w.t, w.count(q, erasedUser))
}

// count is how many spans there are in traces of a user.
func (w *eraseWorld) count(q *client, user string) int {
	w.t.Helper()
	body := w.get(q, "/api/metrics/query", url.Values{"q": {`{ .user.id = "` + user + `" || .gen_ai.prompt = "I am ` + user + `" } | count_over_time()`}})
	var reply seriesReply
	require.NoError(w.t, json.Unmarshal([]byte(body), &reply))
	if len(reply.Series) == 0 {
		return 0
	}
	return int(reply.Series[0].Value)
}

// forgotten reads every object, and of blocks every row.
func (w *eraseWorld) forgotten() {
	w.t.Helper()
	objects := 0
	for object, err := range w.bucket.List(w.t.Context(), objstore.ListOptions{}) {
		require.NoError(w.t, err)
		objects++
		data, _, err := w.bucket.Get(w.t.Context(), object.Key, objstore.GetOptions{})
		require.NoError(w.t, err)
		require.False(w.t, bytes.Contains(data, []byte(erasedUser)), object.Key)
		if !strings.HasPrefix(object.Key, schema.BlocksPrefix) {
			continue
		}
		r, err := block.Open(w.t.Context(), w.bucket, object.Key)
		require.NoError(w.t, err)
		for rows, err := range r.Scan(w.t.Context(), &vec.Filter{Op: vec.OpTrue}, vec.AllColumns()) {
			require.NoError(w.t, err)
			for i := range rows {
				require.False(w.t, bytes.Contains(rows[i].Attributes, []byte(erasedUser)), object.Key)
			}
		}
	}
	require.NotZero(w.t, objects)
}
