package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// explainConfig is the command line of "explain retention".
type explainConfig struct {
	bucket bucketFlags
	output outputForm
}

func (c *explainConfig) registerFlags(f *flag.FlagSet) {
	c.bucket.register(f)
	c.output.register(f)
}

// explain runs "explain retention".
func explain(ctx context.Context, args []string, e env) error {
	if len(args) > 0 && isHelp(args[0]) {
		return flag.ErrHelp
	}
	if len(args) == 0 || args[0] != "retention" {
		return &usageError{errors.New("explain what? say retention")}
	}
	var c explainConfig
	fs := flag.NewFlagSet("explain", flag.ContinueOnError)
	c.registerFlags(fs)
	given, err := parseMixed(fs, args[1:])
	if err != nil {
		return err
	}
	if len(given) != 1 {
		return &usageError{errors.New("retention needs the name of one project")}
	}
	id, err := schema.ParseProjectID(given[0])
	if err != nil {
		return &usageError{err}
	}
	return c.retention(ctx, id, e)
}

func (c *explainConfig) retention(ctx context.Context, id schema.ProjectID, e env) error {
	cfg, err := c.bucket.config(e)
	if err != nil {
		return err
	}
	bucket, release, err := app.OpenBucket(ctx, cfg)
	if err != nil {
		return err
	}
	defer release()
	s, err := project.NewRegistry(bucket).Settings(ctx, id)
	if err != nil && !errors.Is(err, project.ErrNotFound) {
		return err
	}
	if s.Deleted() {
		return fmt.Errorf("project %s was deleted on %s: nothing of it is shown, and the compactor removes all of it", id, s.DeletedAt.Format(time.DateTime))
	}
	blocks, _, err := listBlocks(ctx, bucket, blockFilter{prefix: schema.ProjectPrefix(id), project: id, partition: -1})
	if err != nil {
		return err
	}
	r := explainRetention(id, s, cfg.Retention.Default, visibleOf(blocks), time.Now())
	if r.Enforced, err = app.Enforcement(ctx, cfg, id); err != nil {
		return err
	}
	if c.output == outputJSON {
		return printJSON(e.stdout, r)
	}
	return r.print(e.stdout)
}

// retentionPlan is what "explain retention" prints: what goes when, by the day
// in which it was received.
type retentionPlan struct {
	Project   schema.ProjectID  `json:"project"`
	Retention project.Retention `json:"retention"`
	Default   bool              `json:"default"` // the project sets none
	// Rules: what is kept for another time.
	Rules []project.Rule `json:"rules,omitempty"`
	// Hidden: what ended before this is in no answer. Zero if nothing expires.
	Hidden time.Time `json:"hidden_before,omitzero"`
	// Window: what is deleted as one object was received within it.
	Window string `json:"merge_window,omitempty"`
	// Enforced: who deletes them besides the compactor.
	Enforced app.Enforced `json:"enforced,omitzero"`
	Days     []expiryDate `json:"days"`
}

// expiryDate is what was received on one day.
type expiryDate struct {
	Day    string `json:"day"`
	Blocks int    `json:"blocks"`
	Spans  uint64 `json:"spans"`
	Bytes  int64  `json:"bytes"`
	// AllHidden is when the last of the spans leaves all answers, Deleted when
	// the last of the objects is gone at the latest.
	AllHidden time.Time `json:"all_hidden,omitzero"`
	Deleted   time.Time `json:"deleted_by,omitzero"`
}

// mergeWindow is the largest window that blocks are merged over: a day, and at
// most an eighth of the retention.
func mergeWindow(r project.Retention) time.Duration {
	return min(24*time.Hour, time.Duration(r)/8)
}

// visibleOf leaves out blocks that others cover: those go soon anyway.
func visibleOf(blocks []listed) []listed {
	names := make([]schema.BlockName, len(blocks))
	for i, b := range blocks {
		names[i] = b.BlockName
	}
	visible := make(map[schema.BlockName]bool)
	for _, name := range schema.Visible(names) {
		visible[name] = true
	}
	return slices.DeleteFunc(blocks, func(b listed) bool { return !visible[b.BlockName] })
}

func explainRetention(id schema.ProjectID, s project.Settings, fallback project.Retention, blocks []listed, now time.Time) retentionPlan {
	plan := retentionPlan{Project: id, Retention: fallback, Default: s.Retention == nil}
	if s.Retention != nil {
		plan.Retention = *s.Retention
	}
	plan.Rules = s.Rules
	longest := plan.longest()
	kept := time.Duration(longest)
	if kept > 0 {
		plan.Hidden, plan.Window = now.Add(-kept).UTC().Truncate(time.Second), mergeWindow(longest).String()
	}
	days := make(map[string]*expiryDate)
	for _, b := range blocks {
		day := b.Day()
		d := days[day]
		if d == nil {
			d = &expiryDate{Day: day}
			days[day] = d
		}
		d.Blocks++
		d.Spans += b.Spans
		d.Bytes += b.bytes
		if kept > 0 {
			// The window in which it was received ends within one after its first
			// message; the object goes within another one.
			deleted := nanosTime(b.LogNanos).Add(kept + 2*mergeWindow(longest))
			hidden := nanosTime(b.MaxEnd).Add(kept)
			d.Deleted, d.AllHidden = later(d.Deleted, deleted), later(d.AllHidden, hidden)
		}
	}
	for _, d := range days {
		plan.Days = append(plan.Days, *d)
	}
	slices.SortFunc(plan.Days, func(a, b expiryDate) int { return strings.Compare(a.Day, b.Day) })
	return plan
}

func nanosTime(n uint64) time.Time { return time.Unix(int64(n/1e9), int64(n%1e9)).UTC() } //nolint:gosec // seconds

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// longest is how long the last trace is kept, by rules too.
func (p *retentionPlan) longest() project.Retention {
	rules := project.Rules{Rest: p.Retention, Each: p.Rules}
	return rules.Longest()
}

// rulesText says what the rules keep.
func (p *retentionPlan) rulesText() string {
	if len(p.Rules) == 0 {
		return ""
	}
	var text strings.Builder
	for _, r := range p.Rules {
		fmt.Fprintf(&text, "Traces that %s finds are kept for: %s.\n", r.Filter, r.Retention)
	}
	return text.String() + "Of rules that find a trace the longest counts. Of an object that is kept for others, traces are removed once the\n" +
		"window in which its spans were received is older than their retention, in the compactor's next cycle. They are shown until then,\n" +
		"and up to half of -compactor.delete-after longer.\n"
}

func (p *retentionPlan) print(w io.Writer) error {
	from := "set for the project"
	if p.Default {
		from = "the default, -retention.default"
	}
	if _, err := fmt.Fprintf(w, "Project %s keeps spans for: %s (%s).\n", p.Project, p.Retention, from); err != nil {
		return err
	}
	longest, text := p.longest(), "Nothing expires by its age alone.\n"
	if len(p.Rules) == 0 {
		text = "Nothing expires.\n"
	}
	if longest > 0 {
		text = fmt.Sprintf("Spans that ended before %s are in no answer. Objects are deleted whole: a block once the window in\n"+
			"which its spans were received lies that far back, at the latest one merge window (%s) later.\n", p.Hidden.Format(time.DateTime), p.Window)
	}
	text = p.rulesText() + text
	if longest > 0 || p.Enforced.Rule != "" {
		text += p.Enforced.Text(longest) + "\n"
	}
	text += "\n"
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	rows := [][]string{{"RECEIVED", "BLOCKS", "SPANS", "SIZE", "ALL HIDDEN", "DELETED BY"}}
	for _, d := range p.Days {
		rows = append(rows, []string{
			d.Day, strconv.Itoa(d.Blocks), strconv.FormatUint(d.Spans, 10), formatBytes(d.Bytes), dateTime(d.AllHidden), dateTime(d.Deleted),
		})
	}
	return printTable(w, rows)
}

func dateTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("2006-01-02 15:04")
}

func explainHelp(w io.Writer) {
	fmt.Fprint(w, `Say what will be removed when.

Usage:
  spanlake explain retention <project> [flags]

Example:
  What does a month mean for what is there now?
    spanlake project set-retention shop 30d
    spanlake explain retention shop
`)
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	new(explainConfig).registerFlags(fs)
	printFlags(w, fs, []section{{"Flags", ""}})
}
