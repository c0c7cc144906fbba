package engine

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Turns share processors between queries. Whoever calls a query has a turn, in
// which one goroutine works.
type Turns interface {
	// Take waits for another turn.
	Take(ctx context.Context) (turn context.Context, leave func(), err error)
	// Away lends the turn of ctx to others until back is called, which waits for it.
	Away(ctx context.Context) (back func())
	// Yield lets others have their turn if they should, and waits for the next one.
	Yield(ctx context.Context) error
}

type turnsKey struct{}

// WithTurns makes a query take turns.
func WithTurns(ctx context.Context, t Turns) context.Context {
	return context.WithValue(ctx, turnsKey{}, t)
}

func turnsOf(ctx context.Context) Turns {
	t, _ := ctx.Value(turnsKey{}).(Turns)
	return t
}

// yield lets others have their turn, and returns the error of ctx. What takes long
// calls it about once in a millisecond, where its source does not.
func yield(ctx context.Context) error {
	if t := turnsOf(ctx); t != nil {
		return t.Yield(ctx)
	}
	return ctx.Err()
}

// away lends the turn of ctx to others until back is called.
func away(ctx context.Context) (back func()) {
	if t := turnsOf(ctx); t != nil {
		return t.Away(ctx)
	}
	return func() {}
}

// group is an errgroup whose functions have a turn each. Who made it has none until
// they have returned.
type group struct {
	all   *errgroup.Group
	turns Turns // nil if the query takes none
	back  func()
}

// newGroup runs so many functions at once. Its context ends with the first error.
// Wait must be called.
func newGroup(ctx context.Context, limit int) (*group, context.Context) {
	g := &group{turns: turnsOf(ctx), back: away(ctx)}
	g.all, ctx = errgroup.WithContext(ctx)
	g.all.SetLimit(limit)
	return g, ctx
}

// Go runs f in a turn, whose context it gets.
func (g *group) Go(ctx context.Context, f func(ctx context.Context) error) {
	g.all.Go(func() error {
		if g.turns == nil {
			return f(ctx)
		}
		turn, leave, err := g.turns.Take(ctx)
		if err != nil {
			return err
		}
		defer leave()
		return f(turn)
	})
}

// Wait returns the first error when all have returned.
func (g *group) Wait() error {
	err := g.all.Wait()
	g.back()
	return err
}
