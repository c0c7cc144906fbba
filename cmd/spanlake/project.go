package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/settings"
)

// projectConfig is the command line of "project".
type projectConfig struct {
	bucket  bucketFlags
	url     string
	keyFile string
	output  outputForm

	retention string    // of create
	rules     ruleFlags // of create and set-retention
	noRules   bool      // of set-retention
	aliases   string
	scopes    string // of add-key
	keyName   string
	all       bool // keys of all projects
}

func (c *projectConfig) registerFlags(f *flag.FlagSet) {
	c.bucket.register(f)
	f.StringVar(&c.url, "url", "", "`URL` of a running server's API, such as http://127.0.0.1:3200, instead of a bucket.")
	f.StringVar(&c.keyFile, "admin-key-file", "", "`File` with the secret of an admin's key, for -url. Or else the environment variable "+adminKeyVariable+".")
	c.output.register(f)
}

// projectVerb is what "project" can do.
type projectVerb struct {
	name, arguments, summary string
	reads                    bool                                // it changes nothing
	register                 func(*projectConfig, *flag.FlagSet) // more flags; nil: none
	run                      func(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error
}

func projectVerbs() []projectVerb {
	return []projectVerb{
		{"create", "<name>", "Create a project.", false, (*projectConfig).registerCreateFlags, projectCreate},
		{"list", "", "List the projects that have settings.", true, nil, projectList},
		{"show", "<name>", "Show what is set for a project, and its keys.", true, nil, projectShow},
		{"set-retention", "<name> <duration | unlimited | default>", "Set how long its spans are kept.", false, (*projectConfig).registerRetentionFlags, projectSetRetention},
		{"set-limit", "<name> <limit> <number | unlimited | default>", "Set one of its limits.", false, nil, projectSetLimit},
		{"set-prices", "<name> <file | default>", "Replace its own prices of models by those in a file.", false, nil, projectSetPrices},
		{"set-aliases", "<name> [alias …]", "Replace the other spellings of its name.", false, nil, projectSetAliases},
		{"add-key", "<name>", "Make a key, whose secret is shown once.", false, (*projectConfig).registerKeyFlags, projectAddKey},
		{"revoke-key", "<name> <key>", "Refuse a key from now on, everywhere within seconds.", false, (*projectConfig).registerAllFlag, projectRevokeKey},
		{"delete", "<name>", "Delete a project with its keys and all its data.", false, nil, projectDelete},
	}
}

func (c *projectConfig) registerCreateFlags(f *flag.FlagSet) {
	f.StringVar(&c.retention, "retention", "", "How long its spans are kept: a `duration` such as 36h, 90d or 1y, or unlimited. Empty: the server's default.")
	c.registerRuleFlag(f)
	f.StringVar(&c.aliases, "aliases", "", "Other spellings of its name in X-Scope-OrgID, separated by commas.")
}

func (c *projectConfig) registerRetentionFlags(f *flag.FlagSet) {
	c.registerRuleFlag(f)
	f.BoolVar(&c.noRules, "no-rules", false, "Remove all rules. Without this and -rule they stay as they are.")
}

func (c *projectConfig) registerRuleFlag(f *flag.FlagSet) {
	f.Var(&c.rules, "rule", "Keep traces that a search finds for another time: a `rule` such as '{ status = error }=90d'. Given several times, the longest counts that finds a trace.")
}

// ruleFlags are rules, each given as filter=retention.
type ruleFlags []project.Rule

// String writes nothing: there are no rules by default.
func (*ruleFlags) String() string { return "" }

// Set adds a rule.
func (r *ruleFlags) Set(text string) error {
	at := strings.LastIndexByte(text, '=')
	if at < 0 {
		return fmt.Errorf("want filter=retention, such as '{ status = error }=90d', have %q", text)
	}
	retention, err := project.ParseRetention(strings.TrimSpace(text[at+1:]))
	if err == nil {
		*r = append(*r, project.Rule{Filter: strings.TrimSpace(text[:at]), Retention: retention})
	}
	return err
}

func (c *projectConfig) registerKeyFlags(f *flag.FlagSet) {
	f.StringVar(&c.scopes, "scopes", "ingest,query", "What the key is good for, separated by commas: ingest, query, admin, and with -all also metrics.")
	f.StringVar(&c.keyName, "name", "", "What the key is for, to recognise it.")
	c.registerAllFlag(f)
}

func (c *projectConfig) registerAllFlag(f *flag.FlagSet) {
	f.BoolVar(&c.all, "all", false, "Of a key that is good for every project, instead of one's name.")
}

// projects runs "spanlake project …".
func projects(ctx context.Context, args []string, e env) error {
	var names []string
	for _, v := range projectVerbs() {
		if names = append(names, v.name); len(args) > 0 && args[0] == v.name {
			return runProject(ctx, v, args[1:], e)
		}
	}
	if len(args) > 0 && isHelp(args[0]) {
		return flag.ErrHelp
	}
	return &usageError{fmt.Errorf("want one of %s", strings.Join(names, ", "))}
}

func runProject(ctx context.Context, v projectVerb, args []string, e env) error {
	c := new(projectConfig)
	fs := flag.NewFlagSet("project "+v.name, flag.ContinueOnError)
	c.registerFlags(fs)
	if v.register != nil {
		v.register(c, fs)
	}
	given, err := parseMixed(fs, args)
	if err != nil {
		return err
	}
	if c.all {
		given = append([]string{allProjects}, given...)
	}
	wanted := strings.Count(v.arguments, "<")
	if len(given) < wanted || len(given) > wanted && !strings.Contains(v.arguments, "…") {
		return &usageError{fmt.Errorf("want: spanlake project %s %s", v.name, v.arguments)}
	}
	client, release, err := c.client(ctx, v.reads, e)
	if err != nil {
		return err
	}
	defer release()
	return v.run(ctx, c, client, given, e)
}

func listOf(text string) (list []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func projectCreate(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error {
	body := app.NewProject{Name: args[0]}
	if c.retention != "" {
		body.Retention = &c.retention
	}
	if len(c.rules) > 0 {
		body.Rules = (*[]project.Rule)(&c.rules)
	}
	if aliases := listOf(c.aliases); len(aliases) > 0 {
		body.Aliases = &aliases
	}
	var reply app.ProjectReply
	if err := p.call(ctx, "POST", nil, body, &reply); err != nil {
		return err
	}
	return printProject(c, reply, nil, e.stdout)
}

func projectList(ctx context.Context, c *projectConfig, p *projectClient, _ []string, e env) error {
	var reply struct {
		Projects []app.ProjectReply `json:"projects"`
	}
	if err := p.call(ctx, "GET", nil, nil, &reply); err != nil {
		return err
	}
	if c.output == outputJSON {
		return printJSON(e.stdout, reply)
	}
	return printProjects(reply.Projects, e.stdout)
}

func projectShow(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error {
	var reply app.ProjectReply
	if err := p.call(ctx, "GET", args, nil, &reply); err != nil {
		return err
	}
	var keys struct {
		Keys []app.KeyReply `json:"keys"`
	}
	if err := p.call(ctx, "GET", []string{args[0], "keys"}, nil, &keys); err != nil {
		return err
	}
	return printProject(c, reply, keys.Keys, e.stdout)
}

func (c *projectConfig) patch(ctx context.Context, p *projectClient, name string, patch project.Patch, e env) error {
	var reply app.ProjectReply
	if err := p.call(ctx, "PATCH", []string{name}, patch, &reply); err != nil {
		return err
	}
	return printProject(c, reply, nil, e.stdout)
}

func projectSetRetention(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error {
	patch := project.Patch{Retention: &args[1]}
	if c.noRules && len(c.rules) > 0 {
		return &usageError{errors.New("want either -rule or -no-rules")}
	}
	if c.noRules || len(c.rules) > 0 {
		rules := append([]project.Rule{}, c.rules...)
		patch.Rules = &rules
	}
	return c.patch(ctx, p, args[0], patch, e)
}

func projectSetLimit(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error {
	value, err := parseLimit(args[2])
	if err != nil {
		return &usageError{err}
	}
	return c.patch(ctx, p, args[0], project.Patch{Limits: map[string]int64{args[1]: value}}, e)
}

// parseLimit reads a number, with a unit of bytes or without.
func parseLimit(text string) (int64, error) {
	switch text {
	case "unlimited":
		return project.Unlimited, nil
	case "default":
		return 0, nil
	}
	var size settings.Size
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		return n, nil
	}
	if err := size.Set(text); err != nil || size == 0 {
		return 0, fmt.Errorf("limit %q: want a positive number, a size such as 64MiB, unlimited or default", text)
	}
	return int64(size), nil //nolint:gosec // Set bounds it
}

// projectSetPrices reads a JSON list of prices, in the form of the shipped table's
// models.
func projectSetPrices(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error {
	own := []price.Entry{}
	if args[1] != "default" {
		data, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		strict := json.NewDecoder(bytes.NewReader(data))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&own); err != nil {
			return fmt.Errorf("%s: want a JSON list of prices, such as [{\"model\": \"ours\", \"input\": 1e-6, \"output\": 4e-6}]: %w", args[1], err)
		}
	}
	return c.patch(ctx, p, args[0], project.Patch{Prices: &own}, e)
}

func projectSetAliases(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error {
	aliases := append([]string{}, args[1:]...)
	return c.patch(ctx, p, args[0], project.Patch{Aliases: &aliases}, e)
}

func projectAddKey(ctx context.Context, c *projectConfig, p *projectClient, args []string, e env) error {
	body := app.NewKey{Name: c.keyName}
	for _, scope := range listOf(c.scopes) {
		body.Scopes = append(body.Scopes, project.Scope(scope))
	}
	var reply app.KeyReply
	if err := p.call(ctx, "POST", []string{args[0], "keys"}, body, &reply); err != nil {
		return err
	}
	if c.output == outputJSON {
		return printJSON(e.stdout, reply)
	}
	return printNewKey(reply, e.stdout)
}

func projectRevokeKey(ctx context.Context, _ *projectConfig, p *projectClient, args []string, e env) error {
	if err := p.call(ctx, "DELETE", []string{args[0], "keys", args[1]}, nil, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "Key %s is revoked: every process refuses it within seconds.\n", args[1])
	return err
}

func projectDelete(ctx context.Context, _ *projectConfig, p *projectClient, args []string, e env) error {
	if err := p.call(ctx, "DELETE", args, nil, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "Project %s is deleted: its keys are gone, every process refuses it within seconds, and the compactor removes its data.\n", args[0])
	return err
}

func projectsHelp(w io.Writer) {
	fmt.Fprint(w, `Administer projects: how long their data is kept, their limits, and the keys to them.
Works on the bucket, also beside a running server, which sees a change within seconds;
with -url it asks a server instead.

Usage:
`)
	for _, v := range projectVerbs() {
		fmt.Fprintf(w, "  spanlake project %s\n      %s\n", strings.TrimSpace(v.name+" "+v.arguments), v.summary)
	}
	fmt.Fprint(w, `
Examples:
  Keep the spans of a project for ninety days:
    spanlake project set-retention shop 90d
  Its traces with an error for ninety days, others for three:
    spanlake project set-retention shop 3d -rule '{ status = error }=90d'
  A project for a team, and a key for its Collector and Grafana:
    spanlake project create shop -retention 30d
    spanlake project add-key shop -scopes ingest,query -name collector
  The first key of an administrator, on the bucket of a server that asks for keys, and its use:
    spanlake project add-key -all -scopes admin -bucket 's3://my-traces?region=eu-west-1'
    SPANLAKE_ADMIN_KEY=sk-sl-… spanlake project list -url https://traces.example.com
  What a model costs that no table has, from now on:
    spanlake project set-prices shop prices.json
  At most 5 MiB a second from a project, in each process:
    spanlake project set-limit shop ingest_bytes_per_second 5MiB
`)
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	new(projectConfig).registerFlags(flags)
	printFlags(w, flags, []section{{"Flags", ""}})
	for _, v := range projectVerbs() {
		if v.register != nil {
			flags := flag.NewFlagSet("", flag.ContinueOnError)
			v.register(new(projectConfig), flags)
			printFlags(w, flags, []section{{"Flags of " + v.name, ""}})
		}
	}
}
