package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// searchReply is Tempo's SearchResponse: the fields that the data source knows
// and no other, for it decodes strictly. 64-bit integers are text.
type searchReply struct {
	Traces  []foundTrace `json:"traces"`
	Metrics *struct {
		InspectedTraces uint32 `json:"inspectedTraces"`
		InspectedBytes  string `json:"inspectedBytes"`
		TotalBlocks     uint32 `json:"totalBlocks"`
		CompletedJobs   uint32 `json:"completedJobs"`
		TotalJobs       uint32 `json:"totalJobs"`
		TotalBlockBytes string `json:"totalBlockBytes"`
		InspectedSpans  string `json:"inspectedSpans"`
	} `json:"metrics"`
}

type foundTrace struct {
	TraceID           string         `json:"traceID"`
	RootServiceName   string         `json:"rootServiceName"`
	RootTraceName     string         `json:"rootTraceName"`
	StartTimeUnixNano string         `json:"startTimeUnixNano"`
	DurationMs        uint32         `json:"durationMs"`
	SpanSet           *foundSpanSet  `json:"spanSet"`
	SpanSets          []foundSpanSet `json:"spanSets"`
	ServiceStats      map[string]struct {
		SpanCount  uint32 `json:"spanCount"`
		ErrorCount uint32 `json:"errorCount"`
	} `json:"serviceStats"`
}

type foundSpanSet struct {
	Spans      []foundSpan       `json:"spans"`
	Matched    uint32            `json:"matched"`
	Attributes []json.RawMessage `json:"attributes"`
}

type foundSpan struct {
	SpanID            string            `json:"spanID"`
	Name              string            `json:"name"`
	StartTimeUnixNano string            `json:"startTimeUnixNano"`
	DurationNanos     string            `json:"durationNanos"`
	Attributes        []json.RawMessage `json:"attributes"`
}

// seconds is a time range of searches, Unix seconds, the end exclusive.
type seconds struct{ start, end int64 }

const (
	maxTraces      = 262144 // most that a search may ask for
	maxSpansPerSet = 100
)

// search asks for the traces with spans that match, all of them.
func (c *client) search(ctx context.Context, project, query string, within seconds) ([]foundTrace, error) {
	params := url.Values{
		"q": {query}, "limit": {strconv.Itoa(maxTraces)}, "spss": {strconv.Itoa(maxSpansPerSet)},
		"start": {strconv.FormatInt(within.start, 10)}, "end": {strconv.FormatInt(within.end, 10)},
	}
	got, err := c.get(ctx, project, "/api/search?"+params.Encode(), "Accept", acceptJSON)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("search for %s: %d %s", query, got.status, got.body)
	}
	reply, err := decodeSearch(got.body)
	if err != nil {
		return nil, fmt.Errorf("search for %s: %w", query, err)
	}
	return reply.Traces, nil
}

// decodeSearch reads the reply of a search with q and checks what holds for all.
func decodeSearch(body []byte) (searchReply, error) {
	var reply searchReply
	if err := strictJSON(body, &reply); err != nil {
		return reply, err
	}
	if reply.Traces == nil || reply.Metrics == nil {
		return reply, errors.New("traces or metrics is absent")
	}
	seen := make(map[string]bool)
	for i := range reply.Traces {
		t := &reply.Traces[i]
		switch {
		case len(t.TraceID) != 32 || strings.Trim(t.TraceID, "0123456789abcdef") != "":
			return reply, fmt.Errorf("trace id %q", t.TraceID)
		case seen[t.TraceID]:
			return reply, fmt.Errorf("trace %s occurs twice", t.TraceID)
		case len(t.SpanSets) == 0 || t.SpanSet == nil || !reflect.DeepEqual(*t.SpanSet, t.SpanSets[0]):
			return reply, fmt.Errorf("trace %s: spanSet is not the first of spanSets", t.TraceID)
		}
		seen[t.TraceID] = true
	}
	return reply, nil
}
