package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// defaultSince is how far a search looks back.
const defaultSince = time.Hour

// errNothingFound makes the exit code tell it.
var errNothingFound = errors.New("no trace matches in this time range: -since or -start look further back")

// foundTraces is the part of a search's reply that the table shows.
type foundTraces struct {
	Traces []struct {
		TraceID           string `json:"traceID"`
		RootServiceName   string `json:"rootServiceName"`
		RootTraceName     string `json:"rootTraceName"`
		StartTimeUnixNano uint64 `json:"startTimeUnixNano,string"`
		DurationMs        uint32 `json:"durationMs"`
		SpanSets          []struct {
			Matched int `json:"matched"`
		} `json:"spanSets"`
	} `json:"traces"`
}

// querySearch prints the traces that match text.
func querySearch(ctx context.Context, r *traceReader, cfg *queryConfig, text string, w io.Writer) error {
	if cfg.limit < 1 {
		return &usageError{errors.New("limit must be at least 1")}
	}
	since := cfg.since
	if since == 0 {
		since = defaultSince
	}
	u := r.base.JoinPath("api/search")
	values := cfg.within(time.Now(), since)
	values.Set("q", text)
	values.Set("limit", strconv.Itoa(cfg.limit))
	u.RawQuery = values.Encode()
	body, err := r.get(ctx, u, "application/json")
	if err != nil {
		return err
	}
	var found foundTraces
	if err := json.Unmarshal(body, &found); err != nil {
		return fmt.Errorf("reply of %s: %w", r.base, err)
	}
	if cfg.output == outputJSON {
		if _, err := fmt.Fprintf(w, "%s\n", body); err != nil {
			return err
		}
	}
	if len(found.Traces) == 0 {
		return errNothingFound
	}
	if cfg.output == outputJSON {
		return nil
	}
	return found.print(w)
}

func (f *foundTraces) print(w io.Writer) error {
	rows := [][]string{{"TRACE ID", "START", "DURATION", "MATCHED", "SERVICE", "NAME"}}
	for _, t := range f.Traces {
		matched := 0
		for _, set := range t.SpanSets {
			matched += set.Matched
		}
		duration := brief(time.Duration(t.DurationMs) * time.Millisecond)
		if t.DurationMs == 0 {
			duration = "<1ms"
		}
		rows = append(rows, []string{
			fmt.Sprintf("%032s", printable(t.TraceID)), clock(t.StartTimeUnixNano), duration, strconv.Itoa(matched),
			printable(t.RootServiceName), printable(t.RootTraceName),
		})
	}
	return printTable(w, rows)
}

// clock is a time for people, in UTC.
func clock(nanos uint64) string {
	return time.Unix(0, int64(nanos)).UTC().Format("2006-01-02T15:04:05.000Z") //nolint:gosec // a time that an API gave
}
