package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// repriceConfig is the command line of "reprice".
type repriceConfig struct {
	projectConfig

	project  string
	from, to string
	wait     bool
}

func (c *repriceConfig) registerFlags(f *flag.FlagSet) {
	c.projectConfig.registerFlags(f)
	f.StringVar(&c.project, "project", string(schema.DefaultProject), "Project whose spans are priced anew.")
}

func (c *repriceConfig) registerRequestFlags(f *flag.FlagSet) {
	f.StringVar(&c.from, "from", "", "Only blocks with spans at this `time` or later, such as 2026-01-15 or 2026-01-15T10:00:00Z.")
	f.StringVar(&c.to, "to", "", "Only blocks with spans before this `time`.")
	f.BoolVar(&c.wait, "wait", false, "Wait until the compactor has written all of them.")
}

// reprice runs "spanlake reprice" and "spanlake reprice status".
func reprice(ctx context.Context, args []string, e env) error {
	c := new(repriceConfig)
	status := len(args) > 0 && args[0] == "status"
	fs := flag.NewFlagSet("reprice", flag.ContinueOnError)
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
	if len(given) > 0 {
		return &usageError{fmt.Errorf("what is %q? A project goes behind -project", given[0])}
	}
	var body project.RepriceRange
	if body.From, err = momentFlag("from", c.from); err != nil {
		return err
	}
	if body.To, err = momentFlag("to", c.to); err != nil {
		return err
	}
	client, release, err := c.client(ctx, true, e)
	if err != nil {
		return err
	}
	defer release()
	client.http.Timeout = 0 // each block may have to be asked
	var reply app.RepriceReply
	if status {
		err = client.call(ctx, http.MethodGet, []string{c.project, "reprice"}, nil, &reply)
	} else {
		err = client.call(ctx, http.MethodPost, []string{c.project, "reprice"}, body, &reply)
	}
	if err == nil && c.wait {
		err = c.await(ctx, client, &reply)
	}
	if err != nil {
		return err
	}
	if c.output == outputJSON {
		return printJSON(e.stdout, reply)
	}
	return printReprice(&reply, e.stdout)
}

// momentFlag reads a time, the zero one of no text.
func momentFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &usageError{fmt.Errorf("-%s %q: want a time such as 2026-01-15 or 2026-01-15T10:00:00Z", name, text)}
}

func (c *repriceConfig) await(ctx context.Context, client *projectClient, reply *app.RepriceReply) error {
	ticker := time.NewTicker(awaitInterval)
	defer ticker.Stop()
	for reply.Left > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("interrupted, the compactor goes on: ask for it with spanlake reprice status -project %s", c.project)
		}
		*reply = app.RepriceReply{}
		if err := client.call(ctx, http.MethodGet, []string{c.project, "reprice"}, nil, reply); err != nil {
			return err
		}
	}
	return nil
}

var errSuperseded = errors.New("other prices count by now than when it was asked, so nothing more is done: ask again")

func printReprice(r *app.RepriceReply, w io.Writer) error {
	var err error
	switch {
	case r.AskedAt.IsZero():
		_, err = fmt.Fprintf(w, "Nobody has asked to price spans of %s anew.\n", r.Project)
	case r.State == "superseded":
		err = errSuperseded
	default:
		_, err = fmt.Fprintf(w, "Project %s, asked %s, by table %s, spans from %s to %s: %s.\n%s in that range, %d to be written by the compactor.\n",
			r.Project, momentOf(r.AskedAt), r.Table, momentOf(r.From), momentOf(r.To), r.State, counted(r.Blocks, "block"), r.Left)
	}
	return err
}

func repriceHelp(w io.Writer) {
	fmt.Fprint(w, `Price anew what is stored: the compactor writes the blocks of a project again with all that
follows from their spans by the rules and prices of today. What a client says a call has cost
stays. Blocks that are so already are left alone, so asking twice costs nothing.

Usage:
  spanlake reprice [flags]
  spanlake reprice status [flags]
      Show what was asked, and how many blocks are to be written.

Examples:
  After a change of prices, for what was sent since the first of March:
    spanlake project set-prices shop prices.json
    spanlake reprice -project shop -from 2026-03-01 -wait
  On a server that asks for keys:
    SPANLAKE_ADMIN_KEY=sk-sl-… spanlake reprice -url https://traces.example.com -project shop
`)
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	new(repriceConfig).registerFlags(flags)
	printFlags(w, flags, []section{{"Flags", ""}})
	flags = flag.NewFlagSet("", flag.ContinueOnError)
	new(repriceConfig).registerRequestFlags(flags)
	printFlags(w, flags, []section{{"Flags of reprice", ""}})
}
