package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// queryConfig is the command line of a query.
type queryConfig struct {
	apiEndpoint string
	project     string
	output      outputForm
	since       time.Duration
	start, end  instant

	limit   int           // of a search
	all     bool          // of a trace: show every attribute
	instant bool          // of metrics: one value
	step    time.Duration // of metrics
}

// instant is a flag's point in time; the zero value is none.
type instant struct{ time.Time }

func (i *instant) Set(text string) error {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds >= 0 {
		i.Time = time.Unix(seconds, 0)
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return errors.New("want a time such as 2026-01-15T10:00:00Z, or Unix seconds")
	}
	i.Time = t
	return nil
}

func (i *instant) String() string {
	if i.IsZero() {
		return ""
	}
	return i.Format(time.RFC3339)
}

func (c *queryConfig) registerFlags(f *flag.FlagSet) {
	f.StringVar(&c.apiEndpoint, "api.endpoint", "http://127.0.0.1:3200", "`URL` of the query API.")
	f.StringVar(&c.project, "project", "", "Project to read from. Empty: that of the key in "+keyVariable+", or default.")
	c.output.register(f)
	f.DurationVar(&c.since, "since", 0, "How far to look back. 0 means an hour for a search and for metrics, and all time for a trace.")
	f.Var(&c.start, "start", "Look from this `time` on: RFC 3339 or Unix seconds. Instead of -since.")
	f.Var(&c.end, "end", "Look up to this `time`. Needs -start; now if there is only that.")
}

func (c *queryConfig) registerSearchFlags(f *flag.FlagSet) {
	f.IntVar(&c.limit, "limit", 20, "Traces to show at most, the newest.")
}

func (c *queryConfig) registerTraceFlags(f *flag.FlagSet) {
	f.BoolVar(&c.all, "all", false, "Show every attribute of every span, not only the telling ones.")
}

func (c *queryConfig) validate() error {
	switch {
	case c.since < 0:
		return errors.New("since must not be negative")
	case c.since > 0 && !c.start.IsZero():
		return errors.New("give either since or start")
	case !c.end.IsZero() && c.start.IsZero():
		return errors.New("end needs start")
	case !c.end.IsZero() && c.end.Unix() <= c.start.Unix():
		return errors.New("end must be after start")
	}
	return nil
}

// within returns the parameters start and end, none for all time.
func (c *queryConfig) within(now time.Time, since time.Duration) url.Values {
	values := url.Values{}
	start, end := c.start.Time, c.end.Time
	if start.IsZero() && since > 0 {
		start = now.Add(-since)
	}
	if start.IsZero() {
		return values
	}
	if end.IsZero() {
		end = now.Add(time.Minute) // the clocks of clients may run ahead
	}
	values.Set("start", strconv.FormatInt(start.Unix(), 10))
	values.Set("end", strconv.FormatInt(end.Unix(), 10))
	return values
}

// query runs "query trace", "query search" or "query metrics".
func query(ctx context.Context, args []string, e env) error {
	if len(args) == 0 {
		return &usageError{errors.New("query what? say trace, search or metrics")}
	}
	if isHelp(args[0]) {
		return flag.ErrHelp
	}
	cfg := new(queryConfig)
	fs := flag.NewFlagSet("query", flag.ContinueOnError)
	cfg.registerFlags(fs)
	ask, what := queryTrace, "one trace id"
	switch args[0] {
	case "trace":
		cfg.registerTraceFlags(fs)
	case "search":
		cfg.registerSearchFlags(fs)
		ask, what = querySearch, "one TraceQL query, in quotes"
	case "metrics":
		cfg.registerMetricsFlags(fs)
		ask, what = queryMetrics, "one TraceQL metrics query, in quotes"
	default:
		return &usageError{fmt.Errorf("unknown query %q: say trace, search or metrics", args[0])}
	}
	given, err := parseMixed(fs, args[1:])
	if err != nil {
		return err
	}
	if len(given) != 1 || strings.TrimSpace(given[0]) == "" {
		return &usageError{fmt.Errorf("%s needs %s", args[0], what)}
	}
	if err := cfg.validate(); err != nil {
		return &usageError{err}
	}
	r, err := newTraceReader(cfg.apiEndpoint, identityOf(cfg.project, e))
	if err != nil {
		return &usageError{err}
	}
	defer r.close()
	return ask(ctx, r, cfg, given[0], e.stdout)
}

func queryHelp(w io.Writer) {
	fmt.Fprint(w, `Ask a running spanlake for a trace, search for traces, or calculate metrics of them.
Exits with 0 when something was found, 1 when nothing was or the query failed.

Usage:
  spanlake query trace <trace id> [flags]
  spanlake query search <TraceQL query> [flags]
  spanlake query metrics <TraceQL query> [flags]

Examples:
  A trace as a tree of spans:
    spanlake query trace 4bf92f3577b34da6a3ce929d0e0e4736
  Slow or failed requests of the last six hours:
    spanlake query search '{ resource.service.name = "checkout" && (status = error || duration > 1s) }' -since 6h
  The ids alone, for another program:
    spanlake query search '{ status = error }' -output json | jq -r '.traces[].traceID'
  Failed requests per second of each service, with a graph of the last day:
    spanlake query metrics '{ status = error } | rate() by (resource.service.name)' -since 24h
  One number for each model:
    spanlake query metrics '{ } | sum_over_time(span.gen_ai.usage.input_tokens) by (span.gen_ai.request.model)' -instant
`)
	for _, s := range []struct {
		title    string
		register func(*queryConfig, *flag.FlagSet)
	}{
		{"Flags", (*queryConfig).registerFlags},
		{"Flags of trace", (*queryConfig).registerTraceFlags},
		{"Flags of search", (*queryConfig).registerSearchFlags},
		{"Flags of metrics", (*queryConfig).registerMetricsFlags},
	} {
		fs := flag.NewFlagSet("query", flag.ContinueOnError)
		s.register(new(queryConfig), fs)
		printFlags(w, fs, []section{{s.title, ""}})
	}
}
