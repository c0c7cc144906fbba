package spanmetrics

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Kinds and codes of OTLP.
const (
	kindServer   = 2
	kindClient   = 3
	kindProducer = 4
	kindConsumer = 5
	statusError  = 2
)

func kindName(kind int32) string {
	names := []string{"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"}
	if kind < 0 || int(kind) >= len(names) {
		return names[0]
	}
	return names[kind]
}

func statusName(code int32) string {
	names := []string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}
	if code < 0 || int(code) >= len(names) {
		return names[0]
	}
	return names[code]
}

// maxLabelBytes bounds a label: a name of a span that is a prompt is no name.
const maxLabelBytes = 256

// labelOf is a text as a label may have it.
func labelOf(text string) string {
	if len(text) > maxLabelBytes {
		cut := maxLabelBytes
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	return strings.ToValidUTF8(text, string(utf8.RuneError))
}

// cloned are texts that share no memory with a message of the log.
func cloned(values [labels]string) [labels]string {
	for i, v := range values {
		values[i] = strings.Clone(v)
	}
	return values
}

// seconds is a duration, 0 where clocks ran backwards.
func seconds(from, to uint64) float64 {
	if to < from {
		return 0
	}
	return float64(to-from) / 1e9
}

// countSpan counts a span by its service, name, kind and status.
func (s *store) countSpan(id schema.ProjectID, row *schema.Span) {
	c := combination{family: spanCalls, project: id, values: [labels]string{
		labelOf(row.Resource.ServiceName), labelOf(row.Name), kindName(row.Kind), statusName(row.StatusCode),
	}}
	s.add(c, 1, row.TraceID)
	c.family = spanLatency
	s.add(c, seconds(row.StartNanos, row.EndNanos), row.TraceID)
	c.family = spanSize
	s.add(c, float64(len(otlp.AppendSpan(nil, row))), row.TraceID)
}

// text is an attribute of a span, or of its resource, as a label; false if there is none.
func text(row *schema.Span, key string) (string, bool) {
	v, ok := otlp.LookupResource(row.Resource, key)
	if !ok {
		v, ok = otlp.Lookup(row.Attributes, key)
	}
	if !ok {
		return "", false
	}
	switch v.Kind {
	case schema.KindString:
		return labelOf(v.Str), v.Str != ""
	case schema.KindInt:
		return strconv.FormatInt(v.Int, 10), true
	default:
		return "", false
	}
}
