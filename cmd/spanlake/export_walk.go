package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/schema"
)

const (
	// firstWidth and maxWidth are seconds of a slice. A server refuses searches
	// of more than querier.max-search-range, a week unless it is set.
	firstWidth = 3600
	maxWidth   = 24 * 3600
	// sliceTraces is how many traces a slice has at most: what is repeated after
	// an interruption.
	sliceTraces = 2000
	// maxSliceTraces is the most that a search may ask for; it is asked for a
	// slice of a second only.
	maxSliceTraces = 262144
	// exportTimeout is longer than any server takes for a query unless told to.
	exportTimeout = 10 * time.Minute
	// maxExportReply bounds a trace: a server shows no larger one unless told to.
	maxExportReply = 1 << 30
)

// traceFormat writes traces.
type traceFormat interface {
	// begin writes what comes before all traces.
	begin() error
	// write writes a trace.
	write(trace *tracepb.TracesData) error
}

// exporter walks through the slices of a range, the oldest first. A trace is of
// the slice in which it begins, so that it is in one only, however the server
// stores it.
type exporter struct {
	reader   *traceReader
	out      *exportOutput
	progress *progress
}

// exportTrace is a trace that a search has found.
type exportTrace struct {
	id    schema.TraceID
	start uint64 // Unix nanoseconds
}

func (x *exporter) run(ctx context.Context, format traceFormat) error {
	s := &x.out.state
	if s.Offset == 0 {
		if err := format.begin(); err != nil {
			return err
		}
	}
	width, limit := int64(firstWidth), sliceTraces
	for s.Next < s.To {
		end := min(s.Next+width, s.To)
		found, all, err := x.search(ctx, s.Next, end, limit)
		switch {
		case err != nil:
			return err
		case !all && end-s.Next > 1:
			width = (end - s.Next) / 2
			continue
		case !all && limit < maxSliceTraces:
			limit = maxSliceTraces
			continue
		case !all:
			return fmt.Errorf("more than %d traces, or more than the server may read for a query, are in the second from %s on: narrow -q",
				maxSliceTraces, time.Unix(s.Next, 0).UTC().Format(time.RFC3339))
		}
		if err := x.writeSlice(ctx, found, format); err != nil {
			return err
		}
		if err := x.out.checkpoint(end); err != nil {
			return err
		}
		if len(found) < sliceTraces/4 {
			width = min(2*width, maxWidth)
		}
		limit = sliceTraces
	}
	return nil
}

// search returns the traces that begin in a slice, in order, and whether these
// are all.
func (x *exporter) search(ctx context.Context, from, to int64, limit int) (found []exportTrace, all bool, err error) {
	u := x.reader.base.JoinPath("api/search")
	u.RawQuery = url.Values{
		"q": {x.out.state.Query}, "limit": {strconv.Itoa(limit)}, "spss": {"1"},
		"start": {strconv.FormatInt(from, 10)}, "end": {strconv.FormatInt(to, 10)},
	}.Encode()
	code, body, err := x.get(ctx, u, contentTypeJSON)
	switch {
	case err != nil:
		return nil, false, err
	case (code == http.StatusUnprocessableEntity || code == http.StatusGatewayTimeout) && to-from > 1:
		return nil, false, nil // more than a query may read, or in more time
	case code != http.StatusOK:
		return nil, false, fmt.Errorf("search: status %d: %s", code, firstBytes(body))
	}
	var reply foundTraces
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, false, fmt.Errorf("search: reply of %s: %w", x.reader.base, err)
	}
	for _, t := range reply.Traces {
		id, err := schema.ParseTraceID(t.TraceID)
		if err != nil {
			return nil, false, fmt.Errorf("search: reply of %s: %w", x.reader.base, err)
		}
		if second := int64(t.StartTimeUnixNano / 1e9); from <= second && second < to { //nolint:gosec // smaller than 1<<35
			found = append(found, exportTrace{id, t.StartTimeUnixNano})
		}
	}
	slices.SortFunc(found, func(a, b exportTrace) int {
		return cmp.Or(cmp.Compare(a.start, b.start), bytes.Compare(a.id[:], b.id[:]))
	})
	return found, len(reply.Traces) < limit, nil
}

func (x *exporter) writeSlice(ctx context.Context, found []exportTrace, format traceFormat) error {
	s := &x.out.state
	for _, t := range found {
		// The bare trace of this path is never a part of it.
		code, body, err := x.get(ctx, x.reader.base.JoinPath("api/traces", t.id.String()), "application/protobuf")
		switch {
		case err != nil:
			return err
		case code == http.StatusNotFound:
			x.out.gone++
			continue
		case code != http.StatusOK:
			return fmt.Errorf("trace %s: status %d: %s", t.id, code, firstBytes(body))
		}
		trace := new(tracepb.TracesData) // Tempo's Trace has the same fields
		if err := proto.Unmarshal(body, trace); err != nil {
			return fmt.Errorf("trace %s: reply of %s: %w", t.id, x.reader.base, err)
		}
		if err := format.write(trace); err != nil {
			return err
		}
		x.out.traces++
		x.out.spans += len(exportSpans(trace))
		x.progress.say(func() string {
			percent := 100 * (int64(t.start/1e9) - s.From) / (s.To - s.From) //nolint:gosec // within the range
			return fmt.Sprintf("%3d %%, %s, %s", percent, count(s.Traces+x.out.traces, "trace"), count(s.Spans+x.out.spans, "span"))
		})
	}
	return nil
}

// get asks the server. A reply is whole or an error.
func (x *exporter) get(ctx context.Context, u *url.URL, accept string) (code int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", accept)
	x.reader.as.setOn(req.Header)
	resp, err := x.reader.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // all that counts is read
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxExportReply+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("reply to %s: %w", u.Path, err)
	case len(body) > maxExportReply:
		return 0, nil, fmt.Errorf("the reply to %s is larger than 1 GiB: leave this trace out by -q", u.Path)
	}
	return resp.StatusCode, body, nil
}
