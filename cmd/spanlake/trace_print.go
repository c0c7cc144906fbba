package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// tellingAttributes are shown with every span that has them.
func tellingAttributes() []string {
	return []string{
		"http.request.method", "http.route", "url.path", "http.response.status_code", "server.address",
		"rpc.service", "rpc.method", "rpc.grpc.status_code",
		"db.system", "db.operation", "db.statement", "messaging.system", "messaging.destination.name",
		"gen_ai.operation.name", "gen_ai.request.model", "gen_ai.tool.name",
		"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "error.type", "exception.type", "exception.message",
	}
}

// maxTextRunes bounds what is shown of a text of a span.
const maxTextRunes = 80

func (t *spanTree) print(w io.Writer, id string, all bool) error {
	start, end := uint64(math.MaxUint64), uint64(0)
	services := make(map[string]bool)
	failed := 0
	for _, s := range t.spans {
		start, end = min(start, s.StartTimeUnixNano), max(end, s.StartTimeUnixNano, s.EndTimeUnixNano)
		services[s.service] = true
		if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			failed++
		}
	}
	fmt.Fprintf(w, "trace %s\n%s, %s, %s in %s, %s\n\n", id, clock(start), elapsed(start, end),
		count(len(t.spans), "span"), count(len(services), "service"), count(failed, "error"))
	rows := [][]string{{"SPAN", "SERVICE", "KIND", "START", "DURATION", "STATUS", "ATTRIBUTES"}}
	for _, s := range t.spans {
		name := s.branch + printable(s.Name)
		if s.orphan {
			name += " (parent missing)"
		}
		rows = append(rows, []string{
			name, printable(s.service), kindText(s.Kind), "+" + elapsed(start, s.StartTimeUnixNano),
			elapsed(s.StartTimeUnixNano, s.EndTimeUnixNano), statusText(s.Status), s.attributes(all),
		})
	}
	return printTable(w, rows)
}

// attributes is "key=value key=value", of the span and, for exceptions, of its
// events.
func (s *treeSpan) attributes(all bool) string {
	var texts []string
	add := func(attributes []*commonpb.KeyValue, all bool) {
		telling := tellingAttributes()
		for _, a := range attributes {
			if all || slices.Contains(telling, a.GetKey()) {
				texts = append(texts, printable(a.GetKey())+"="+printable(attributeText(a.GetValue())))
			}
		}
	}
	add(s.Attributes, all)
	for _, e := range s.Events {
		if all {
			texts = append(texts, "event:"+printable(e.GetName()))
		}
		add(e.GetAttributes(), all)
	}
	return strings.Join(texts, " ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// elapsed is the time between two instants; a span may end before it starts.
func elapsed(from, to uint64) string {
	return brief(time.Duration(to - from)) //nolint:gosec // wraps to a negative time on purpose
}

func kindText(k tracepb.Span_SpanKind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "SPAN_KIND_"))
}

func statusText(s *tracepb.Status) string {
	code := strings.ToLower(strings.TrimPrefix(s.GetCode().String(), "STATUS_CODE_"))
	if s.GetMessage() == "" {
		return code
	}
	return code + ": " + printable(s.GetMessage())
}

// attributeText is a value for people.
func attributeText(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		texts := make([]string, 0, len(v.ArrayValue.GetValues()))
		for _, e := range v.ArrayValue.GetValues() {
			texts = append(texts, attributeText(e))
		}
		return "[" + strings.Join(texts, " ") + "]"
	case *commonpb.AnyValue_KvlistValue:
		texts := make([]string, 0, len(v.KvlistValue.GetValues()))
		for _, e := range v.KvlistValue.GetValues() {
			texts = append(texts, e.GetKey()+"="+attributeText(e.GetValue()))
		}
		return "{" + strings.Join(texts, " ") + "}"
	}
	return ""
}

// printable keeps a text on its line and away from the terminal's controls, and
// shortens it.
func printable(text string) string {
	var b strings.Builder
	runes := 0
	for _, r := range text {
		if runes++; runes > maxTextRunes {
			b.WriteString("…")
			break
		}
		switch {
		case r == '\n' || r == '\t':
			r = ' '
		case !unicode.IsPrint(r):
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}
