package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// queryTrace prints the trace with the id.
func queryTrace(ctx context.Context, r *traceReader, cfg *queryConfig, text string, w io.Writer) error {
	id, err := schema.ParseTraceID(strings.TrimSpace(text))
	if err != nil {
		return &usageError{err}
	}
	u := r.base.JoinPath("api/v2/traces", id.String())
	u.RawQuery = cfg.within(time.Now(), cfg.since).Encode()
	data, err := r.fetchTrace(ctx, u)
	if err != nil {
		return err
	}
	tree := newSpanTree(data)
	if len(tree.spans) == 0 {
		return fmt.Errorf("there is no trace %s", id)
	}
	if cfg.output == outputText {
		return tree.print(w, id.String(), cfg.all)
	}
	body, err := r.get(ctx, u, "application/json")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", body)
	return err
}
