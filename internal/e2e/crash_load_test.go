package e2e_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/schema"
)

// crashSender sends requests one after the other. What it sends follows from
// its seed, but for the moments at which servers end.
type crashSender struct {
	project schema.ProjectID
	ledger  *ledger
	random  *rand.Rand
	begin   time.Time
	traces  [][]byte         // ids of all so far, in the order of their first span
	recent  []schema.TraceID // with spans since the last round
	pending *crashRequest    // its outcome is unknown
}

type crashRequest struct {
	data    *tracepb.TracesData
	request request
}

// fate is what became of a request.
type fate int

const (
	acked   fate = iota
	refused      // the server asks to send again later
	gone         // nobody answered: the outcome is unknown
)

// run sends until ctx ends or the server is gone. It fails when the server
// gives an answer that it must not give.
func (s *crashSender) run(ctx context.Context, c *client) error {
	return s.sendAll(ctx, func() *client { return c }, func(f fate) bool { return f != gone })
}

// runOn sends to whom pick names each time, nil for nobody, until ctx ends. It
// fails when a server gives an answer that it must not give.
func (s *crashSender) runOn(ctx context.Context, pick func() *client) error {
	return s.sendAll(ctx, pick, func(f fate) bool {
		if f != acked {
			const pause = 10 * time.Millisecond // far below what is asked for, to keep a full log full
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
		return true
	})
}

func (s *crashSender) sendAll(ctx context.Context, pick func() *client, goOn func(fate) bool) error {
	if s.pending != nil && s.random.IntN(2) == 0 {
		s.pending = nil // as a client that is restarted, too
	}
	s.recent = nil
	for ctx.Err() == nil {
		f := gone
		if c := pick(); c != nil {
			err := s.prepare()
			if err == nil {
				f, err = s.send(ctx, c)
			}
			if err != nil {
				return err
			}
		}
		if !goOn(f) {
			return nil
		}
	}
	return nil
}

// prepare makes the next request, unless there is one to be sent again.
func (s *crashSender) prepare() error {
	if s.pending == nil {
		data := exportOf(s.spans()...)
		r, err := randomRequest(s.random, string(s.project), data)
		if err != nil {
			return err
		}
		s.pending = &crashRequest{data, r}
	}
	for _, span := range s.pending.data.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans() {
		s.recent = append(s.recent, schema.TraceID(span.GetTraceId()))
	}
	return s.ledger.sending(s.project, s.pending.data)
}

// send sends the pending request.
func (s *crashSender) send(ctx context.Context, c *client) (fate, error) {
	err := c.export(ctx, s.pending.request)
	var no *refusedError
	answer, ofGRPC := status.FromError(err)
	switch {
	case err == nil:
		err = s.ledger.acknowledged(s.project, s.pending.data)
		s.pending = nil
		return acked, err
	case errors.As(err, &no) && no.status == http.StatusServiceUnavailable:
		return refused, nil
	case errors.As(err, &no) && no.status == http.StatusTooManyRequests && no.retryAfter != "":
		s.ledger.refusedFull("HTTP")
		return refused, nil
	case errors.As(err, &no):
		return refused, err
	case answer.Code() == codes.ResourceExhausted && hasRetryInfo(answer):
		s.ledger.refusedFull("gRPC")
		return refused, nil
	case !ofGRPC, answer.Code() == codes.Unavailable, answer.Code() == codes.Canceled: // of the connection
		return gone, nil
	}
	return gone, err
}

// hasRetryInfo tells whether OTLP clients send again: without it they drop.
func hasRetryInfo(answer *status.Status) bool {
	for _, detail := range answer.Details() {
		if _, ok := detail.(*errdetails.RetryInfo); ok {
			return true
		}
	}
	return false
}

// spans makes a few spans of a few traces, some of which have spans already.
func (s *crashSender) spans() []*tracepb.Span {
	var spans []*tracepb.Span
	for range 1 + s.random.IntN(3) {
		id := s.trace()
		for range 1 + s.random.IntN(6) {
			spans = append(spans, randomSpan(s.random, id, s.begin.Add(time.Duration(len(s.traces))*time.Millisecond)))
		}
	}
	return spans
}

// trace picks a trace: usually a new one, sometimes a young one, seldom any.
func (s *crashSender) trace() []byte {
	const young = 50
	switch n := len(s.traces); {
	case n > 0 && s.random.IntN(4) == 0:
		return s.traces[n-1-s.random.IntN(min(n, young))]
	case n > 0 && s.random.IntN(20) == 0:
		return s.traces[s.random.IntN(n)]
	}
	id := randomID(s.random, 16)
	s.traces = append(s.traces, id)
	return id
}
