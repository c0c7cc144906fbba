package traceqltest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

//go:embed testdata/*.txt
var scripts embed.FS

// Scripts are the scripts of this package, one file for each section of the
// language.
func Scripts() fs.FS {
	sub, err := fs.Sub(scripts, "testdata")
	if err != nil {
		return scripts // the folder is embedded above
	}
	return sub
}

// Open makes an engine of spans. The rows are its own.
type Open func(t *testing.T, rows []schema.Span) Engine

// Run plays every script of a folder, each as a test of its own. See the package
// for what a script is.
func Run(t *testing.T, folder fs.FS, open Open) {
	t.Helper()
	names, err := fs.Glob(folder, "*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(name, ".txt"), func(t *testing.T) {
			content, err := fs.ReadFile(folder, name)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{open: open}
			if _, err := p.play(t, content); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Rewrite plays the scripts of a folder and writes the engine's answers into
// them, to be read in review.
func Rewrite(t *testing.T, folder string, open Open) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts in %s: %v", folder, err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := &player{open: open, rewrite: true}
		if content, err = p.play(t, content); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// player plays one script.
type player struct {
	open    Open
	rewrite bool
	engine  Engine
	names   map[spanKey]string
}

func (p *player) play(t *testing.T, content []byte) ([]byte, error) {
	t.Helper()
	s, err := parseScript(content)
	if err != nil {
		return nil, err
	}
	for i := range s.commands {
		c := &s.commands[i]
		word, rest, _ := strings.Cut(c.text, " ")
		var got []string
		switch word {
		case "load":
			err = p.load(t, c.below)
		case "eval":
			got, err = p.eval(t.Context(), rest)
		case "fail":
			got, err = p.fail(t.Context(), rest)
		default:
			err = fmt.Errorf("%q is no command", word)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", c.number, c.text, err)
		}
		if word != "load" {
			p.compare(t, c, word, got)
		}
	}
	return s.bytes(), nil
}

// compare holds the answer against the script, or writes it into it.
func (p *player) compare(t *testing.T, c *command, word string, got []string) {
	t.Helper()
	var want []string
	for _, l := range c.below {
		want = append(want, l.text)
	}
	g, w := strings.Join(got, "\n  "), strings.Join(want, "\n  ")
	if g == w || word == "fail" && w != "" && strings.Contains(g, w) {
		return
	}
	if p.rewrite {
		c.below = nil
		for _, text := range got {
			c.below = append(c.below, line{indent: 2, text: text})
		}
		return
	}
	t.Errorf("line %d: %s\ngot\n  %s\nwant\n  %s", c.number, c.text, g, w)
}

func (p *player) load(t *testing.T, lines []line) error {
	t.Helper()
	l := &loader{}
	rows, err := l.load(lines)
	if err != nil {
		return err
	}
	p.engine, p.names = p.open(t, rows), l.names
	return nil
}

// fail returns the message of a query that is refused.
func (p *player) fail(ctx context.Context, text string) ([]string, error) {
	q, err := traceql.Parse(text)
	if err == nil && p.engine != nil && q.Metrics == nil {
		_, err = p.engine.Search(ctx, q, SearchOptions{})
	}
	if err == nil {
		return nil, errors.New("it is not refused")
	}
	return strings.Split(err.Error(), "\n"), nil
}

// eval asks a query and writes down the answer.
func (p *player) eval(ctx context.Context, text string) ([]string, error) {
	if p.engine == nil {
		return nil, errors.New("nothing is loaded")
	}
	switch words := strings.Fields(text); {
	case words[0] == "range" && len(words) > 4:
		return p.metrics(ctx, text, words[1:4])
	case words[0] == "instant" && len(words) > 3:
		return p.metrics(ctx, text, append([]string{"0s"}, words[1:3]...))
	}
	return p.search(ctx, text)
}

// search reads settings such as limit=2 before the query.
func (p *player) search(ctx context.Context, text string) ([]string, error) {
	var options SearchOptions
	whole := false
	for {
		word, rest, _ := strings.Cut(text, " ")
		key, value, isSetting := strings.Cut(word, "=")
		if word == "traces" {
			whole, text = true, rest
			continue
		}
		if !isSetting || strings.ContainsAny(key, "{(") {
			break
		}
		if err := options.set(key, value); err != nil {
			return nil, err
		}
		text = rest
	}
	q, err := traceql.Parse(text)
	if err != nil {
		return nil, err
	}
	traces, err := p.engine.Search(ctx, q, options)
	if err != nil {
		return nil, err
	}
	return p.traceLines(traces, whole), nil
}

func (o *SearchOptions) set(key, value string) error {
	if at, err := time.ParseDuration(value); err == nil && (key == "from" || key == "to") {
		if key == "from" {
			o.StartNanos = Origin + uint64(at) //nolint:gosec // a script's
		} else {
			o.EndNanos = Origin + uint64(at) //nolint:gosec // a script's
		}
		return nil
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		return fmt.Errorf("%s=%s: %w", key, value, err)
	case key == "limit":
		o.Limit = n
	case key == "spss":
		o.SpansPerSpanSet = n
	default:
		return fmt.Errorf("%q is no setting", key)
	}
	return nil
}

// traceLines are a line for each spanset, with one for its trace before it if
// the whole is asked for.
func (p *player) traceLines(traces []Trace, whole bool) (lines []string) {
	name := func(trace schema.TraceID, s Span) string {
		if name, ok := p.names[spanKey{trace, s.ID}]; ok {
			return name
		}
		return s.ID.String()
	}
	for _, tr := range traces {
		id := strings.TrimLeft(tr.ID.String(), "0")
		all := FormatTraces([]Trace{tr}, name)
		if whole {
			start := time.Duration(tr.StartNanos - Origin) //nolint:gosec // negative before the origin
			lines = append(lines, fmt.Sprintf("%s: start %s, %d ms, root %q %q", id, start, tr.DurationMs, tr.RootService, tr.RootName))
		}
		for _, set := range all[1:] {
			lines = append(lines, id+": "+strings.TrimSpace(set))
		}
	}
	return lines
}

// metrics asks a metrics query: the step, the start and the end come first.
func (p *player) metrics(ctx context.Context, text string, times []string) ([]string, error) {
	var at [3]uint64
	for i, word := range times {
		d, err := time.ParseDuration(word)
		if err != nil {
			return nil, fmt.Errorf("time: %w", err)
		}
		at[i] = uint64(d) //nolint:gosec // a script's
	}
	skip := len(times) + 1
	if at[0] == 0 {
		skip--
	}
	for range skip {
		_, text, _ = strings.Cut(text, " ")
	}
	q, err := traceql.Parse(text)
	if err != nil {
		return nil, err
	}
	options := MetricsOptions{StepNanos: at[0], StartNanos: Origin + at[1], EndNanos: Origin + at[2]}
	list, err := p.engine.Metrics(ctx, q, options)
	if err != nil {
		return nil, err
	}
	return seriesLines(list, options.times()), nil
}

// times are those of the points of a query: of a range the multiples of the
// step from the start rounded down to the end rounded up; 0 of an instant.
func (o MetricsOptions) times() (times []uint64) {
	if o.StepNanos == 0 {
		return []uint64{0}
	}
	for at := o.StartNanos / o.StepNanos * o.StepNanos; at < o.EndNanos+o.StepNanos; at += o.StepNanos {
		times = append(times, at)
	}
	return times
}

// seriesLines are a line for each series: its labels and its points, _ where
// there is none.
func seriesLines(list []Series, times []uint64) (lines []string) {
	for _, s := range list {
		points := []string{LabelsText(s.Labels)}
		for _, at := range times {
			point := "_"
			for _, sample := range s.Samples {
				if sample.Nanos == at {
					point = strconv.FormatFloat(round(sample.Value), 'g', -1, 64)
				}
			}
			points = append(points, point)
		}
		lines = append(lines, strings.Join(points, " "))
	}
	slices.Sort(lines)
	return lines
}
