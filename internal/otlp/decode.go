package otlp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// Decoder turns chunks into rows. It shares equal resources and scopes between
// all rows that it makes. Not safe for concurrent use.
type Decoder struct {
	resources map[string]*schema.Resource
	scopes    map[string]*schema.Scope
	kept      int // bytes of the keys of both maps
	made      int // bytes of all resources and scopes ever made
}

// The resources and scopes that a Decoder remembers. Past either limit it
// starts afresh, so that clients with ever changing resources do not fill the
// memory; rows made before keep what they point to.
const (
	maxKeptHeaders = 1 << 14
	maxKeptBytes   = 16 << 20
)

// NewDecoder returns a Decoder that remembers nothing yet.
func NewDecoder() *Decoder {
	d := &Decoder{}
	d.forget()
	return d
}

func (d *Decoder) forget() {
	d.resources = make(map[string]*schema.Resource)
	d.scopes = make(map[string]*schema.Scope)
	d.kept = 0
}

// Decode appends the spans of wire, a TracesData message at the given position
// of the log, to dst in the order of the message. The rows share memory with
// wire, which must not change while they are in use.
//
// It reads fields of spans and statuses, not the attributes, events and links
// within: Split has validated them, and the functions that read them later stop
// at what they cannot read. Returns dst as it was and an error that wraps
// ErrMalformed if wire is not well formed or an id is not valid.
func (d *Decoder) Decode(wire []byte, position uint64, dst []schema.Span) ([]schema.Span, error) {
	rows := dst
	for i := 0; i < len(wire); {
		f, flt := readField(wire, i)
		if flt == faultNone && f.num == tracesResourceSpans && f.typ != protowire.BytesType {
			flt = faultType
		}
		if flt != faultNone {
			return dst, fmt.Errorf("%w: decode: %s at byte %d", ErrMalformed, flt, i)
		}
		if i = f.end; f.num != tracesResourceSpans {
			continue
		}
		var err error
		if rows, err = d.resourceSpans(wire[f.value:f.end], position, rows); err != nil {
			return dst, fmt.Errorf("%w: decode: resource at byte %d: %w", ErrMalformed, f.start, err)
		}
	}
	return rows, nil
}

func (d *Decoder) resourceSpans(b []byte, position uint64, rows []schema.Span) ([]schema.Span, error) {
	head, flt := headerOf(b, msgResourceSpans)
	if flt != faultNone {
		return rows, faultError(flt)
	}
	resource := d.resource(head)
	for i := 0; i < len(b); {
		f, _ := readField(b, i)
		if i = f.end; f.num != resourceSpansScopeSpans {
			continue
		}
		body := b[f.value:f.end]
		if head, flt = headerOf(body, msgScopeSpans); flt != faultNone {
			return rows, faultError(flt)
		}
		template := schema.Span{Resource: resource, Scope: d.scope(head), Position: position}
		var err error
		if rows, err = scopeSpans(body, &template, rows); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// scopeSpans appends the spans of a message that headerOf has read.
func scopeSpans(b []byte, template *schema.Span, rows []schema.Span) ([]schema.Span, error) {
	for i := 0; i < len(b); {
		value, next := spanAt(b, i)
		if next == 0 {
			f, _ := readField(b, i)
			if i = f.end; f.num != scopeSpansSpans {
				continue
			}
			value, next = f.value, f.end
		}
		i = next
		rows = append(rows, *template)
		span, row := b[value:next], &rows[len(rows)-1]
		if plainSpan(span, row) {
			continue
		}
		*row = *template
		if err := parseSpan(span, row); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func faultError(flt fault) error { return errors.New(flt.String()) }

// headerOf returns the fields of a ResourceSpans or ScopeSpans message besides
// its members, whose number is 2 in both.
func headerOf(b []byte, id messageID) ([]byte, fault) {
	var head fragment
	for i := 0; i < len(b); {
		if _, next := spanAt(b, i); next > 0 { // a scope's message looks the same
			i = next
			continue
		}
		f, flt := readField(b, i)
		if flt == faultNone && !id.known(f.num).accepts(f.typ) {
			flt = faultType
		}
		if flt != faultNone {
			return nil, flt
		}
		if i = f.end; f.num != scopeSpansSpans {
			head.add(b, f.start, f.end)
		}
	}
	return head.bytes, faultNone
}

func (d *Decoder) resource(wire []byte) *schema.Resource {
	if r, ok := d.resources[string(wire)]; ok {
		return r
	}
	r := ParseResource(bytes.Clone(wire))
	d.keep(len(wire))
	d.resources[alias(r.Wire)] = r
	return r
}

func (d *Decoder) scope(wire []byte) *schema.Scope {
	if s, ok := d.scopes[string(wire)]; ok {
		return s
	}
	s := ParseScope(bytes.Clone(wire))
	d.keep(len(wire))
	d.scopes[alias(s.Wire)] = s
	return s
}

// ParseResource returns the resource of a Wire, whose memory it shares.
func ParseResource(wire []byte) *schema.Resource {
	r := &schema.Resource{Wire: wire}
	for _, a := range ResourceAttributes(r) {
		if a.Key == "service.name" && a.Value.Kind == schema.KindString {
			r.ServiceName = validText(a.Value.Str)
			break
		}
	}
	return r
}

// ParseScope returns the scope of a Wire, whose memory it shares.
func ParseScope(wire []byte) *schema.Scope {
	s := &schema.Scope{Wire: wire}
	for scope := range members(wire, scopeSpansScope) {
		for name := range members(scope, scopeName) {
			s.Name = validText(alias(name))
		}
		for version := range members(scope, scopeVersion) {
			s.Version = validText(alias(version))
		}
	}
	return s
}

func (d *Decoder) keep(n int) {
	if d.kept+n > maxKeptBytes || len(d.resources)+len(d.scopes) >= maxKeptHeaders {
		d.forget()
	}
	d.kept += n
	d.made += n + sharedOverhead
}

// sharedOverhead is what a resource or scope takes besides its wire bytes:
// itself, and its entry in a map.
const sharedOverhead = 192

// SharedBytes is about how much memory the resources and scopes take that the
// Decoder has made so far. Rows keep them alive.
func (d *Decoder) SharedBytes() int { return d.made }

// validText is s with what is not UTF-8 replaced.
func validText(s string) string { return strings.ToValidUTF8(s, string(utf8.RuneError)) }
