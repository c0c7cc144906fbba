package compactor_test

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	settings "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// priced keeps spans for ever and prices them by a table of its own.
type priced struct {
	hours

	table   *price.Table
	reprice *settings.Reprice
}

func (p *priced) Prices(schema.ProjectID) *price.Table       { return p.table }
func (p *priced) Reprice(schema.ProjectID) *settings.Reprice { return p.reprice }
func (p *priced) ask(from, to time.Time) {
	p.reprice = &settings.Reprice{AskedAt: time.Now(), From: from, To: to, Table: p.table.Version()}
}

func costing(dollars float64) *price.Table {
	return price.Shipped().With([]price.Entry{{Model: "ours", Rates: price.Rates{Input: &dollars, Output: &dollars}}})
}

// call is a span of a model that is not in the shipped table, with two tokens. Its
// cost is computed unless the client gives one.
func call(trace byte, given float64) schema.Span {
	s := row(trace, 1, false)
	text := func(key, value string) {
		s.Attributes = otlp.AppendAttribute(s.Attributes, key, schema.Value{Kind: schema.KindString, Str: value})
	}
	text("gen_ai.request.model", "ours")
	s.Attributes = otlp.AppendAttribute(s.Attributes, "gen_ai.usage.input_tokens", schema.Value{Kind: schema.KindInt, Int: 2})
	if given > 0 {
		s.Attributes = otlp.AppendAttribute(s.Attributes, "llm.cost.total", schema.Value{Kind: schema.KindDouble, Double: given})
	}
	return s
}

// costs are those of all visible rows, by trace; a span without one has none.
func (w *world) costs() map[byte]float64 {
	w.t.Helper()
	list := make(map[byte]float64)
	for _, r := range w.readers() {
		require.NoError(w.t, r.VerifyRows(w.t.Context(), nil))
		for rows, err := range r.Scan(w.t.Context(), &vec.Filter{Op: vec.OpTrue}, vec.AllColumns()) {
			require.NoError(w.t, err)
			for i := range rows {
				if v, ok := otlp.Lookup(rows[i].Derived, "gen_ai.usage.cost"); ok {
					list[rows[i].TraceID[15]] += v.Double
				}
			}
		}
	}
	return list
}

// readers are of the visible blocks.
func (w *world) readers() (list []*block.Reader) {
	w.t.Helper()
	var names []schema.BlockName
	for _, key := range w.keys() {
		if n, err := schema.ParseBlockName(key); err == nil {
			names = append(names, n)
		}
	}
	for _, n := range schema.Visible(names) {
		r, err := block.Open(w.t.Context(), w.bucket, n.Key())
		require.NoError(w.t, err)
		list = append(list, r)
	}
	return list
}

// calls stores calls of a day, each in a block of its own, derived by a table if there
// is one.
func (w *world) calls() {
	w.t.Helper()
	for i, given := range []float64{0, 0.5, 0} {
		at(1+4*i, 0)
		w.batchOf(call(byte(i+1), given))
	}
	w.idle()
}

// TestReprice: blocks in the range are written anew with the prices of today, once;
// what the client says a call has cost stays, and so does what is out of the range.
func TestReprice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := &priced{table: costing(1)}
		c := w.compactor(p)
		w.calls()
		at(24, 0)
		w.cycle(c)
		require.Empty(t, w.costs(), "nobody has derived anything")

		first, last := time.Unix(0, 1<<62), time.Time{}
		for _, r := range w.readers() {
			name := r.Name()
			if b := time.Unix(0, int64(name.MinStart)); b.Before(first) { //nolint:gosec // of this century
				first = b
			}
			if e := time.Unix(0, int64(name.MaxEnd)); e.After(last) { //nolint:gosec // of this century
				last = e
			}
		}
		p.ask(last.Add(time.Hour), time.Time{})
		require.Zero(t, w.cycle(c).Repriced, "nothing is in that range")
		p.ask(time.Time{}, last.Add(time.Second))
		s := w.cycle(c)
		require.Positive(t, s.Repriced)
		require.Equal(t, map[byte]float64{1: 2, 2: 0.5, 3: 2}, w.costs())
		require.Zero(t, w.cycle(c).Repriced)
		require.Zero(t, w.cycle(w.compactor(p)).Repriced, "blocks say so themselves")
		for _, r := range w.readers() {
			by, some, err := r.Derivation(t.Context())
			require.NoError(t, err)
			require.True(t, some)
			require.Equal(t, block.Derivation{Norm: llm.Version, Tables: []string{p.table.Version()}}, by)
		}

		p.table = costing(3)
		require.Zero(t, w.cycle(c).Repriced, "not by other prices than were asked for")
		p.ask(first, time.Time{})
		require.Positive(t, w.cycle(c).Repriced)
		require.Equal(t, map[byte]float64{1: 6, 2: 0.5, 3: 6}, w.costs())
	})
}

// TestRepriceSurvivesCrashes of the compactor at each of its writes.
func TestRepriceSurvivesCrashes(t *testing.T) {
	for crash := 0; ; crash++ {
		died := false
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			p := &priced{table: costing(1)}
			w.calls()
			at(24, 0)
			p.ask(time.Time{}, time.Time{})
			left := crash / 2
			first := compactor.New(config(), w.log, dying{w.bucket, &left, crash%2 == 1}, p, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			for range 4 {
				_, err := first.Cycle(t.Context(), compactor.Run{})
				require.True(t, err == nil || errors.Is(err, errDied), "%v", err)
				time.Sleep(time.Hour)
			}
			died = left < 0
			c := w.compactor(p)
			for range 3 {
				w.cycle(c)
				time.Sleep(time.Hour)
			}
			require.Equal(t, map[byte]float64{1: 2, 2: 0.5, 3: 2}, w.costs(), "crash %d", crash)
		})
		if !died {
			require.GreaterOrEqual(t, crash, 4, "it writes so often")
			return
		}
	}
}
