package mcp

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/querier"
)

// DiffInput are the arguments of trace-diff.
type DiffInput struct {
	A        string `json:"trace_a" jsonschema:"hexadecimal id of the trace to compare with, such as a fast one"`
	B        string `json:"trace_b" jsonschema:"hexadecimal id of the trace that is asked about, such as a slow one"`
	MinDelta string `json:"min_delta,omitempty" jsonschema:"differences of time below this are left out, such as 5ms; default 1ms"`

	Paging
}

// side is what one trace has of a group.
type side struct {
	Count   int     `json:"count"`
	Errors  int     `json:"errors,omitempty"`
	TotalMs float64 `json:"total_ms"`
	SelfMs  float64 `json:"self_ms"`
	SpanID  string  `json:"span_id,omitempty"` // of the first

	total, self int64
}

// group are the spans of two traces with the same names from the root on.
type group struct {
	place

	sides [2]side
}

// place is a name below a group: service and name of a span.
type place struct {
	above         int // -1: none
	service, name string
}

// comparison puts two traces side by side.
type comparison struct {
	groups []group
	at     map[place]int
	heads  [2]map[string]any
}

func diff(ctx context.Context, c *call, in DiffInput) error {
	least := time.Millisecond
	if in.MinDelta != "" {
		var err error
		if least, err = time.ParseDuration(in.MinDelta); err != nil || least < 0 {
			return querier.BadRequest("invalid min_delta %.40q: want a duration such as 5ms", in.MinDelta)
		}
	}
	d := &comparison{at: make(map[place]int)}
	for i, id := range []string{in.A, in.B} {
		err := c.trace(ctx, id, func(t *tree) error {
			d.take(i, t)
			return nil
		})
		if err != nil {
			return fmt.Errorf("trace_%c: %w", 'a'+rune(i), err)
		}
	}
	differ := d.differ(least)
	head := map[string]any{"a": d.heads[0], "b": d.heads[1], "same_groups": len(d.groups) - len(differ)}
	return c.write(head, "differences", len(differ), func(i int) any { return d.line(differ[i], least) })
}

// take adds a trace. Names are kept, spans are not.
func (d *comparison) take(which int, t *tree) {
	of := make([]int, len(t.nodes))
	for _, i := range t.order {
		n := &t.nodes[i]
		p := place{-1, strings.Clone(n.service()), strings.Clone(n.Span.Name)}
		if n.parent >= 0 {
			p.above = of[n.parent]
		}
		g, ok := d.at[p]
		if !ok {
			g = len(d.groups)
			d.at[p], d.groups = g, append(d.groups, group{place: p})
		}
		of[i] = g
		s := &d.groups[g].sides[which]
		if s.Count++; s.Count == 1 {
			s.SpanID = n.Span.SpanID.String()
		}
		if n.Failed() {
			s.Errors++
		}
		s.total, s.self = s.total+n.duration(), s.self+n.self
		s.TotalMs, s.SelfMs = millis(s.total), millis(s.self)
	}
	head := map[string]any{
		"trace_id": t.TraceID.String(), "name": cut(t.Name, maxName), "spans": len(t.nodes), "errors": t.Errors,
		"duration_ms": millis(int64(t.EndNanos - t.StartNanos)), //nolint:gosec // a duration
	}
	if used := usageOf(&t.Usage, t.Models); used != nil {
		head["llm"] = used
	}
	if !t.all {
		head["note"] = "the trace is too large to be compared whole: these are its first spans"
	}
	d.heads[which] = head
}

// differ are the groups that differ, by how much longer or shorter their spans took
// themselves.
func (d *comparison) differ(least time.Duration) (list []int) {
	for i := range d.groups {
		a, b := &d.groups[i].sides[0], &d.groups[i].sides[1]
		if a.Count != b.Count || a.Errors != b.Errors || slower(a, b, least) {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(x, y int) int {
		a, b := &d.groups[x].sides, &d.groups[y].sides
		return cmp.Or(cmp.Compare(distance(b[0].self, b[1].self), distance(a[0].self, a[1].self)),
			cmp.Compare(distance(b[0].total, b[1].total), distance(a[0].total, a[1].total)))
	})
	return list
}

// slower reports whether one took so much longer than the other, either of them.
func slower(a, b *side, least time.Duration) bool {
	return max(distance(a.total, b.total), distance(a.self, b.self)) >= max(int64(least), 1)
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// line is a group that differs.
func (d *comparison) line(i int, least time.Duration) any {
	g := &d.groups[i]
	a, b := &g.sides[0], &g.sides[1]
	line := map[string]any{
		"path": d.path(i), "service": cut(g.service, maxLabel),
		"delta_ms": round(b.TotalMs - a.TotalMs), "delta_self_ms": round(b.SelfMs - a.SelfMs),
	}
	var what []string
	switch {
	case a.Count == 0:
		what = append(what, "only in b")
	case b.Count == 0:
		what = append(what, "only in a")
	case a.Count != b.Count:
		what = append(what, "count")
	}
	if a.Errors != b.Errors {
		what = append(what, "errors")
	}
	if a.Count > 0 && b.Count > 0 && slower(a, b, least) {
		what = append(what, "time")
	}
	line["differs"] = what
	if a.Count > 0 {
		line["a"] = a
	}
	if b.Count > 0 {
		line["b"] = b
	}
	return line
}

func round(ms float64) float64 { return math.Round(ms*1e3) / 1e3 }

// maxSteps is how many names a path has at its end.
const maxSteps = 4

// path are the names from the root to a group, the last ones.
func (d *comparison) path(i int) string {
	var steps []string
	for ; i >= 0 && len(steps) < maxSteps; i = d.groups[i].above {
		steps = append(steps, cut(d.groups[i].name, maxLabel))
	}
	if i >= 0 {
		steps = append(steps, "…")
	}
	slices.Reverse(steps)
	return strings.Join(steps, " > ")
}
