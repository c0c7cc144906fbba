package workers

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/spanlake/spanlake/internal/wire"
)

// queueGroup is that of all workers.
const queueGroup = "workers"

// Handler does a job and returns the encoded reply. ctx ends when nobody wants
// it any more; then the reply does not matter.
type Handler func(ctx context.Context, job []byte) []byte

// Serve works until ctx ends, and returns when all that it had begun has
// stopped. Who had asked for that asks somebody else.
func (p *Pool) Serve(ctx context.Context, handle Handler) error {
	unwanted, err := p.conn.Subscribe(p.conn.NewInbox()+".*", p.unwanted)
	if err != nil {
		return fmt.Errorf("serve jobs: %w", err)
	}
	defer unwanted.Unsubscribe() //nolint:errcheck // an error is that the connection is closed
	var work sync.WaitGroup
	defer work.Wait()
	beats := strings.TrimSuffix(unwanted.Subject, "*")
	jobs, err := p.conn.QueueSubscribe(p.subject, queueGroup, func(msg *nats.Msg) {
		if ctx.Err() != nil {
			p.send(msg.Reply, []byte{frameLeave})
			return
		}
		work.Go(func() { p.work(ctx, msg, beats+strconv.FormatUint(p.tokens.Add(1), 36), handle) })
	})
	if err != nil {
		return fmt.Errorf("serve jobs: %w", err)
	}
	<-ctx.Done()
	return stopServing(jobs)
}

// stopServing returns when no job comes any more.
func stopServing(jobs *nats.Subscription) error {
	ended := make(chan struct{})
	jobs.SetClosedHandler(func(string) { close(ended) })
	if err := jobs.Unsubscribe(); err != nil {
		return nil //nolint:nilerr // it is closed: nothing comes
	}
	<-ended
	return nil
}

// unwanted stops a job on whose inbox nobody listens.
func (p *Pool) unwanted(msg *nats.Msg) {
	if len(msg.Data) > 0 || msg.Header.Get(statusHeader) != noResponders {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stop := p.running[msg.Subject]; stop != nil {
		stop()
	}
}

// work does one job. token is where the server says that it is unwanted.
func (p *Pool) work(ctx context.Context, msg *nats.Msg, token string, handle Handler) {
	jobCtx, stop := context.WithCancel(ctx)
	defer stop()
	p.mu.Lock()
	p.running[token] = stop
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.running, token)
	}()
	var beating sync.WaitGroup
	beating.Go(func() { p.beat(jobCtx, msg.Reply, token) })
	reply := handle(jobCtx, msg.Data)
	wanted := jobCtx.Err() == nil
	stop()
	beating.Wait()
	switch {
	case ctx.Err() != nil:
		p.send(msg.Reply, []byte{frameLeave})
	case wanted:
		p.reply(msg.Reply, reply)
	}
}

// beat says that the worker works until ctx ends.
func (p *Pool) beat(ctx context.Context, inbox, token string) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		if err := p.conn.PublishRequest(inbox, token, []byte{frameBeat}); err != nil {
			p.logger.Debug("a beat was not sent", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Pool) reply(inbox string, data []byte) {
	size := p.chunkBytes()
	count := max((len(data)+size-1)/size, 1)
	for i := range count {
		frame := wire.AppendUint(wire.AppendUint([]byte{frameChunk}, i), count)
		p.send(inbox, wire.AppendText(frame, data[i*size:min((i+1)*size, len(data))]))
	}
}

// send sends a message. If that fails the asker hears nothing, and asks again.
func (p *Pool) send(inbox string, data []byte) {
	if err := p.conn.Publish(inbox, data); err != nil {
		p.logger.Warn("a reply was not sent", slog.Any("err", err))
	}
}
