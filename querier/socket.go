package querier

import (
	"context"
	"net/http"

	"github.com/spanlake/spanlake/querier/jobs"
	"github.com/spanlake/spanlake/schema"
)

// socket is where a compressed answer goes. While it waits for the client, others
// have the turn of whoever compresses.
type socket struct {
	http.ResponseWriter

	turn context.Context //nolint:containedctx // of the answer, once it has one
}

type socketKey struct{}

// withSocket tells next about the socket that it writes to.
func withSocket(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s := &socket{w, req.Context()}
		next.ServeHTTP(s, req.WithContext(context.WithValue(req.Context(), socketKey{}, s)))
	})
}

// Write waits without a turn.
func (s *socket) Write(b []byte) (int, error) {
	defer jobs.Away(s.turn)()
	return s.ResponseWriter.Write(b) //nolint:wrapcheck // passed on as it is
}

// Flush waits without a turn.
func (s *socket) Flush() {
	defer jobs.Away(s.turn)()
	_ = http.NewResponseController(s.ResponseWriter).Flush() // as what has none does
}

// Unwrap is for http.ResponseController.
func (s *socket) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// smallBody is how long an answer is of which the compression takes no turn.
const smallBody = 16 << 10

// writeBody writes, and compresses, an answer of projects.
func (q *Querier) writeBody(ctx context.Context, w http.ResponseWriter, projects []schema.ProjectID, body []byte) {
	s, ok := ctx.Value(socketKey{}).(*socket)
	if ok && len(body) > smallBody {
		turn, leave, err := q.turns.Take(ctx, projectsText(projects))
		if err == nil { // else it is too late for one, but not for the answer
			defer leave()
			s.turn = turn
			defer func() { s.turn = ctx }()
		}
	}
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}
