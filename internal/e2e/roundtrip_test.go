package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
)

// shipment is data that goes into a project of its own.
type shipment struct {
	project  string
	requests []request
	want     map[string][]fullSpan // by trace id in hex, each span once
	within   seconds               // holds every span
	forms    []form                // in which traces are read back
}

// TestRoundTrip sends every captured request and the data set, as the clients
// did and in other encodings, and reads every trace back: live, from blocks,
// and after a restart.
func TestRoundTrip(t *testing.T) {
	everywhere(t, testRoundTrip)
}

func testRoundTrip(t *testing.T, start starter, short bool) {
	t.Helper()
	shipments := append(captureShipments(t), datasetShipments(t, short)...)
	s := start(fromBlocks, noCutByAge)
	for _, sh := range shipments {
		for _, r := range sh.requests {
			require.NoError(t, s.export(t.Context(), r), sh.project)
		}
	}
	t.Run("live", func(t *testing.T) { requireShipments(t, s.client, shipments) })
	require.NoError(t, s.flush(t.Context()))
	require.Zero(t, s.blocksOpened(t), "nothing is in blocks yet")
	t.Run("from blocks", func(t *testing.T) { requireShipments(t, s.client, shipments) })
	require.NotZero(t, s.blocksOpened(t), "the answers did not come from blocks")
	s.stop()
	s = start(fromBlocks, noCutByAge)
	t.Run("after a restart", func(t *testing.T) { requireShipments(t, s.client, shipments) })
}

func requireShipments(t *testing.T, c *client, shipments []shipment) {
	t.Helper()
	for _, sh := range shipments {
		requireTraces(t, c, sh)
		requireSearch(t, c, sh, "{ }", sh.want)
		if len(sh.want) <= 10 {
			for id, spans := range sh.want {
				requireSearch(t, c, sh, fmt.Sprintf("{ trace:id = %q }", id), map[string][]fullSpan{id: spans})
			}
		}
	}
	for _, f := range forms() {
		id := slices.Collect(maps.Keys(shipments[0].want))[0]
		data, err := c.trace(t.Context(), "somebody-else", f, id)
		require.NoError(t, err)
		require.Empty(t, data.GetResourceSpans(), "another project sees the trace")
	}
}

func requireTraces(t *testing.T, c *client, sh shipment) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for i, id := range slices.Sorted(maps.Keys(sh.want)) {
		if i%thinning != 0 {
			continue
		}
		want := sh.want[id]
		for _, f := range sh.forms {
			group.Go(func() error {
				data, err := c.trace(ctx, sh.project, f, id)
				if err != nil {
					return err
				}
				got, err := spansByTrace(data)
				if err != nil {
					return err
				}
				if faults := differ(want, got[id]); faults != "" || len(got) != 1 {
					return fmt.Errorf("%s of %s: %d traces; %s", f, id, len(got), faults)
				}
				return nil
			})
		}
	}
	require.NoError(t, group.Wait(), sh.project)
}

// requireSearch expects each of the traces once, with the number of its spans.
func requireSearch(t *testing.T, c *client, sh shipment, query string, traces map[string][]fullSpan) {
	t.Helper()
	found, err := c.search(t.Context(), sh.project, query, sh.within)
	require.NoError(t, err, sh.project)
	want, got := make(map[string]int), make(map[string]int)
	for id, spans := range traces {
		want[id] = len(spans)
	}
	for _, trace := range found {
		require.Len(t, trace.SpanSets, 1)
		got[trace.TraceID] = int(trace.SpanSets[0].Matched)
		require.Len(t, trace.SpanSets[0].Spans, min(got[trace.TraceID], maxSpansPerSet))
	}
	require.Equal(t, want, got, "%s: %s", sh.project, query)
}

func captureShipments(t *testing.T) []shipment {
	t.Helper()
	captures, err := corpus.Captures()
	require.NoError(t, err)
	var shipments []shipment
	reencoded := make(map[corpus.Protocol]bool)
	for _, capture := range captures {
		original := request{
			protocol: capture.Protocol, header: capture.Header,
			encoding: capture.Header["content-encoding"], path: capture.Path, body: capture.Body,
		}
		if capture.Protocol == corpus.GRPC {
			original.encoding = capture.Header["grpc-encoding"]
		}
		plain := capture.Body
		if capture.Protocol != corpus.GRPC {
			plain = decompress(t, original.encoding, capture.Body)
		}
		data := packed(t, decodeOTLP(t, capture.Protocol, plain))
		project := strings.ReplaceAll(capture.Name, "/", ".")
		shipments = append(shipments, newShipment(t, project, []request{original}, forms(), data))
		if reencoded[capture.Protocol] {
			continue
		}
		reencoded[capture.Protocol] = true
		for _, encoding := range []string{"", "identity", "gzip", "zstd"} {
			if encoding == "" && capture.Protocol != corpus.GRPC || encoding == "identity" && capture.Protocol == corpus.GRPC {
				continue
			}
			again := request{protocol: capture.Protocol, encoding: encoding, body: plain}
			if capture.Protocol != corpus.GRPC {
				again.body = compress(t, encoding, plain)
			}
			project := fmt.Sprintf("again-%s-%s", strings.ReplaceAll(string(capture.Protocol), "/", "-"), encoding)
			shipments = append(shipments, newShipment(t, project, []request{again}, forms(), data))
		}
	}
	require.Len(t, reencoded, 3, "a protocol has no capture")
	return shipments
}

// packed is data with the lists put together that came in parts: all that is stored
// otherwise than it was sent.
func packed(t *testing.T, data *tracepb.TracesData) *tracepb.TracesData {
	t.Helper()
	body, err := proto.Marshal(data)
	require.NoError(t, err)
	rows, err := otlp.NewDecoder().Decode(body, 1, nil)
	require.NoError(t, err)
	n := llm.New(price.Shipped())
	for i := range rows {
		n.Apply(&rows[i])
	}
	out := new(tracepb.TracesData)
	require.NoError(t, proto.Unmarshal(otlp.AppendTraces(nil, rows), out))
	return out
}

// datasetShipments sends the data set in all ways and reads it in all forms, or
// only in one.
func datasetShipments(t *testing.T, short bool) []shipment {
	t.Helper()
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	data := make([]*tracepb.TracesData, len(bodies))
	for i, body := range bodies {
		data[i] = decodeOTLP(t, corpus.HTTPProtobuf, body)
	}
	ways := []struct {
		protocol corpus.Protocol
		encoding string
	}{
		{corpus.HTTPProtobuf, ""}, {corpus.HTTPProtobuf, "zstd"}, {corpus.GRPC, "gzip"}, {corpus.GRPC, "zstd"},
	}
	ways = ways[:max(len(ways)/thinning, 1)]
	if short {
		ways = ways[:1]
	}
	var shipments []shipment
	for i, how := range ways {
		read := forms()
		if i > 0 || short {
			read = []form{{"v2", acceptProtobuf}} // the others differ in how they are written only
		}
		var requests []request
		for _, body := range bodies {
			if how.protocol != corpus.GRPC {
				body = compress(t, how.encoding, body)
			}
			requests = append(requests, request{protocol: how.protocol, encoding: how.encoding, body: body})
		}
		project := fmt.Sprintf("dataset-%s-%s", strings.ReplaceAll(string(how.protocol), "/", "-"), how.encoding)
		shipments = append(shipments, newShipment(t, project, requests, read, data...))
	}
	return shipments
}

func newShipment(t *testing.T, project string, requests []request, read []form, data ...*tracepb.TracesData) shipment {
	t.Helper()
	for i := range requests {
		requests[i].project = project
	}
	want, err := spansByTrace(data...)
	require.NoError(t, err)
	for id, spans := range want {
		want[id] = slices.Compact(spans)
	}
	return shipment{project: project, requests: requests, want: want, within: timesOf(t, data), forms: read}
}

// timesOf is the range that holds every span's start and end.
func timesOf(t *testing.T, messages []*tracepb.TracesData) seconds {
	t.Helper()
	var times []uint64
	for _, data := range messages {
		for _, rs := range data.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					times = append(times, s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano())
				}
			}
		}
	}
	require.NotEmpty(t, times)
	return seconds{int64(slices.Min(times)) / int64(time.Second), int64(slices.Max(times))/int64(time.Second) + 1}
}
