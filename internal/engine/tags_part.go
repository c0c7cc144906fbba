package engine

import (
	"maps"
	"slices"

	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/traceql"
)

// MergeTags is what several sources have, within the options that each was asked
// with.
func MergeTags(opts TagOptions, parts ...*Tags) *Tags {
	opts.setDefaults()
	sets := make(map[traceql.Scope]*distinct[string])
	values := newDistinct[traceql.Static](opts.Limit, opts.MaxBytes)
	merged := &Tags{}
	for _, p := range parts {
		merged.InspectedSpans += p.InspectedSpans
		for scope, keys := range p.ByScope {
			if sets[scope] == nil {
				sets[scope] = newDistinct[string](opts.Limit, opts.MaxBytes)
			}
			for _, key := range keys {
				sets[scope].add(key, len(key))
			}
		}
		for _, v := range p.Values {
			values.add(v, len(v.Str)+valueOverhead)
		}
	}
	merged.ByScope, merged.Values = sortedKeys(sets), sortedValues(values)
	return merged
}

// Append encodes the tags for ParseTags.
func (t *Tags) Append(dst []byte) []byte {
	dst = wire.AppendUint(wire.AppendUint(dst, t.InspectedSpans), len(t.ByScope))
	for _, scope := range slices.Sorted(maps.Keys(t.ByScope)) {
		dst = wire.AppendUint(wire.AppendUint(dst, scope), len(t.ByScope[scope]))
		for _, key := range t.ByScope[scope] {
			dst = wire.AppendText(dst, key)
		}
	}
	dst = wire.AppendUint(dst, len(t.Values))
	for _, v := range t.Values {
		dst = appendStatic(dst, v)
	}
	return dst
}

// ParseTags reads encoded tags. Returns wire.ErrMessage for what is none.
func ParseTags(data []byte) (*Tags, error) {
	r := wire.NewReader(data)
	t := &Tags{InspectedSpans: r.Uint(), ByScope: make(map[traceql.Scope][]string)}
	for range r.Count(2) {
		scope := traceql.Scope(r.Small(int(traceql.ScopeInstrumentation))) //nolint:gosec // bounded on this line
		for range r.Count(1) {
			t.ByScope[scope] = append(t.ByScope[scope], r.Text())
		}
	}
	for range r.Count(minStaticBytes) {
		t.Values = append(t.Values, readStatic(r))
	}
	return t, r.Done()
}

// minStaticBytes is the least that a value takes.
const minStaticBytes = 11
