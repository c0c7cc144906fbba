package block

import (
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/schema"
)

// textColumn gathers a column of strings or of messages that rows share.
func (e *encoder) textColumn(id columnID, spans []schema.Span) columnData {
	switch id {
	case colName:
		return texts(e, spans, func(s *schema.Span) string { return s.Name }, itself)
	case colStatusMessage:
		return texts(e, spans, func(s *schema.Span) string { return s.StatusMessage }, itself)
	case colTraceState:
		return texts(e, spans, func(s *schema.Span) string { return s.TraceState }, itself)
	case colServiceName:
		return texts(e, spans, resourceOf, func(r *schema.Resource) string { return r.ServiceName })
	case colResource:
		return texts(e, spans, resourceOf, func(r *schema.Resource) []byte { return r.Wire })
	case colScopeName:
		return texts(e, spans, scopeOf, func(s *schema.Scope) string { return s.Name })
	case colScopeVersion:
		return texts(e, spans, scopeOf, func(s *schema.Scope) string { return s.Version })
	default: // colScope
		return texts(e, spans, scopeOf, func(s *schema.Scope) []byte { return s.Wire })
	}
}

func itself(s string) string { return s }

// resourceOf and scopeOf return what no row should lack: an empty one for nil.
func resourceOf(s *schema.Span) *schema.Resource {
	if s.Resource == nil {
		return &noResource
	}
	return s.Resource
}

func scopeOf(s *schema.Span) *schema.Scope {
	if s.Scope == nil {
		return &noScope
	}
	return s.Scope
}

// Never written to.
var (
	noResource schema.Resource
	noScope    schema.Scope
)

// texts builds a dictionary in the order of first occurrence. Rows share few
// owners (resources, scopes), so each owner's text is looked at once.
func texts[O comparable, T string | []byte](e *encoder, spans []schema.Span, owner func(*schema.Span) O, text func(O) T) columnData {
	codes := e.codes(len(spans))
	owners := map[O]uint32{}
	index := map[string]uint32{}
	var dict []byte
	var last O
	for i := range spans {
		o := owner(&spans[i])
		if i > 0 && o == last {
			codes[i] = codes[i-1]
			continue
		}
		last = o
		code, ok := owners[o]
		if !ok {
			t := text(o)
			if code, ok = index[string(t)]; !ok {
				code = uint32(len(index))
				index[string(t)] = code
				dict = encoding.AppendBytes(dict, t)
			}
			owners[o] = code
		}
		codes[i] = code
		if len(dict) > maxDictBytes {
			break
		}
	}
	if useless(len(spans), len(index), len(dict)) {
		return plainColumn(func(dst []byte, row int) []byte {
			return encoding.AppendBytes(dst, text(owner(&spans[row])))
		})
	}
	return coded(codes, dict, len(index))
}
