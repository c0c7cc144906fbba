package corpus_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/internal/corpus"
)

func TestCaptures(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	require.Len(t, captures, 23)
	require.True(t, slices.IsSortedFunc(captures, func(a, b corpus.Capture) int { return strings.Compare(a.Name, b.Name) }))
	byProtocol := map[corpus.Protocol]int{}
	for _, c := range captures {
		byProtocol[c.Protocol]++
		require.NotEmpty(t, c.SDK, c.Name)
		require.True(t, strings.HasSuffix(c.Path, "/v1/traces") || strings.HasSuffix(c.Path, ".TraceService/Export"), c.Path)
		require.Positive(t, spans(t, c), c.Name)
	}
	require.Equal(t, map[corpus.Protocol]int{corpus.HTTPProtobuf: 14, corpus.HTTPJSON: 7, corpus.GRPC: 2}, byProtocol)
}

// spans decodes the body as its description says.
func spans(t *testing.T, c corpus.Capture) int {
	t.Helper()
	body := c.Body
	if c.Header["content-encoding"] == "gzip" {
		r, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	request := ptraceotlp.NewExportRequest()
	if c.Protocol == corpus.HTTPJSON {
		require.Equal(t, "application/json", c.Header["content-type"], c.Name)
		require.NoError(t, request.UnmarshalJSON(body), c.Name)
	} else {
		require.NoError(t, request.UnmarshalProto(body), c.Name)
	}
	return request.Traces().SpanCount()
}

func TestCallerOwnsBodies(t *testing.T) {
	first, err := corpus.Captures()
	require.NoError(t, err)
	clear(first[0].Body)
	second, err := corpus.Captures()
	require.NoError(t, err)
	require.NotEqual(t, first[0].Body, second[0].Body)
}

func TestDataset(t *testing.T) {
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	traces, count := map[string]bool{}, 0
	for _, body := range bodies {
		request := ptraceotlp.NewExportRequest()
		require.NoError(t, request.UnmarshalProto(body))
		for _, rs := range request.Traces().ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					count++
					id := s.TraceID()
					traces[hex.EncodeToString(id[:])] = true
					require.GreaterOrEqual(t, s.StartTimestamp().AsTime().Unix(), int64(corpus.DatasetStart))
					require.LessOrEqual(t, s.EndTimestamp().AsTime().Unix(), int64(corpus.DatasetEnd))
				}
			}
		}
	}
	require.Len(t, traces, 304)
	require.InDelta(t, 5600, count, 50)
}

func TestConformanceSuite(t *testing.T) {
	queries, err := corpus.Queries()
	require.NoError(t, err)
	answers, err := corpus.Expected()
	require.NoError(t, err)
	require.Len(t, queries, 371)
	require.Len(t, answers, 367)
	ids := map[string]bool{}
	for _, q := range queries {
		require.False(t, ids[q.ID], "%s is there twice", q.ID)
		ids[q.ID] = true
		a, ok := answers[q.ID]
		if !ok {
			continue
		}
		require.True(t, strings.HasPrefix(q.Path, "/api/"), q.Path)
		require.NotZero(t, a.Status, q.ID)
		switch q.Kind {
		case corpus.KindError:
			require.Equal(t, 4, a.Status/100, q.ID)
		case corpus.KindSearch:
			require.Empty(t, a.Series, q.ID)
			for _, trace := range a.Traces {
				require.Len(t, trace.ID, 32, q.ID)
				require.NotEmpty(t, trace.SpanSets, q.ID)
			}
		case corpus.KindMetrics, corpus.KindTrace, corpus.KindTags, corpus.KindTagsV1, corpus.KindValues, corpus.KindValuesV1:
			require.Empty(t, a.Traces, q.ID)
		default:
			require.Fail(t, "unknown kind", "%s: %s", q.ID, q.Kind)
		}
	}
}
