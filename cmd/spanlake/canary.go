package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// canaryConfig is the command line of the canary.
type canaryConfig struct {
	otlpEndpoint string
	apiEndpoint  string
	project      string
	interval     time.Duration
	traces       int
	after        time.Duration
	timeout      time.Duration
	seed         uint64
}

func (c *canaryConfig) registerFlags(f *flag.FlagSet) {
	f.StringVar(&c.otlpEndpoint, "otlp.endpoint", "http://127.0.0.1:4318", "`URL` to write to: http:// or https:// for OTLP over HTTP, grpc:// or grpcs:// for OTLP over gRPC.")
	f.StringVar(&c.apiEndpoint, "api.endpoint", "http://127.0.0.1:3200", "`URL` of the query API.")
	f.StringVar(&c.project, "project", "", "Project to write to and read from. Empty: that of the key in "+keyVariable+", or default.")
	f.DurationVar(&c.interval, "interval", time.Second, "Time between two traces.")
	f.IntVar(&c.traces, "traces", 10, "Traces to write; 0 goes on until interrupted.")
	f.DurationVar(&c.after, "after", 0, "Read every trace again when it is this old, also after it went from the log into a block, say. 0 reads all again at the end.")
	f.DurationVar(&c.timeout, "timeout", 10*time.Second, "How long a write may be refused, and a trace be missing, before it counts as a failure.")
	f.Uint64Var(&c.seed, "seed", 0, "Seed of the traces' content; 0 takes a random one.")
}

func (c *canaryConfig) validate() error {
	switch {
	case c.interval < 0:
		return errors.New("interval must not be negative")
	case c.traces < 0:
		return errors.New("traces must not be negative")
	case c.after < 0:
		return errors.New("after must not be negative")
	case c.timeout <= 0:
		return errors.New("timeout must be positive")
	}
	return nil
}

// errCanary makes the exit code tell what the summary says.
var errCanary = errors.New("not every trace came back as it was written, at once, and once")

// canary writes traces and reads them back until it has done what the flags
// say or ctx ends.
func canary(ctx context.Context, args []string, e env) error {
	var cfg canaryConfig
	fs := flag.NewFlagSet("canary", flag.ContinueOnError)
	cfg.registerFlags(fs)
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if err := cfg.validate(); err != nil {
		return &usageError{err}
	}
	if cfg.seed == 0 {
		cfg.seed = rand.Uint64()
	}
	as := identityOf(cfg.project, e)
	w, err := newTraceWriter(cfg.otlpEndpoint, as)
	if err != nil {
		return &usageError{err}
	}
	defer w.close()
	r, err := newTraceReader(cfg.apiEndpoint, as)
	if err != nil {
		return &usageError{err}
	}
	defer r.close()
	run := canaryRun{cfg: cfg, writer: w, reader: r, out: e.stdout, tally: newTally()}
	fmt.Fprintf(e.stdout, "writing to %s, reading from %s, project %s, seed %d\n", cfg.otlpEndpoint, cfg.apiEndpoint, as, cfg.seed)
	run.run(ctx)
	run.tally.print(e.stdout)
	if run.tally.failed() {
		return errCanary
	}
	return nil
}

// maxAgain bounds how many traces of an endless run are remembered for reading
// again at its end.
const maxAgain = 10_000

// canaryRun is one run of the canary.
type canaryRun struct {
	cfg    canaryConfig
	writer traceWriter
	reader *traceReader
	out    io.Writer
	tally  *tally
	again  []written // oldest first
}

// written is what is needed to make a trace again.
type written struct {
	number int
	start  time.Time
	due    time.Time // to be read again
}

func (c *canaryRun) run(ctx context.Context) {
	for n := 1; c.cfg.traces == 0 || n <= c.cfg.traces; n++ {
		c.writeAndRead(ctx, n)
		if n == c.cfg.traces {
			break
		}
		if !pause(ctx, c.cfg.interval) {
			return
		}
		for c.cfg.after > 0 && len(c.again) > 0 && !time.Now().Before(c.again[0].due) {
			c.readAgain(ctx)
		}
	}
	for len(c.again) > 0 && pause(ctx, time.Until(c.again[0].due)) {
		c.readAgain(ctx)
	}
}

// writeAndRead is what happens to every trace. What the end of ctx interrupts
// is not judged.
func (c *canaryRun) writeAndRead(ctx context.Context, n int) {
	t := generateTrace(c.cfg.seed, n, time.Now())
	begun := time.Now()
	err := retry(ctx, c.cfg.timeout, func() error { return c.writer.write(ctx, t.data) })
	o := outcome{number: n, trace: t, write: time.Since(begun)}
	if err != nil {
		o.add(problemError, "not written: %v", err)
	} else {
		c.read(ctx, &o)
		c.remember(written{n, t.start, time.Now().Add(c.cfg.after)})
	}
	c.conclude(ctx, o)
}

func (c *canaryRun) remember(w written) {
	if c.cfg.after == 0 && len(c.again) == maxAgain {
		c.again = c.again[1:]
	}
	c.again = append(c.again, w)
}

func (c *canaryRun) readAgain(ctx context.Context) {
	w := c.again[0]
	c.again = c.again[1:]
	o := outcome{number: w.number, trace: generateTrace(c.cfg.seed, w.number, w.start), again: true}
	c.read(ctx, &o)
	c.conclude(ctx, o)
}

func (c *canaryRun) conclude(ctx context.Context, o outcome) {
	if ctx.Err() != nil {
		return
	}
	c.tally.add(o)
	o.print(c.out)
}

// read looks for the trace by id and by search until both have all of it.
func (c *canaryRun) read(ctx context.Context, o *outcome) {
	o.byID = c.poll(ctx, o, "by id", func() (verdict, error) {
		got, err := c.reader.trace(ctx, o.trace)
		if err != nil {
			return verdict{}, err
		}
		return compareTraces(o.trace.data, got), nil
	})
	o.bySearch = c.poll(ctx, o, "by search", func() (verdict, error) {
		found, err := c.reader.search(ctx, o.trace)
		if err != nil {
			return verdict{}, err
		}
		return found.judge(o.trace), nil
	})
}

// pollInterval is how often a trace that is not there yet is looked for.
const pollInterval = 50 * time.Millisecond

// sighting is when all of a trace was seen.
type sighting struct {
	reads int           // until then
	lag   time.Duration // from the first read to the one that had it all: 0 if that was the first, or never came
	took  time.Duration // by the last read
}

func (s sighting) String() string {
	if s.reads == 0 {
		return "-"
	}
	return brief(s.took)
}

// poll reads until nothing is missing or the time is up, and notes every
// problem of the last read.
func (c *canaryRun) poll(ctx context.Context, o *outcome, how string, read func() (verdict, error)) sighting {
	first := time.Now()
	for reads := 1; ; reads++ {
		begun := time.Now()
		v, err := read()
		s := sighting{reads: reads, took: time.Since(begun)}
		complete := err == nil && v.missing == 0
		if !complete && time.Since(first) < c.cfg.timeout && pause(ctx, pollInterval) {
			continue
		}
		if err != nil {
			o.add(problemError, "%s: %v", how, err)
		}
		v.report(o, how)
		if complete && reads > 1 {
			s.lag = begun.Sub(first)
			o.add(problemLate, "%s: complete only %s after it was acknowledged", how, brief(s.lag))
		}
		return s
	}
}

// retry calls f until it succeeds, fails for good, or the time is up.
func retry(ctx context.Context, timeout time.Duration, f func() error) error {
	begun := time.Now()
	for {
		err := f()
		var refused *refusedError
		if !errors.As(err, &refused) || time.Since(begun)+refused.after > timeout || !pause(ctx, refused.after) {
			return err
		}
	}
}

// pause waits and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func canaryHelp(w io.Writer) {
	fmt.Fprint(w, `Write known traces over OTLP, read each back by id and by search at once, compare
every field, and tell what was lost, doubled, changed or late. Exits with 1 if anything was.

Usage:
  spanlake canary [flags]

Examples:
  Ten traces against a spanlake on this machine:
    spanlake canary
  For ever, over gRPC, each trace read again when it is 10 minutes old:
    spanlake canary -traces 0 -interval 10s -after 10m -otlp.endpoint grpc://127.0.0.1:4317
`)
	fs := flag.NewFlagSet("canary", flag.ContinueOnError)
	new(canaryConfig).registerFlags(fs)
	printFlags(w, fs, []section{{"Flags", ""}})
}
