package workers

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/spanlake/spanlake/internal/wire"
)

// What a message to an inbox is, by its first byte.
const (
	frameBeat  = iota // the worker works
	frameChunk        // number, count, data: a part of the reply
	frameLeave        // the worker stops before it is done
)

// statusHeader and noResponders are how a server says that nobody listens.
const (
	statusHeader = "Status"
	noResponders = "503"
)

// Ask gives the job to some worker and returns its reply. When ctx ends the
// worker stops. Returns wire.ErrNobody, wire.ErrLost, wire.ErrTooLarge, or the error of ctx.
func (p *Pool) Ask(ctx context.Context, job []byte) ([]byte, error) {
	if len(job) > p.chunkBytes() {
		return nil, wire.ErrTooLarge
	}
	inbox, err := p.conn.SubscribeSync(p.conn.NewInbox())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", wire.ErrNobody, err)
	}
	defer inbox.Unsubscribe() //nolint:errcheck // an error is that the connection is closed
	if err := inbox.SetPendingLimits(-1, maxReplyBytes); err != nil {
		return nil, fmt.Errorf("%w: %w", wire.ErrNobody, err)
	}
	if err := p.conn.PublishRequest(p.subject, inbox.Subject, job); err != nil {
		return nil, fmt.Errorf("%w: %w", wire.ErrNobody, err)
	}
	var r received
	for {
		msg, err := next(ctx, inbox)
		if err != nil {
			return nil, err
		}
		done, err := r.take(msg)
		if done || err != nil {
			return r.data, err
		}
	}
}

// next waits for a message, but not longer than a worker that works lets wait.
func next(ctx context.Context, inbox *nats.Subscription) (*nats.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, lostAfter)
	defer cancel()
	msg, err := inbox.NextMsgWithContext(waiting)
	if err == nil {
		return msg, nil
	}
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, wire.ErrNobody
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w: %w", wire.ErrLost, err)
}

// received is a reply on its way.
type received struct {
	data   []byte
	chunks int // that have come
}

// take takes a message, and is true when the reply is complete.
func (r *received) take(msg *nats.Msg) (bool, error) {
	if len(msg.Data) == 0 && msg.Header.Get(statusHeader) == noResponders {
		return false, wire.ErrNobody
	}
	if len(msg.Data) == 0 {
		return false, fmt.Errorf("%w: an empty message", wire.ErrLost)
	}
	switch msg.Data[0] {
	case frameBeat:
		return false, nil
	case frameChunk:
		m := wire.NewReader(msg.Data[1:])
		number, count, data := m.Uint(), m.Uint(), m.Bytes()
		if err := m.Done(); err != nil {
			return false, fmt.Errorf("%w: %w", wire.ErrLost, err)
		}
		// The server drops messages rather than wait for who reads slowly.
		if number != uint64(r.chunks) || len(r.data)+len(data) > maxReplyBytes { //nolint:gosec // not negative
			return false, fmt.Errorf("%w: part %d of its reply is missing or too large", wire.ErrLost, r.chunks)
		}
		r.data, r.chunks = append(r.data, data...), r.chunks+1
		return number+1 == count, nil
	}
	return false, fmt.Errorf("%w: it stops", wire.ErrLost)
}
