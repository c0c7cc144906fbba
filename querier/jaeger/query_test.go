package jaeger

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

func valuesOf(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values
}

// hostile are texts that would be more than a text if they were not quoted.
var hostile = []string{
	"", "a", "é 日本", `"`, `\`, `\"`, "`", "'", "a\nb", "a\r\tb", "\x00", "\u00a0\u2028\u202e\ufeff", "\xff\xfe", ` " } || { true`, `" || true || "`, "}", "{ } | select(.x)",
	"a.b-c/d:e", "$(x)", "//", "12", "-1", "+1", "007", "1e400", "1.5", "NaN", "Inf", "0x10", "true", "false", "nil", "9223372036854775808", "-9223372036854775808", "server",
}

// oneSpan is a span with names and an attribute, as a query sees it.
func oneSpan(t *testing.T, service, name, key, value string) schema.Span {
	t.Helper()
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", service)
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID([16]byte{15: 1})
	span.SetSpanID([8]byte{7: 1})
	span.SetName(name)
	span.SetStartTimestamp(1_700_000_000_000_000_000)
	span.SetEndTimestamp(1_700_000_000_100_000_000)
	if key != "" {
		span.Attributes().PutStr(key, value)
	}
	return rowsOf(t, traces)[0]
}

// matches reports whether a search finds a span.
func matches(t *testing.T, span schema.Span, values url.Values) bool {
	t.Helper()
	text, err := query(values)
	require.NoError(t, err)
	match, err := querier.Matcher(text)
	require.NoError(t, err, "%s", text)
	return match(&span)
}

// What stands in a parameter is found as it is, and finds nothing else.
func TestHostileParameters(t *testing.T) {
	other := oneSpan(t, "svc", "op", "other", "value")
	for _, text := range hostile {
		if text == "" {
			continue
		}
		stored := valid(text)
		span := oneSpan(t, stored, stored, "k", stored)
		require.True(t, matches(t, span, valuesOf("service", text, "operation", text, "tag", "k:"+text)), "%q", text)
		require.False(t, matches(t, other, valuesOf("service", text)), "%q", text)
		require.False(t, matches(t, other, valuesOf("service", "svc", "operation", text)), "%q", text)
		require.False(t, matches(t, other, valuesOf("service", "svc", "tag", "other:"+text)), "%q", text)
		if strings.ContainsRune(text, ':') {
			continue // a key that only tags can name
		}
		require.False(t, matches(t, other, valuesOf("service", "svc", "tag", text+":value")), "%q", text)
		require.True(t, matches(t, oneSpan(t, "svc", "op", stored, "v"), valuesOf("service", "svc", "tag", text+":v")), "%q", text)
	}
}

func TestTags(t *testing.T) {
	var traces ptrace.Traces
	resource := func() ptrace.ResourceSpans { return traces.ResourceSpans().At(0) }
	span := func() ptrace.Span { return resource().ScopeSpans().At(0).Spans().At(0) }
	for _, tt := range []struct {
		name, key, value string
		set              func()
		want             bool
	}{
		{"a text", "k", "v", func() { span().Attributes().PutStr("k", "v") }, true},
		{"another text", "k", "w", func() { span().Attributes().PutStr("k", "v") }, false},
		{"a number", "k", "200", func() { span().Attributes().PutInt("k", 200) }, true},
		{"a number as text", "k", "200", func() { span().Attributes().PutStr("k", "200") }, true},
		{"digits of no number", "k", "0200", func() { span().Attributes().PutInt("k", 200) }, false},
		{"a fraction", "k", "12.5", func() { span().Attributes().PutDouble("k", 12.5) }, true},
		{"true", "k", "true", func() { span().Attributes().PutBool("k", true) }, true},
		{"not true", "k", "true", func() { span().Attributes().PutBool("k", false) }, false},
		{"of the process", "k", "v", func() { resource().Resource().Attributes().PutStr("k", "v") }, true},
		{"of a log", "k", "v", func() { span().Events().AppendEmpty().Attributes().PutStr("k", "v") }, true},
		{"the name of a log", "event", "retry", func() { span().Events().AppendEmpty().SetName("retry") }, true},
		{"an error", "error", "true", func() { span().Status().SetCode(ptrace.StatusCodeError) }, true},
		{"no error", "error", "true", func() { span().Status().SetCode(ptrace.StatusCodeOk) }, false},
		{"an attribute", "error", "true", func() { span().Attributes().PutBool("error", true) }, true},
		{"an error's text", "error", "boom", func() { span().Attributes().PutStr("error", "boom") }, true},
		{"said to be none", "error", "false", func() { span().Attributes().PutBool("error", false) }, true},
		{"a status", "otel.status_code", "ERROR", func() { span().Status().SetCode(ptrace.StatusCodeError) }, true},
		{"another status", "otel.status_code", "OK", func() { span().Status().SetCode(ptrace.StatusCodeError) }, false},
		{"what failed", "otel.status_description", "no disk", func() { span().Status().SetMessage("no disk") }, true},
		{"a library", "otel.scope.name", "lib", func() { resource().ScopeSpans().At(0).Scope().SetName("lib") }, true},
		{"its version", "otel.scope.version", "1", func() { resource().ScopeSpans().At(0).Scope().SetVersion("1") }, true},
		{"a kind", "span.kind", "server", func() { span().SetKind(ptrace.SpanKindServer) }, true},
		{"another kind", "span.kind", "client", func() { span().SetKind(ptrace.SpanKindServer) }, false},
		{"a new name", "http.status_code", "500", func() { span().Attributes().PutInt("http.response.status_code", 500) }, true},
		{"an old name", "http.response.status_code", "500", func() { span().Attributes().PutInt("http.status_code", 500) }, true},
		{"a host", "hostname", "h1", func() { resource().Resource().Attributes().PutStr("host.name", "h1") }, true},
		{"a client", "jaeger.version", "Go-2", func() { resource().Resource().Attributes().PutStr("opencensus.exporterversion", "Jaeger-Go-2") }, true},
	} {
		row := oneSpan(t, "svc", "op", "", "")
		var err error
		traces, err = new(ptrace.ProtoUnmarshaler).UnmarshalTraces(otlp.AppendTraces(nil, []schema.Span{row}))
		require.NoError(t, err)
		tt.set()
		rows := rowsOf(t, traces)
		require.Equal(t, tt.want, matches(t, rows[0], valuesOf("service", "svc", "tag", tt.key+":"+tt.value)), tt.name)
		require.Equal(t, tt.want, matches(t, rows[0], valuesOf("service", "svc", "tags", fmt.Sprintf("{%q:%q}", tt.key, tt.value))), tt.name)
	}
}

func TestDurations(t *testing.T) {
	span := oneSpan(t, "svc", "op", "", "") // 100ms
	for _, tt := range []struct {
		shortest, longest string
		want              bool
	}{
		{"", "", true},
		{"100ms", "", true},
		{"100.001ms", "", false},
		{"", "100ms", true},
		{"", "99999us", false},
		{"99999µs", "100001us", true},
		{" 0.1s ", "1h2m", true},
	} {
		require.Equal(t, tt.want, matches(t, span, valuesOf("service", "svc", "minDuration", tt.shortest, "maxDuration", tt.longest)), "%v", tt)
	}
}

func TestBadParameters(t *testing.T) {
	many := func(n int) []string {
		pairs := []string{"service", "svc"}
		for i := range n {
			pairs = append(pairs, "tag", fmt.Sprintf("k%d:v", i))
		}
		return pairs
	}
	for _, tt := range []struct {
		name, says string
		pairs      []string
	}{
		{"no service", "parameter 'service' is required", nil},
		{"a tag without value", "want key:value", []string{"service", "svc", "tag", "k"}},
		{"a tag without key", "want key:value", []string{"service", "svc", "tag", ":v"}},
		{"no JSON", "want a JSON object", []string{"service", "svc", "tags", "k=v"}},
		{"JSON with a number", "whose values are texts", []string{"service", "svc", "tags", `{"k":1}`}},
		{"JSON without key", "has no key", []string{"service", "svc", "tags", `{"":"v"}`}},
		{"no duration", "invalid minDuration", []string{"service", "svc", "minDuration", "5"}},
		{"a negative one", "invalid maxDuration", []string{"service", "svc", "maxDuration", "-5s"}},
		{"less than least", "must not be less", []string{"service", "svc", "minDuration", "2s", "maxDuration", "1s"}},
		{"no kind", "want client, consumer, internal, producer, server", []string{"service", "svc", "tag", "span.kind:proxy"}},
		{"a tag too many", "32 tags, not 33", many(33)},
	} {
		_, err := query(valuesOf(tt.pairs...))
		require.ErrorContains(t, err, tt.says, tt.name)
		require.True(t, querier.IsRequestError(err), tt.name)
	}
	text, err := query(valuesOf(many(32)...))
	require.NoError(t, err)
	_, err = traceql.Parse(text)
	require.NoError(t, err, "as many tags as may be")
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]int{"": 100, "1": 1, "1500": 1500, "0": 0, "1501": 0, "-1": 0, "x": 0} {
		n, err := limitOf(valuesOf("limit", text))
		require.Equal(t, want, n, text)
		require.Equal(t, want == 0, err != nil, text)
	}
	for text, want := range map[string]uint64{
		"": 0, "1700000000000001": 1_700_000_000_000_001_000, "1": 1000, "0": 0, "-1": 0, "x": 0, "9223372036854774": 9223372036854774000, "9223372036854775": 0,
	} {
		n, err := timeOf(valuesOf("start", text), "start", time.Microsecond)
		require.Equal(t, want, n, text)
		require.Equal(t, want == 0 && text != "", err != nil, text)
	}
	for text, want := range map[string]time.Duration{
		"": defaultLookback, "custom": defaultLookback, "1h": time.Hour, "20m": 20 * time.Minute, "2d": 48 * time.Hour, "1w": 168 * time.Hour,
		"0h": 0, "-1d": 0, "d": 0, "2x": 0, "99999999999w": 0, "2000000h": 2_000_000 * time.Hour, "100000w": 0,
	} {
		d, err := lookbackOf(valuesOf("lookback", text))
		require.Equal(t, want, d, text)
		require.Equal(t, want == 0, err != nil, text)
	}
}

// FuzzQuery: whatever stands in a parameter is a value in a query of the same form,
// never a part of the query.
func FuzzQuery(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, text)
	}
	f.Add("{", `{"a":"b"}`)
	f.Fuzz(func(t *testing.T, key, text string) {
		for _, values := range []url.Values{
			valuesOf("service", text, "operation", text, "tag", key+":"+text),
			valuesOf("service", text, "tags", text, "minDuration", key, "maxDuration", text),
		} {
			filter, err := query(values)
			if err != nil {
				require.True(t, querier.IsRequestError(err))
				continue
			}
			if len(filter) > traceql.MaxQueryBytes {
				continue // refused as such
			}
			parsed, err := traceql.Parse(filter)
			require.NoError(t, err, "%s", filter)
			require.Len(t, parsed.Pipeline, 1)
			_, err = querier.Matcher(filter)
			require.NoError(t, err, "%s", filter)
		}
		for _, name := range []string{"limit", "start", "lookback"} {
			values := valuesOf(name, text)
			_, errLimit := limitOf(values)
			_, errTime := timeOf(values, "start", time.Microsecond)
			_, errLookback := lookbackOf(values)
			for _, err := range []error{errLimit, errTime, errLookback} {
				require.True(t, err == nil || querier.IsRequestError(err), "%v", err)
			}
		}
	})
}
