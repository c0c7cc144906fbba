package ingester_test

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/project"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// anyProject sets nothing for any project.
type anyProject struct{}

func (anyProject) Project(id schema.ProjectID) (project.Project, error) {
	return project.Project{ID: id}, nil
}

// oneProject sets the same for all projects, or fails.
type oneProject struct {
	settings project.Project
	err      error
}

func (p oneProject) Project(id schema.ProjectID) (project.Project, error) {
	p.settings.ID = id
	return p.settings, p.err
}

func (w *world) receiverFor(p ingester.Projects) *ingester.Receiver {
	w.t.Helper()
	r := ingester.NewReceiver(w.cfg, w.theLog(), w.bucket, p, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	w.start(r)
	return r
}

// spanUntil is a request with one span that ends at a time.
func spanUntil(t *testing.T, end time.Time, attributes ...*commonpb.KeyValue) []byte {
	t.Helper()
	span := &tracepb.Span{
		TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), Name: "late", Attributes: attributes,
		StartTimeUnixNano: uint64(end.Add(-time.Second).UnixNano()), EndTimeUnixNano: uint64(end.UnixNano()),
	}
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span}}}}}})
	require.NoError(t, err)
	return body
}

// TestExpiredOnArrival: what is past the retention is refused with that reason,
// and only that.
func TestExpiredOnArrival(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	s := w.serve(w.receiverFor(oneProject{settings: project.Project{Retention: project.Retention(time.Hour)}}))
	for _, test := range []struct {
		name     string
		end      time.Time
		rejected int64
	}{
		{"now", time.Now(), 0},
		{"a minute before it expires", time.Now().Add(-59 * time.Minute), 0},
		{"a second after", time.Now().Add(-time.Hour - time.Second), 1},
		{"ahead", time.Now().Add(time.Hour), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, body := post(t, s.URL+"/v1/traces", spanUntil(t, test.end), "Content-Type", "application/x-protobuf", "X-Scope-OrgID", "shop")
			require.Equal(t, http.StatusOK, got.StatusCode)
			var reply collectorpb.ExportTraceServiceResponse
			require.NoError(t, proto.Unmarshal(body, &reply))
			require.Equal(t, test.rejected, reply.GetPartialSuccess().GetRejectedSpans())
			if test.rejected > 0 {
				require.Contains(t, reply.GetPartialSuccess().GetErrorMessage(), "project shop keeps spans for 1h only")
			}
		})
	}
}

func TestAttributeLimit(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	attribute := &commonpb.KeyValue{Key: "k", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "value"}}}
	for _, test := range []struct {
		limit    int
		rejected int
	}{{proto.Size(attribute), 0}, {proto.Size(attribute) - 1, 1}} {
		r := w.receiverFor(oneProject{settings: project.Project{Limits: project.Limits{AttributeBytes: int64(test.limit)}}})
		result, err := r.Receive(t.Context(), "shop", spanUntil(t, time.Now(), attribute))
		require.NoError(t, err)
		require.Equal(t, test.rejected, result.Rejected)
		if test.rejected > 0 {
			require.Contains(t, result.Reason, "attribute_bytes")
			require.Contains(t, result.Reason, "spanlake project set-limit shop attribute_bytes")
		}
	}
}

// sent is what a client is answered, over either protocol.
type sent struct {
	rejected   int64
	message    string // of a rejection or refusal
	refused    bool
	retryAfter bool
}

// senders send a request for a project over HTTP and over gRPC.
func (w *world) senders(r *ingester.Receiver) map[string]func(body []byte) sent {
	w.t.Helper()
	s := w.serve(r)
	client := collectorpb.NewTraceServiceClient(w.dial(r))
	return map[string]func(body []byte) sent{
		"http": func(body []byte) sent {
			got, answer := post(w.t, s.URL+"/v1/traces", body, "Content-Type", "application/x-protobuf", "X-Scope-OrgID", "shop")
			if got.StatusCode != http.StatusOK {
				require.Equal(w.t, http.StatusTooManyRequests, got.StatusCode)
				return sent{message: string(answer), refused: true, retryAfter: got.Header.Get("Retry-After") != ""}
			}
			var reply collectorpb.ExportTraceServiceResponse
			require.NoError(w.t, proto.Unmarshal(answer, &reply))
			return sent{rejected: reply.GetPartialSuccess().GetRejectedSpans(), message: reply.GetPartialSuccess().GetErrorMessage()}
		},
		"grpc": func(body []byte) sent {
			ctx := metadata.AppendToOutgoingContext(w.t.Context(), ingester.HeaderProject, "shop")
			reply, err := client.Export(ctx, traceRequest(w.t, body))
			if err != nil {
				state := status.Convert(err)
				require.Equal(w.t, codes.ResourceExhausted, state.Code())
				return sent{message: state.Message(), refused: true, retryAfter: len(state.Details()) > 0}
			}
			return sent{rejected: reply.GetPartialSuccess().GetRejectedSpans(), message: reply.GetPartialSuccess().GetErrorMessage()}
		},
	}
}

// TestAttributeLimitAround: attributes of resources and scopes are limited as
// those of spans are.
func TestAttributeLimitAround(t *testing.T) {
	attribute := &commonpb.KeyValue{Key: "k", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "value"}}}
	around := func(resource, scope []*commonpb.KeyValue) []byte {
		var data tracepb.TracesData
		require.NoError(t, proto.Unmarshal(spanUntil(t, time.Now()), &data))
		data.ResourceSpans[0].Resource = &resourcepb.Resource{Attributes: resource}
		data.ResourceSpans[0].ScopeSpans[0].Scope = &commonpb.InstrumentationScope{Attributes: scope}
		body, err := proto.Marshal(&data)
		require.NoError(t, err)
		return body
	}
	attributes := []*commonpb.KeyValue{attribute}
	for _, below := range []bool{false, true} {
		limit := proto.Size(attribute)
		if below {
			limit--
		}
		w := newWorld(t, logmem.Options{})
		r := w.receiverFor(oneProject{settings: project.Project{Limits: project.Limits{AttributeBytes: int64(limit)}}})
		for protocol, send := range w.senders(r) {
			for place, body := range map[string][]byte{"resource": around(attributes, nil), "scope": around(nil, attributes)} {
				got := send(body)
				if !below {
					require.Equal(t, sent{}, got, "%s %s", protocol, place)
					continue
				}
				require.EqualValues(t, 1, got.rejected, "%s %s", protocol, place)
				require.Contains(t, got.message, place+` attribute "k" has`)
				require.Contains(t, got.message, "attribute_bytes")
				require.Contains(t, got.message, "spanlake project set-limit shop attribute_bytes")
			}
		}
	}
}

// TestLiveTraceLimit: who has as many traces as there may be is asked to come back
// with more, and may go on with those.
func TestLiveTraceLimit(t *testing.T) {
	trace := func(n ...byte) []byte {
		var body []byte
		for _, id := range n {
			var data tracepb.TracesData
			require.NoError(t, proto.Unmarshal(spanUntil(t, time.Now()), &data))
			data.ResourceSpans[0].ScopeSpans[0].Spans[0].TraceId[0] = id
			more, err := proto.Marshal(&data)
			require.NoError(t, err)
			body = append(body, more...)
		}
		return body
	}
	for _, protocol := range []string{"http", "grpc"} {
		w := newWorld(t, logmem.Options{})
		send := w.senders(w.receiverFor(oneProject{settings: project.Project{Limits: project.Limits{LiveTraces: 2}}}))[protocol]
		for _, body := range [][]byte{trace(1), trace(1), trace(2), trace(2, 1)} {
			require.Equal(t, sent{}, send(body), protocol)
		}
		got := send(trace(1, 3))
		require.True(t, got.refused, protocol)
		require.True(t, got.retryAfter, protocol)
		require.Contains(t, got.message, "project shop has more than 2 traces within a minute (live_traces)")
		require.Contains(t, got.message, "spanlake project set-limit shop live_traces")
		require.Equal(t, sent{}, send(trace(1)), "those that it has go on")
	}
}

// TestRateLimit: over HTTP a project that sends too much gets 429, the time to
// wait and the name of the limit.
func TestRateLimit(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	s := w.serve(w.receiverFor(oneProject{settings: project.Project{Limits: project.Limits{IngestBytesPerSecond: 1}}}))
	send := func(id string) (answer, []byte) {
		return post(t, s.URL+"/v1/traces", spanUntil(t, time.Now()), "Content-Type", "application/x-protobuf", "X-Scope-OrgID", id)
	}
	got, _ := send("shop")
	require.Equal(t, http.StatusOK, got.StatusCode)
	got, body := send("shop")
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode)
	require.NotEmpty(t, got.Header.Get("Retry-After"))
	require.Contains(t, string(body), "ingest_bytes_per_second")
	got, _ = send("other")
	require.Equal(t, http.StatusOK, got.StatusCode)
}

func TestSettingsThatCannotBeUsed(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiverFor(oneProject{err: project.ErrSettings})
	_, err := r.Receive(t.Context(), "shop", spanUntil(t, time.Now()))
	refused, ok := errors.AsType[*ingester.RefusedError](err)
	require.True(t, ok)
	require.False(t, refused.Overloaded, "503: nothing is lost, the client tries again")
}
