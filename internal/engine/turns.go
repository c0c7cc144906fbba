package engine

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Turns share processors between queries. Take waits for a turn, in which one
// goroutine works until it leaves; with a turn's context it returns at once.
type Turns interface {
	Take(ctx context.Context) (turn context.Context, leave func(), err error)
}

type turnsKey struct{}

// WithTurns makes a query take turns.
func WithTurns(ctx context.Context, t Turns) context.Context {
	return context.WithValue(ctx, turnsKey{}, t)
}

// takeTurn waits for a turn if the query takes any.
func takeTurn(ctx context.Context) (turn context.Context, leave func(), err error) {
	t, _ := ctx.Value(turnsKey{}).(Turns)
	if t == nil {
		return ctx, func() {}, nil
	}
	return t.Take(ctx)
}

// group is an errgroup whose functions have a turn each.
type group struct{ all *errgroup.Group }

// newGroup runs so many functions at once. Its context ends with the first error.
func newGroup(ctx context.Context, limit int) (*group, context.Context) {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(limit)
	return &group{all}, ctx
}

// Go runs f in a turn, whose context it gets.
func (g *group) Go(ctx context.Context, f func(ctx context.Context) error) {
	g.all.Go(func() error {
		turn, leave, err := takeTurn(ctx)
		if err != nil {
			return err
		}
		defer leave()
		return f(turn)
	})
}

// Wait returns the first error when all have returned.
func (g *group) Wait() error { return g.all.Wait() }
