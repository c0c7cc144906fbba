package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// exportConfig is the command line of an export.
type exportConfig struct {
	apiEndpoint, project, query, format, columns, out string

	from, to instant
	resume   bool
}

func (c *exportConfig) registerFlags(f *flag.FlagSet) {
	f.StringVar(&c.apiEndpoint, "api.endpoint", "http://127.0.0.1:3200", "`URL` of the query API.")
	f.StringVar(&c.project, "project", "", "Project to read from. Empty: that of the key in "+keyVariable+", or default.")
	f.Var(&c.from, "from", "Export traces that begin at this `time` or later: RFC 3339 or Unix seconds.")
	f.Var(&c.to, "to", "Export traces that begin before this `time`. Empty: now.")
	f.StringVar(&c.query, "q", "{ }", "TraceQL `query`: only traces that it finds, whole.")
	f.StringVar(&c.format, "format", formatOTLP, "`Form` of the output: "+strings.Join(exportFormats(), ", ")+".")
	f.StringVar(&c.columns, "columns", strings.Join(defaultColumns(), ","), "Columns of csv: `names` of fields of jsonl, with commas between.")
	f.StringVar(&c.out, "out", "-", "`File` to write, or - for standard output.")
	f.BoolVar(&c.resume, "resume", false, "Go on with an export that was interrupted, by what the file beside the output says.")
}

func (c *exportConfig) validate() error {
	if !slices.Contains(exportFormats(), c.format) {
		return fmt.Errorf("format %q: want one of %s", c.format, strings.Join(exportFormats(), ", "))
	}
	if c.format == formatCSV {
		if err := checkColumns(c.columnList()); err != nil {
			return err
		}
	}
	switch {
	case strings.TrimSpace(c.query) == "":
		return errors.New("q must not be empty: { } is all traces")
	case c.out == "":
		return errors.New("out must not be empty: give a file, or - for standard output")
	case c.out == "-" && c.resume:
		return errors.New("resume needs the file that the export wrote (-out): standard output cannot be resumed")
	case c.from.IsZero() && !c.resume:
		return errors.New("from is missing: say when the first traces begin, such as -from 2026-01-15T00:00:00Z")
	case c.from.Nanosecond() != 0 || c.to.Nanosecond() != 0:
		return errors.New("from and to must be whole seconds")
	case !c.from.IsZero() && !c.to.IsZero() && !c.to.After(c.from.Time):
		return errors.New("to must be after from")
	case c.from.After(time.Now()) && c.to.IsZero():
		return errors.New("from is in the future")
	}
	return nil
}

func (c *exportConfig) columnList() []string { return strings.Split(c.columns, ",") }

// begin is the state of an export that has done nothing.
func (c *exportConfig) begin(as identity, now time.Time) exportState {
	to := c.to.Unix()
	if c.to.IsZero() {
		to = now.Unix() + 1
	}
	s := exportState{Project: as.String(), Query: c.query, Format: c.format, From: c.from.Unix(), To: to, Next: c.from.Unix()}
	if c.format == formatCSV {
		s.Columns = c.columns
	}
	return s
}

// export runs "export".
func export(ctx context.Context, args []string, e env) error {
	cfg := new(exportConfig)
	fs := flag.NewFlagSet("export", flag.ContinueOnError)
	cfg.registerFlags(fs)
	rest, err := parseMixed(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return &usageError{fmt.Errorf("unexpected argument %q", rest[0])}
	}
	if err := cfg.validate(); err != nil {
		return &usageError{err}
	}
	as := identityOf(cfg.project, e)
	r, err := newTraceReader(cfg.apiEndpoint, as)
	if err != nil {
		return &usageError{err}
	}
	r.client.Timeout = exportTimeout
	defer r.close()
	out, err := openExport(cfg, cfg.begin(as, time.Now()), e.stdout)
	if err != nil {
		return err
	}
	x := &exporter{reader: r, out: out, progress: newProgress(e.stderr, "exporting", 0)}
	err = x.run(ctx, newTraceFormat(cfg, out.w))
	x.progress.end()
	if err := errors.Join(err, out.close(err == nil)); err != nil {
		return explainStop(ctx, cfg, &out.state, err)
	}
	fmt.Fprintf(e.stderr, "exported %s in %s\n", count(out.state.Spans, "span"), count(out.state.Traces, "trace"))
	if out.state.Gone > 0 {
		fmt.Fprintf(e.stderr, "%s expired or erased before the export came to them\n", count(out.state.Gone, "trace"))
	}
	return nil
}

// explainStop says what to do about an export that did not come to its end.
func explainStop(ctx context.Context, cfg *exportConfig, s *exportState, err error) error {
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if cfg.out == "-" {
		return err
	}
	return fmt.Errorf("%w\n%s are safely in %s: the same command with -resume goes on after them", err, count(s.Traces, "trace"), cfg.out)
}

func exportHelp(w io.Writer) {
	fmt.Fprint(w, `Write the traces of a time range into a file, for other programs: whole traces, each once, in the order of their beginnings.

Usage:
  spanlake export -from <time> [flags]

Formats:
  otlp   one OTLP JSON message (TracesData) per line and trace, as the Collector's file exporter writes and its
         receiver otlpjsonfile reads
  jsonl  one flat JSON object per line and span: trace_id, name, start, ..., resource.<key>, scope.<key>, span.<key>
  csv    one line per span with the fields of -columns, by RFC 4180, after a line of their names

An export to a file keeps how far it is in FILE.state. If it was interrupted, in whatever way, the same command with
-resume cuts the file back to what is sure and goes on there; -from and -to may be left out. The state file is deleted
when the export is complete.

Examples:
  A day as OTLP:
    spanlake export -from 2026-01-15T00:00:00Z -to 2026-01-16T00:00:00Z -out day.otlp.jsonl
  The calls of models for a spreadsheet:
    spanlake export -from 2026-01-01T00:00:00Z -q '{ span.gen_ai.request.model != nil }' -format csv \
      -columns trace_id,start,duration_ns,span.gen_ai.request.model,span.gen_ai.usage.output_tokens -out calls.csv
`)
	fs := flag.NewFlagSet("export", flag.ContinueOnError)
	new(exportConfig).registerFlags(fs)
	printFlags(w, fs, []section{{"Flags", ""}})
}
