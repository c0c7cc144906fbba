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
type group struct {
	*errgroup.Group

	ctx context.Context
}

// newGroup runs so many functions at once.
func newGroup(ctx context.Context, limit int) *group {
	g := &group{}
	g.Group, g.ctx = errgroup.WithContext(ctx)
	g.SetLimit(limit)
	return g
}

// Go runs f in a turn, whose context it gets.
func (g *group) Go(f func(ctx context.Context) error) {
	g.Group.Go(func() error {
		ctx, leave, err := takeTurn(g.ctx)
		if err != nil {
			return err
		}
		defer leave()
		return f(ctx)
	})
}
