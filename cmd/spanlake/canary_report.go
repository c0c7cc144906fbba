package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// problem is a way to fail.
type problem string

const (
	problemLost    problem = "lost"
	problemDoubled problem = "doubled"
	problemChanged problem = "changed"
	problemLate    problem = "late"
	problemError   problem = "error"
)

func problems() []problem {
	return []problem{problemLost, problemDoubled, problemChanged, problemLate, problemError}
}

// outcome is what became of one trace.
type outcome struct {
	number         int
	trace          *canaryTrace
	again          bool // read again, not just written
	write          time.Duration
	byID, bySearch sighting
	found          map[problem]bool
	texts          []string
}

func (o *outcome) add(p problem, format string, args ...any) {
	if o.found == nil {
		o.found = make(map[problem]bool)
	}
	o.found[p] = true
	o.texts = append(o.texts, string(p)+": "+fmt.Sprintf(format, args...))
}

// print writes the trace's line.
func (o *outcome) print(w io.Writer) {
	what := fmt.Sprintf("written in %-8s", brief(o.write))
	switch {
	case o.again:
		what = fmt.Sprintf("%-19s", "read again")
	case !o.written():
		what = fmt.Sprintf("%-19s", "not written")
	}
	result := "ok"
	if len(o.texts) > 0 {
		result = strings.Join(o.texts, " | ")
	}
	fmt.Fprintf(w, "%5d  %s  %d spans  %s  by id %-8s  by search %-8s  %s\n",
		o.number, o.trace.hexID(), o.trace.spans, what, o.byID, o.bySearch, result)
}

// written reports whether the trace was acknowledged: only then it is read.
func (o *outcome) written() bool { return o.byID.reads > 0 }

// tally sums up outcomes.
type tally struct {
	traces, spans, again int
	withProblem          map[problem]int // traces
	checks, anyProblem   int
	write, byID, search  extent
	lag                  time.Duration // longest
}

// extent is the sum and the longest of some durations.
type extent struct {
	count        int
	sum, longest time.Duration
}

func (e *extent) add(d time.Duration) {
	e.count++
	e.sum += d
	e.longest = max(e.longest, d)
}

func (e *extent) String() string {
	if e.count == 0 {
		return "-"
	}
	return fmt.Sprintf("%s on average, %s at most", brief(e.sum/time.Duration(e.count)), brief(e.longest))
}

func newTally() *tally { return &tally{withProblem: make(map[problem]int)} }

func (t *tally) failed() bool { return t.anyProblem > 0 }

func (t *tally) add(o outcome) {
	t.checks++
	switch {
	case o.again:
		t.again++
	case o.written():
		t.traces++
		t.spans += o.trace.spans
		t.write.add(o.write)
	}
	if o.written() {
		t.byID.add(o.byID.took)
		t.search.add(o.bySearch.took)
		t.lag = max(t.lag, o.byID.lag, o.bySearch.lag)
	}
	for p := range o.found {
		t.withProblem[p]++
	}
	if len(o.found) > 0 {
		t.anyProblem++
	}
}

// print writes the summary.
func (t *tally) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(table, "  %s\t%v\n", name, value) }
	fmt.Fprintln(table, "\nsummary")
	row("traces written", fmt.Sprintf("%d (%d spans)", t.traces, t.spans))
	row("read again", t.again)
	row("time to write", &t.write)
	row("time to read by id", &t.byID)
	row("time to read by search", &t.search)
	row("time to visibility", brief(t.lag)+" at most")
	for _, p := range problems() {
		row(string(p), t.withProblem[p])
	}
	result := "ok"
	if t.failed() {
		result = fmt.Sprintf("FAILED (%d of %d checks)", t.anyProblem, t.checks)
	}
	row("result", result)
	_ = table.Flush() // standard output is gone: the exit code tells
}

// brief rounds a duration to what a person wants to read.
func brief(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
