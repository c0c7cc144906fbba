package app

import (
	"context"
	"net/http"
	"sync"
)

// gate is a handler that exists only while the module behind it runs. Outside
// that time requests get 503. The zero value is closed.
type gate struct {
	mu      sync.Mutex
	handler http.Handler   // nil while closed
	inside  sync.WaitGroup // joined under mu while open
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	handler := g.enter()
	if handler == nil {
		unavailable(w, "starting or stopping, try again")
		return
	}
	defer g.inside.Done()
	handler.ServeHTTP(w, req)
}

func (g *gate) enter() http.Handler {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.handler != nil {
		g.inside.Add(1)
	}
	return g.handler
}

func (g *gate) open(handler http.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handler = handler
}

// close lets nobody in any more and waits, until ctx ends, for those inside.
func (g *gate) close(ctx context.Context) {
	g.mu.Lock()
	g.handler = nil
	g.mu.Unlock()
	empty := make(chan struct{})
	go func() {
		g.inside.Wait()
		close(empty)
	}()
	select {
	case <-empty:
	case <-ctx.Done(): // the port cuts them off when it closes
	}
}
