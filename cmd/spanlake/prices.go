package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// pricesConfig is the command line of "prices".
type pricesConfig struct {
	bucket   bucketFlags
	output   outputForm
	project  string
	provider string
	call     price.Call // of test
}

func (c *pricesConfig) registerFlags(f *flag.FlagSet) {
	c.bucket.register(f)
	c.output.register(f)
	f.StringVar(&c.project, "project", "", "With the prices of this `project`, which are asked first. Empty: those that come with the program.")
	f.StringVar(&c.provider, "provider", "", "List those of one `provider`; of a test, who sells the model, as gen_ai.provider.name says it.")
}

func (c *pricesConfig) registerCall(f *flag.FlagSet) {
	for _, count := range []struct {
		value             *int64
		name, description string
	}{
		{&c.call.Input, "input", "`Number` of tokens of the prompt, with those that were cached."},
		{&c.call.CacheRead, "cached", "`Number` of these that were read from a cache."},
		{&c.call.CacheWrite, "cache-written", "`Number` of these that were written to a cache."},
		{&c.call.AudioInput, "audio-input", "`Number` of these that were audio."},
		{&c.call.Output, "output", "`Number` of tokens of the answer, with reasoning."},
		{&c.call.Reasoning, "reasoning", "`Number` of these that were reasoning."},
		{&c.call.AudioOutput, "audio-output", "`Number` of these that were audio."},
	} {
		f.Int64Var(count.value, count.name+"-tokens", 0, count.description)
	}
	f.StringVar(&c.call.ServiceTier, "service-tier", "", "The `tier` at which the call was served, such as flex.")
}

// prices runs "spanlake prices list" and "spanlake prices test".
func prices(ctx context.Context, args []string, e env) error {
	if len(args) > 0 && isHelp(args[0]) {
		return flag.ErrHelp
	}
	if len(args) == 0 || args[0] != "list" && args[0] != "test" {
		return &usageError{errors.New("want list or test")}
	}
	var c pricesConfig
	fs := flag.NewFlagSet("prices "+args[0], flag.ContinueOnError)
	c.registerFlags(fs)
	if args[0] == "test" {
		c.registerCall(fs)
	}
	given, err := parseMixed(fs, args[1:])
	if err != nil {
		return err
	}
	if args[0] == "list" && len(given) > 0 || args[0] == "test" && len(given) != 1 {
		return &usageError{errors.New("want: spanlake prices list, or spanlake prices test <model>")}
	}
	table, err := c.table(ctx, e)
	if err != nil {
		return err
	}
	if args[0] == "list" {
		return c.list(table, e.stdout)
	}
	return c.test(table, given[0], e.stdout)
}

// table is the one that counts for the project.
func (c *pricesConfig) table(ctx context.Context, e env) (*price.Table, error) {
	if c.project == "" {
		return price.Shipped(), nil
	}
	id, err := schema.ParseProjectID(c.project)
	if err != nil {
		return nil, &usageError{err}
	}
	cfg, err := c.bucket.config(e)
	if err != nil {
		return nil, err
	}
	bucket, release, err := app.OpenBucket(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := project.NewRegistry(bucket).Settings(ctx, id)
	if err != nil && !errors.Is(err, project.ErrNotFound) {
		return nil, err
	}
	return price.Shipped().With(s.Prices), nil
}

func (c *pricesConfig) list(table *price.Table, w io.Writer) error {
	entries, own := table.Entries()
	rows := [][]string{{"MODEL", "PROVIDER", "TABLE", "DOLLARS PER MILLION TOKENS"}}
	var listed []price.Entry
	for i := range entries {
		entry := &entries[i]
		if c.provider != "" && entry.Provider != c.provider {
			continue
		}
		from := price.Shipped().Version()
		if i < own {
			from = c.project
		}
		listed = append(listed, *entry)
		rows = append(rows, []string{entry.Model, orDash(entry.Provider), from, ratesText(&entry.Rates) + tiersText(entry)})
	}
	if c.output == outputJSON {
		return printJSON(w, map[string]any{"version": table.Version(), "models": listed})
	}
	return printTable(w, rows)
}

// errUnpriced is why a test fails.
var errUnpriced = errors.New("no price: calls of this model have no cost")

func (c *pricesConfig) test(table *price.Table, model string, w io.Writer) error {
	entry := table.Find(c.provider, model)
	if entry == nil {
		return fmt.Errorf("model %q, asked as %s: %w; set one with spanlake project set-prices", model, strings.Join(price.Names(model), ", "), errUnpriced)
	}
	cost, priced := entry.Of(&c.call)
	if !priced {
		return fmt.Errorf("model %q is %s, which has no price for all that was used: %w", model, entry.Model, errUnpriced)
	}
	if c.output == outputJSON {
		return printJSON(w, map[string]any{
			"model": entry.Model, "provider": entry.Provider, "table": table.Version(),
			"cost": map[string]float64{"input": cost.Input, "output": cost.Output, "total": cost.Total},
		})
	}
	rows := [][]string{
		{"Model", entry.Model},
		{"Provider", orDash(entry.Provider)},
		{"Table", table.Version()},
		{"Per million tokens", ratesText(&entry.Rates) + tiersText(entry)},
	}
	if c.call.Input > 0 || c.call.Output > 0 {
		rows = append(rows, []string{"Cost", fmt.Sprintf("$%s: input $%s, output $%s", dollars(cost.Total), dollars(cost.Input), dollars(cost.Output))})
	}
	return printTable(w, rows)
}

// ratesText are the rates, in dollars per million tokens.
func ratesText(r *price.Rates) string {
	var parts []string
	for _, rate := range []struct {
		name  string
		value *float64
	}{
		{"input", r.Input},
		{"output", r.Output},
		{"cached", r.CachedInput},
		{"cache write", r.CacheWrite},
		{"for an hour", r.CacheWrite1h},
		{"audio in", r.InputAudio},
		{"audio out", r.OutputAudio},
		{"reasoning", r.Reasoning},
	} {
		if rate.value != nil {
			parts = append(parts, rate.name+" "+perMillion(*rate.value))
		}
	}
	return strings.Join(parts, ", ")
}

func tiersText(entry *price.Entry) string {
	if len(entry.Tiers) == 0 {
		return ""
	}
	return " (" + counted(len(entry.Tiers), "tier") + ")"
}

func perMillion(dollarsPerToken float64) string {
	return strconv.FormatFloat(dollarsPerToken*1e6, 'g', 6, 64)
}

func dollars(amount float64) string { return strconv.FormatFloat(amount, 'f', -1, 64) }

func pricesHelp(w io.Writer) {
	fmt.Fprint(w, `List what tokens of models cost, or say what a call of one would be priced at.
Costs are computed for spans that name a model and bring no cost of their own.

Usage:
  spanlake prices list
  spanlake prices test <model>

Examples:
  What a model is found as, however it is spelled:
    spanlake prices test us.anthropic.claude-sonnet-4-5-20250929-v1:0
  What a call costs:
    spanlake prices test gpt-4o-mini -input-tokens 42 -cached-tokens 16 -output-tokens 17
  With the prices that a project has set (spanlake project set-prices):
    spanlake prices list -project shop
`)
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	new(pricesConfig).registerFlags(flags)
	printFlags(w, flags, []section{{"Flags", ""}})
	flags = flag.NewFlagSet("", flag.ContinueOnError)
	new(pricesConfig).registerCall(flags)
	printFlags(w, flags, []section{{"Flags of test", ""}})
}
