package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// eraseConfig is the command line of "erase".
type eraseConfig struct {
	url     string
	keyFile string
	project string
	output  outputForm

	traces texts
	where  string
	dryRun bool
	wait   bool
}

// texts is a flag that may be given several times.
type texts []string

func (t *texts) String() string { return strings.Join(*t, ",") }

func (t *texts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

func (c *eraseConfig) registerFlags(f *flag.FlagSet) {
	f.StringVar(&c.url, "url", "http://127.0.0.1:3200", "`URL` of the API of a server that answers queries.")
	f.StringVar(&c.keyFile, "admin-key-file", "", "`File` with the secret of an admin's key. Or else the environment variable "+adminKeyVariable+".")
	f.StringVar(&c.project, "project", string(schema.DefaultProject), "Project to erase from.")
	c.output.register(f)
}

func (c *eraseConfig) registerRequestFlags(f *flag.FlagSet) {
	f.Var(&c.traces, "trace", "`Id` of a trace to erase. May be given several times.")
	f.StringVar(&c.where, "where", "", "Erase all traces that this TraceQL `query` finds, whenever they were.")
	f.BoolVar(&c.dryRun, "dry-run", false, "Only say how many traces and spans that would be.")
	f.BoolVar(&c.wait, "wait", false, "Wait until nothing is left of them, half an hour or more.")
}

// erase runs "spanlake erase" and "spanlake erase status".
func erase(ctx context.Context, args []string, e env) error {
	c := new(eraseConfig)
	status := len(args) > 0 && args[0] == "status"
	fs := flag.NewFlagSet("erase", flag.ContinueOnError)
	c.registerFlags(fs)
	if status {
		args = args[1:]
	} else {
		c.registerRequestFlags(fs)
	}
	if len(args) > 0 && isHelp(args[0]) {
		return flag.ErrHelp
	}
	given, err := parseMixed(fs, args)
	if err != nil {
		return err
	}
	client, err := c.client(ctx, e)
	if err != nil {
		return err
	}
	switch {
	case status && len(given) == 0:
		return c.list(ctx, client, e)
	case status && len(given) == 1:
		return c.status(ctx, client, given[0], e)
	case status:
		return &usageError{errors.New("want: spanlake erase status [id]")}
	case len(given) > 0:
		return &usageError{fmt.Errorf("what is %q? A trace goes behind -trace, a query behind -where", given[0])}
	case (len(c.traces) == 0) == (c.where == ""):
		return &usageError{errors.New("want -trace, once or more, or -where")}
	}
	return c.request(ctx, client, e)
}

// client asks a server, however long that takes: a query may have to look at
// everything that a project has.
func (c *eraseConfig) client(ctx context.Context, e env) (*projectClient, error) {
	project := projectConfig{url: c.url, keyFile: c.keyFile}
	client, _, err := project.client(ctx, true, e)
	if err != nil {
		return nil, err
	}
	client.http.Timeout = 0
	return client, nil
}

func (c *eraseConfig) request(ctx context.Context, client *projectClient, e env) error {
	var reply app.ErasureReply
	body := app.NewErasure{Traces: c.traces, Where: c.where, DryRun: c.dryRun}
	if err := client.call(ctx, http.MethodPost, []string{c.project, "erasures"}, body, &reply); err != nil {
		return err
	}
	if c.wait && !c.dryRun {
		fmt.Fprintf(e.stderr, "Erasure %s: %s hidden, waiting until nothing is left of them.\n", reply.ID, counted(reply.Traces, "trace"))
		if err := c.await(ctx, client, &reply); err != nil {
			return err
		}
		return c.status(ctx, client, reply.ID, e)
	}
	if c.output == outputJSON {
		return printJSON(e.stdout, reply)
	}
	if c.dryRun {
		_, err := fmt.Fprintf(e.stdout, "%s with %s would be erased. Nothing was changed.\n", counted(reply.Traces, "trace"), counted(reply.Spans, "span"))
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "Erasure %s: %s, hidden from every query within two seconds. When nothing is left of them says\n"+
		"  spanlake erase status -project %s %s\n", reply.ID, counted(reply.Traces, "trace"), c.project, reply.ID)
	return err
}

// awaitInterval is how often it is asked whether an erasure is done.
const awaitInterval = 2 * time.Second

func (c *eraseConfig) await(ctx context.Context, client *projectClient, reply *app.ErasureReply) error {
	ticker := time.NewTicker(awaitInterval)
	defer ticker.Stop()
	for reply.GoneAt.IsZero() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("interrupted, the erasure goes on: ask for it with spanlake erase status -project %s %s", c.project, reply.ID)
		}
		id := reply.ID
		*reply = app.ErasureReply{}
		if err := client.call(ctx, http.MethodGet, []string{c.project, "erasures", id}, nil, reply); err != nil {
			return err
		}
	}
	return nil
}

func (c *eraseConfig) list(ctx context.Context, client *projectClient, e env) error {
	var reply struct {
		Erasures []app.ErasureReply `json:"erasures"`
	}
	if err := client.call(ctx, http.MethodGet, []string{c.project, "erasures"}, nil, &reply); err != nil {
		return err
	}
	if c.output == outputJSON {
		return printJSON(e.stdout, reply)
	}
	return printErasures(reply.Erasures, e.stdout)
}

// status shows an erasure, and looks itself for what is left.
func (c *eraseConfig) status(ctx context.Context, client *projectClient, id string, e env) error {
	var reply struct {
		app.ErasureReply
		Left querier.Left `json:"left"`
	}
	path := []string{c.project, "erasures", id}
	if err := client.call(ctx, http.MethodGet, path, nil, &reply.ErasureReply); err != nil {
		return err
	}
	if err := client.call(ctx, http.MethodGet, append(path, "left"), nil, &reply.Left); err != nil {
		return err
	}
	var err error
	if c.output == outputJSON {
		err = printJSON(e.stdout, reply)
	} else {
		err = printErasure(&reply.ErasureReply, reply.Left, e.stdout)
	}
	if err != nil {
		return err
	}
	switch {
	case reply.Left.Spans > 0:
		return fmt.Errorf("queries still show %s: try again in two seconds, and if they still do, look for a process that cannot reach the bucket", counted(reply.Left.Spans, "span"))
	case !reply.GoneAt.IsZero() && reply.Left.Stored > 0:
		return fmt.Errorf("%s of it came back after its end, hidden from queries: the compactor deletes them when it looks next", counted(reply.Left.Stored, "row"))
	}
	return nil
}

func printErasures(list []app.ErasureReply, w io.Writer) error {
	rows := [][]string{{"ERASURE", "STATE", "ACCEPTED", "GONE", "TRACES", "SPANS"}}
	for i := range list {
		r := &list[i]
		rows = append(rows, []string{r.ID, r.State, momentOf(r.AcceptedAt), momentOf(r.GoneAt), strconv.Itoa(r.Traces), strconv.Itoa(r.Spans)})
	}
	return printTable(w, rows)
}

func momentOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func printErasure(r *app.ErasureReply, left querier.Left, w io.Writer) error {
	what := orDash(r.Where)
	if r.Digest != "" {
		what = "a query with the SHA-256 " + r.Digest
	}
	rows := [][]string{
		{"Erasure", r.ID},
		{"Project", string(r.Project)},
		{"State", r.State},
		{"Asked for by", orDash(r.By)},
		{"Query", what},
		{"Accepted", momentOf(r.AcceptedAt)},
		{"Gone", momentOf(r.GoneAt)},
		{"Traces", strconv.Itoa(r.Traces)},
		{"Spans removed", strconv.Itoa(r.Spans)},
		{"Objects replaced", strconv.Itoa(len(r.Replaced))},
		{"Earlier versions removed", strconv.Itoa(r.Versions)},
		{"Media removed", strconv.Itoa(r.Media)},
		{"Found now", fmt.Sprintf("%s by queries, %s in objects and in the log", counted(left.Spans, "span"), counted(left.Stored, "row"))},
	}
	if err := printTable(w, rows); err != nil || len(r.Replaced) == 0 {
		return err
	}
	objects := [][]string{{"", "", ""}, {"OBJECT", "SPANS", "REPLACED BY"}}
	for _, o := range r.Replaced {
		by := o.By
		if by == "" {
			by = "nothing, it has expired"
		}
		objects = append(objects, []string{o.Object, strconv.Itoa(o.Spans), by})
	}
	return printTable(w, objects)
}

func eraseHelp(w io.Writer) {
	fmt.Fprint(w, `Erase traces: those that are named, or all that a query finds. Queries do not show their
spans any more within two seconds, in every process; the compactor removes them from the
bucket, which takes half an hour, and writes a receipt. What arrives later is not erased.

Usage:
  spanlake erase [flags] (-trace <id> … | -where <query>)
  spanlake erase status [flags] [id]
      Show erasures, or one: what was removed, and whether anything of it can still be found.

Examples:
  How much is there of a user?
    spanlake erase -project shop -where '{ span.user.id = "u1" }' -dry-run
  Erase it, and wait until it is gone:
    spanlake erase -project shop -where '{ span.user.id = "u1" }' -wait
  Two traces, on a server that asks for keys:
    SPANLAKE_ADMIN_KEY=sk-sl-… spanlake erase -url https://traces.example.com -trace 4bf92f3577b34da6a3ce929d0e0e4736 -trace 7a085853722dc6d2
`)
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	new(eraseConfig).registerFlags(flags)
	printFlags(w, flags, []section{{"Flags", ""}})
	flags = flag.NewFlagSet("", flag.ContinueOnError)
	new(eraseConfig).registerRequestFlags(flags)
	printFlags(w, flags, []section{{"Flags of erase", ""}})
}
