package querier_test

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
)

// The fields of Tempo's reply to a search.
type (
	anyValue struct {
		StringValue *string  `json:"stringValue"`
		BoolValue   *bool    `json:"boolValue"`
		IntValue    *int64   `json:"intValue,string"`
		DoubleValue *float64 `json:"doubleValue"`
		ArrayValue  *struct {
			Values []anyValue `json:"values"`
		} `json:"arrayValue"`
	}
	keyValue struct {
		Key   string   `json:"key"`
		Value anyValue `json:"value"`
	}
	spanSetReply struct {
		Spans []struct {
			SpanID        string     `json:"spanID"`
			Name          string     `json:"name"`
			StartNanos    uint64     `json:"startTimeUnixNano,string"`
			DurationNanos uint64     `json:"durationNanos,string"`
			Attributes    []keyValue `json:"attributes"`
		} `json:"spans"`
		Matched    int        `json:"matched"`
		Attributes []keyValue `json:"attributes"`
	}
	searchReply struct {
		Traces []struct {
			TraceID         string         `json:"traceID"`
			RootServiceName string         `json:"rootServiceName"`
			RootTraceName   string         `json:"rootTraceName"`
			StartNanos      string         `json:"startTimeUnixNano"`
			DurationMs      int64          `json:"durationMs"`
			SpanSet         *spanSetReply  `json:"spanSet"`
			SpanSets        []spanSetReply `json:"spanSets"`
			ServiceStats    map[string]struct {
				SpanCount  uint32 `json:"spanCount"`
				ErrorCount uint32 `json:"errorCount"`
			} `json:"serviceStats"`
		} `json:"traces"`
		Metrics *struct {
			InspectedTraces uint32 `json:"inspectedTraces"`
			InspectedBytes  uint64 `json:"inspectedBytes,string"`
			TotalBlocks     uint32 `json:"totalBlocks"`
			CompletedJobs   uint32 `json:"completedJobs"`
			TotalJobs       uint32 `json:"totalJobs"`
			TotalBlockBytes uint64 `json:"totalBlockBytes,string"`
			InspectedSpans  uint64 `json:"inspectedSpans,string"`
		} `json:"metrics"`
	}
)

func (v anyValue) text() string {
	switch {
	case v.StringValue != nil:
		return "s:" + *v.StringValue
	case v.BoolValue != nil:
		return "b:" + strconv.FormatBool(*v.BoolValue)
	case v.IntValue != nil:
		return "i:" + strconv.FormatInt(*v.IntValue, 10)
	case v.DoubleValue != nil:
		return "d:" + strconv.FormatFloat(*v.DoubleValue, 'g', -1, 64)
	case v.ArrayValue != nil:
		var parts []string
		for _, element := range v.ArrayValue.Values {
			parts = append(parts, element.text())
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		return "nil"
	}
}

func attributeTexts(list []keyValue) map[string]string {
	if len(list) == 0 {
		return nil
	}
	texts := make(map[string]string)
	for _, a := range list {
		texts[a.Key] = a.Value.text()
	}
	return texts
}

func attributeText(texts map[string]string) string {
	var parts []string
	for key, value := range texts {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// normalTraces is the normal form of the suite's README.
func normalTraces(t *testing.T, body string, attrs bool) []corpus.Trace {
	t.Helper()
	var r searchReply
	decodeStrictly(t, body, &r)
	require.NotNil(t, r.Metrics)
	var traces []corpus.Trace
	for _, tr := range r.Traces {
		n := corpus.Trace{
			ID: fmt.Sprintf("%032s", tr.TraceID), RootService: tr.RootServiceName, RootName: tr.RootTraceName,
			Start: tr.StartNanos, DurationMs: tr.DurationMs,
		}
		require.Equal(t, tr.SpanSets[0], *tr.SpanSet)
		require.NotEmpty(t, tr.ServiceStats)
		for _, set := range tr.SpanSets {
			s := corpus.SpanSet{Matched: set.Matched}
			if attrs {
				s.Attrs = attributeTexts(set.Attributes)
			}
			for _, span := range set.Spans {
				list := span.Attributes
				if span.Name != "" {
					list = append(list, keyValue{"name", anyValue{StringValue: &span.Name}})
				}
				text := span.SpanID
				if attrs && len(list) > 0 {
					text += " " + attributeText(attributeTexts(list))
				}
				s.Spans = append(s.Spans, text)
			}
			slices.Sort(s.Spans)
			n.SpanSets = append(n.SpanSets, s)
		}
		slices.SortFunc(n.SpanSets, func(a, b corpus.SpanSet) int {
			return cmp.Or(cmp.Compare(attributeText(a.Attrs), attributeText(b.Attrs)), slices.Compare(a.Spans, b.Spans))
		})
		traces = append(traces, n)
	}
	slices.SortFunc(traces, func(a, b corpus.Trace) int { return cmp.Compare(a.ID, b.ID) })
	return traces
}

// differentSearches are the queries without a quirk that we answer otherwise on
// purpose; docs/traceql.md says why.
var differentSearches = []string{"array-12", "array-14", "nested-set-02", "select-04", "select-08"}

// Every search of the suite is answered as the reference does, over HTTP, from
// blocks between which the traces are split.
func TestSearchConformance(t *testing.T) {
	w := newWorld(t, nil)
	w.storeDataset()
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	compared, different := 0, 0
	for _, q := range queries {
		want, known := expected[q.ID]
		if q.Path != "/api/search" || !known {
			continue
		}
		t.Run(q.ID, func(t *testing.T) {
			params := url.Values{}
			for k, v := range q.Params {
				params.Set(k, v)
			}
			if spss, err := strconv.Atoi(q.Params["spss"]); err == nil && spss > 100 {
				params.Set("spss", "100")
			}
			a := w.get((&url.URL{Path: q.Path, RawQuery: params.Encode()}).String())
			if want.Status >= 400 {
				require.Equal(t, 400, a.status, a.body)
				return
			}
			require.Equal(t, 200, a.status, a.body)
			got := normalTraces(t, a.body, q.Attrs)
			switch {
			case q.Quirk != "" || slices.Contains(differentSearches, q.ID):
				different++
				return
			case q.Loose != "":
				require.Len(t, got, len(want.Traces))
			default:
				requireTraces(t, want.Traces, got)
			}
			compared++
		})
	}
	require.Equal(t, 20, different)
	require.Equal(t, 237, compared)
}

// requireTraces compares answers; of spansets of more spans than a reply may
// hold only the number is compared.
func requireTraces(t *testing.T, want, got []corpus.Trace) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		for k := range want[i].SpanSets {
			if want[i].SpanSets[k].Matched > 100 {
				want[i].SpanSets[k].Spans, got[i].SpanSets[k].Spans = nil, nil
			}
		}
		require.Equal(t, want[i], got[i])
	}
}
