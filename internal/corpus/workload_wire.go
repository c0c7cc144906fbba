package corpus

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields of OTLP's messages that hold attributes.
const (
	resourceAttributes = 1
	spanAttributes     = 9
	eventAttributes    = 3
	linkAttributes     = 4
)

// attributes are encoded KeyValue messages, each a field of the message that
// they belong to. Keys are written in the order of the calls.
type attributes struct {
	field protowire.Number
	wire  []byte
}

// begin opens the KeyValue and its AnyValue of n bytes.
func (a *attributes) begin(key string, n int) {
	a.wire = protowire.AppendTag(a.wire, a.field, protowire.BytesType)
	a.wire = protowire.AppendVarint(a.wire, uint64(2+protowire.SizeBytes(len(key))+protowire.SizeBytes(n)))
	a.wire = appendString(a.wire, 1, key)
	a.wire = protowire.AppendTag(a.wire, 2, protowire.BytesType)
	a.wire = protowire.AppendVarint(a.wire, uint64(n))
}

func (a *attributes) str(key, value string) {
	a.begin(key, 1+protowire.SizeBytes(len(value)))
	a.wire = appendString(a.wire, 1, value)
}

func (a *attributes) bool(key string, value bool) {
	a.begin(key, 2)
	a.wire = protowire.AppendTag(a.wire, 2, protowire.VarintType)
	a.wire = protowire.AppendVarint(a.wire, protowire.EncodeBool(value))
}

func (a *attributes) int(key string, value int) {
	a.begin(key, 1+protowire.SizeVarint(uint64(value)))
	a.wire = protowire.AppendTag(a.wire, 3, protowire.VarintType)
	a.wire = protowire.AppendVarint(a.wire, uint64(value))
}

func (a *attributes) double(key string, value float64) {
	a.begin(key, 9)
	a.wire = protowire.AppendTag(a.wire, 4, protowire.Fixed64Type)
	a.wire = protowire.AppendFixed64(a.wire, math.Float64bits(value))
}

func (a *attributes) strs(key string, values ...string) {
	var list []byte
	for _, value := range values {
		list = appendMessage(list, 1, appendString(nil, 1, value))
	}
	a.begin(key, 1+protowire.SizeBytes(len(list)))
	a.wire = appendMessage(a.wire, 5, list)
}

func appendString(b []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

func appendFixed64(b []byte, field protowire.Number, value uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), value)
}

// appendSpan appends a Span message as a field of its ScopeSpans. Fields are
// in the order of their numbers, as SDKs write them.
func appendSpan(b []byte, id [16]byte, s *traceSpan) []byte {
	m := make([]byte, 0, 128+len(s.name)+len(s.attrs.wire)+len(s.events)+len(s.links))
	m = appendMessage(m, 1, id[:])
	m = appendMessage(m, 2, s.id[:])
	if s.parent != nil {
		m = appendMessage(m, 4, s.parent.id[:])
	}
	m = appendString(m, 5, s.name)
	m = protowire.AppendVarint(protowire.AppendTag(m, 6, protowire.VarintType), uint64(s.kind))
	m = appendFixed64(m, 7, s.start)
	m = appendFixed64(m, 8, s.end)
	m = append(m, s.attrs.wire...)
	m = append(m, s.events...)
	m = append(m, s.links...)
	if s.failed {
		m = appendMessage(m, 15, append(appendString(nil, 2, s.message), 0x18, 2))
	}
	m = protowire.AppendFixed32(protowire.AppendTag(m, 16, protowire.Fixed32Type), 0x101)
	return appendMessage(b, 2, m)
}

// scope is the library that makes spans.
type scope struct{ name, version string }

// Limits of a request: the default of the SDKs' batches, and what keeps it far
// from the limits of servers.
const (
	maxRequestSpans = 512
	maxRequestBytes = 1 << 20
)

// pod is a process that sends spans of its own.
type pod struct {
	service  string
	resource []byte // the Resource message

	scopes []scope  // of spans, in order of appearance
	spans  [][]byte // by scope: fields of ScopeSpans
	count  int
	bytes  int
}

// add keeps a span and reports whether it is time to send.
func (p *pod) add(id [16]byte, s *traceSpan) (full bool) {
	i := 0
	for ; i < len(p.scopes) && p.scopes[i] != s.scope; i++ {
	}
	if i == len(p.scopes) {
		p.scopes, p.spans = append(p.scopes, s.scope), append(p.spans, nil)
	}
	before := len(p.spans[i])
	p.spans[i] = appendSpan(p.spans[i], id, s)
	p.count++
	p.bytes += len(p.spans[i]) - before
	return p.count == maxRequestSpans || p.bytes >= maxRequestBytes
}

// request returns what was added since the last call, nil if nothing.
func (p *pod) request() []byte {
	if p.count == 0 {
		return nil
	}
	const schemaURL = "https://opentelemetry.io/schemas/1.37.0"
	rs := appendMessage(make([]byte, 0, p.bytes+1024), 1, p.resource)
	for i, sc := range p.scopes {
		if len(p.spans[i]) == 0 {
			continue
		}
		ss := appendMessage(nil, 1, appendString(appendString(nil, 1, sc.name), 2, sc.version))
		ss = appendString(append(ss, p.spans[i]...), 3, schemaURL)
		rs = appendMessage(rs, 2, ss)
		p.spans[i] = p.spans[i][:0]
	}
	p.count, p.bytes = 0, 0
	return appendMessage(nil, 1, appendString(rs, 3, schemaURL))
}
