package ingester

import (
	"context"
	"sync"
)

// abort is a request to end work that goes on after a service was stopped.
type abort struct {
	once *sync.Once
	done chan struct{} // closed once it was made
}

func newAbort() abort { return abort{once: new(sync.Once), done: make(chan struct{})} }

// do makes the request. It may be repeated.
func (a abort) do() { a.once.Do(func() { close(a.done) }) }

// ends calls stop when the request is made, and returns then or when ctx ends.
func (a abort) ends(ctx context.Context, stop func()) {
	select {
	case <-a.done:
		stop()
	case <-ctx.Done():
	}
}
