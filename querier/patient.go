package querier

import (
	"net/http"
	"time"
)

const (
	// patience is how long a client may take nothing of a reply. A client that
	// takes something now and then is waited for.
	patience = time.Minute
	// patientBytes is what has to be taken within that time.
	patientBytes = 64 << 10
)

// patient is a ResponseWriter that gives up on clients which do not read: the
// server itself would wait for them for good, and with it the answer in memory.
type patient struct {
	http.ResponseWriter

	patience time.Duration
	deadline *http.ResponseController
}

func newPatient(w http.ResponseWriter, patience time.Duration) *patient {
	return &patient{w, patience, http.NewResponseController(w)}
}

// Write is http.ResponseWriter's.
func (p *patient) Write(b []byte) (written int, err error) {
	for len(b) > 0 && err == nil {
		var n int
		p.extend()
		n, err = p.ResponseWriter.Write(b[:min(len(b), patientBytes)])
		written, b = written+n, b[n:]
	}
	return written, err
}

// Flush implements http.Flusher, which gRPC wants.
func (p *patient) Flush() {
	p.extend()
	_ = p.deadline.Flush() // as with http.Flusher, the next write tells
}

func (p *patient) extend() {
	_ = p.deadline.SetWriteDeadline(time.Now().Add(p.patience)) // without deadlines it waits for good
}

// rest lets the connection serve other requests, which may take their time.
func (p *patient) rest() { _ = p.deadline.SetWriteDeadline(time.Time{}) }

// Unwrap is for http.ResponseController.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
