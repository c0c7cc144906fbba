package e2e_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
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

// run sends until ctx ends or the server is gone. It fails when the server
// gives an answer that it must not give.
func (s *crashSender) run(ctx context.Context, c *client) error {
	if s.pending != nil && s.random.IntN(2) == 0 {
		s.pending = nil // as a client that is restarted, too
	}
	s.recent = nil
	for ctx.Err() == nil {
		if err := s.prepare(); err != nil {
			return err
		}
		gone, err := s.send(ctx, c)
		if gone || err != nil {
			return err
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

// send sends the pending request. gone means that the server is.
func (s *crashSender) send(ctx context.Context, c *client) (gone bool, err error) {
	err = c.export(ctx, s.pending.request)
	var refused *refusedError
	answer, ofGRPC := status.FromError(err)
	switch {
	case err == nil:
		err = s.ledger.acknowledged(s.project, s.pending.data)
		s.pending = nil
		return false, err
	case errors.As(err, &refused):
		if refused.status == http.StatusServiceUnavailable || refused.status == http.StatusTooManyRequests {
			return false, nil
		}
		return false, err
	case !ofGRPC, answer.Code() == codes.Unavailable, answer.Code() == codes.Canceled: // of the connection
		return true, nil
	}
	return false, err
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
