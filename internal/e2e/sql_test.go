//go:build sql

package e2e_test

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TestSQL runs every statement of docs/sql.md, in its order, on blocks that the
// server has written, and compares the answers with what was sent. The page is
// run from a folder in which spanlake-data is the server's data folder.
func TestSQL(t *testing.T) {
	dir := t.TempDir()
	sent := storeWorkload(t, dir)
	db := startDuckDB(t, dir)
	page := readPage(t)
	unused := questions()
	athena := false
	for _, s := range page.statements {
		if s.engine == "athena" && !athena {
			athena = true
			db.standInForAthena(t, page.athenaColumns)
		}
		ask, ok := unused[s.engine+": "+s.id]
		require.True(t, ok, "nothing is known about statement %s of the page", s.id)
		delete(unused, s.engine+": "+s.id)
		t.Run(s.engine+"/"+s.id, func(t *testing.T) { ask(t, sent, db, db.query(t, s.text)) })
	}
	require.Empty(t, slices.Collect(maps.Keys(unused)), "not on the page any more")
}

// check compares an answer with what was sent.
type check = func(t *testing.T, sent *sentSpans, db *duckdb, a answerRows)

// questions are the checks of all statements of the page.
func questions() map[string]check {
	return map[string]check{
		"run: blocks":          checkBlocks,
		"run: spans":           checkSpans,
		"run: columns":         checkColumns,
		"run: declared":        checkDeclared,
		"run: rare":            rows(func(*sentSpans) [][]any { return [][]any{{0, rareSpans}} }),
		"run: services":        rows(services),
		"run: models":          rows(models),
		"run: cost":            rows(costs),
		"run: trace":           rows(adasTrace),
		"run: conversation":    rows(adasTalk),
		"run: routes":          rows(failingRoutes),
		"run: exceptions":      rows(exceptions),
		"run: zones":           rows(zones),
		"run: reasons":         rows(reasons),
		"run: sizes":           checkSizes,
		"run: once":            checkOnce,
		"run: export":          checkExport,
		"athena: services":     rows(services),
		"athena: view":         checkCurrent,
		"athena: models":       rows(func(s *sentSpans) [][]any { return cut(models(s), 3) }),
		"athena: cost":         rows(costs),
		"athena: trace":        rows(adasTrace),
		"athena: conversation": rows(func(s *sentSpans) [][]any { return without(adasTalk(s), 1) }),
	}
}

// rows compares all rows of an answer.
func rows(want func(*sentSpans) [][]any) check {
	return func(t *testing.T, sent *sentSpans, _ *duckdb, a answerRows) {
		t.Helper()
		expected := want(sent)
		require.NotEmpty(t, expected)
		requireRows(t, expected, a.Rows)
	}
}

// cut keeps the first n columns.
func cut(rows [][]any, n int) [][]any {
	for i := range rows {
		rows[i] = rows[i][:n]
	}
	return rows
}

// without leaves out a column.
func without(rows [][]any, column int) [][]any {
	for i := range rows {
		rows[i] = slices.Delete(rows[i], column, column+1)
	}
	return rows
}

// count groups spans and counts each group. Spans for which key returns false
// are not counted.
func count[K comparable](spans []sqlSpan, key func(sqlSpan) (K, bool)) map[K]int {
	groups := map[K]int{}
	for _, s := range spans {
		if k, ok := key(s); ok {
			groups[k]++
		}
	}
	return groups
}

// descending returns the keys of groups, the one with the largest value first
// and keys of equal values in their order.
func descending[K comparable, V cmp.Ordered](groups map[K]V, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(groups), func(a, b K) int {
		return cmp.Or(cmp.Compare(groups[b], groups[a]), compare(a, b))
	})
}

func services(s *sentSpans) (want [][]any) {
	all := count(s.spans, func(s sqlSpan) (string, bool) { return s.service(), true })
	errors := count(s.spans, func(s sqlSpan) (string, bool) {
		return s.service(), s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR
	})
	for _, name := range descending(all, strings.Compare) {
		want = append(want, []any{name, all[name], errors[name]})
	}
	return want
}

func models(s *sentSpans) (want [][]any) {
	const key = "gen_ai.request.model"
	calls := count(s.spans, func(s sqlSpan) (string, bool) { return s.str(key), s.attrs[key] != nil })
	for _, model := range descending(calls, strings.Compare) {
		var durations []float64
		var input, output int64
		answered := false
		for _, span := range s.spans {
			if span.attrs[key] == nil || span.str(key) != model {
				continue
			}
			durations = append(durations, span.millis())
			input += span.attrs["gen_ai.usage.input_tokens"].GetIntValue()
			output += span.attrs["gen_ai.usage.output_tokens"].GetIntValue()
			answered = answered || span.attrs["gen_ai.usage.output_tokens"] != nil
		}
		slices.Sort(durations)
		row := []any{model, calls[model], durations[int(math.Ceil(0.95*float64(len(durations))))-1], input, output}
		if !answered {
			row[4] = nil
		}
		want = append(want, row)
	}
	return want
}

func costs(s *sentSpans) (want [][]any) {
	dollars := map[string]float64{}
	for _, span := range s.spans {
		if cost := span.attrs["llm.cost.total"]; cost != nil {
			dollars[span.str("user.id")] += cost.GetDoubleValue()
		} else if cost := span.attrs["gen_ai.usage.cost"]; cost != nil {
			dollars[span.str("user.id")] += cost.GetDoubleValue()
		}
	}
	for _, user := range descending(dollars, strings.Compare)[:10] {
		want = append(want, []any{user, dollars[user]})
	}
	return want
}

func failingRoutes(s *sentSpans) (want [][]any) {
	type route struct {
		name   string
		status int64
	}
	answers := count(s.spans, func(s sqlSpan) (route, bool) {
		status := s.attrs["http.response.status_code"].GetIntValue()
		return route{s.str("http.route"), status}, s.GetKind() == tracepb.Span_SPAN_KIND_SERVER && status >= 500
	})
	order := descending(answers, func(a, b route) int { return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.status, b.status)) })
	for _, r := range order[:min(20, len(order))] {
		want = append(want, []any{r.name, r.status, answers[r]})
	}
	return want
}

func exceptions(s *sentSpans) (want [][]any) {
	times := map[string]int{}
	for _, span := range s.spans {
		for _, event := range span.GetEvents() {
			for _, kv := range event.GetAttributes() {
				if kv.GetKey() == "exception.type" {
					times[kv.GetValue().GetStringValue()]++
				}
			}
		}
	}
	for _, kind := range descending(times, strings.Compare) {
		want = append(want, []any{kind, times[kind]})
	}
	return want
}

func zones(s *sentSpans) (want [][]any) {
	type slot struct{ minute, zone string }
	requests := count(s.spans, func(s sqlSpan) (slot, bool) {
		minute := s.start().Truncate(time.Minute).Format(time.RFC3339)
		return slot{minute, s.resource["cloud.availability_zone"].GetStringValue()}, s.GetKind() == tracepb.Span_SPAN_KIND_SERVER
	})
	for _, k := range slices.SortedFunc(maps.Keys(requests), func(a, b slot) int {
		return cmp.Or(strings.Compare(a.minute, b.minute), strings.Compare(a.zone, b.zone))
	}) {
		want = append(want, []any{k.minute, k.zone, requests[k]})
	}
	return want
}

func reasons(s *sentSpans) [][]any {
	times := map[string]int{}
	for _, span := range s.spans {
		for _, reason := range span.attrs["gen_ai.response.finish_reasons"].GetArrayValue().GetValues() {
			times[reason.GetStringValue()]++
		}
	}
	return [][]any{{times["stop"], times["tool_calls"]}}
}
