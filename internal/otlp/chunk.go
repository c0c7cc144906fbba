package otlp

import "google.golang.org/protobuf/encoding/protowire"

// Chunk is the part of a request that goes to one partition: a TracesData
// message of its own, described but not written yet. See Split.Chunks for how
// long it is valid.
type Chunk struct {
	Partition int
	Spans     int // at least 1
	Size      int // bytes that AppendTo appends

	splitter *Splitter
	body     []byte
	spans    []spanRef
	groups   []group // of spans
}

// group is a run of spans of one scope within a chunk.
type group struct {
	scope int
	first int // index of its first span in the chunk
	bytes int // of the ScopeSpans message
}

// nestingBytes is the most that a tag and a length take.
const nestingBytes = 6

// AppendTo appends the chunk's message to dst, Size bytes.
func (c *Chunk) AppendTo(dst []byte) []byte {
	s, body := c.splitter, c.body
	for i := 0; i < len(c.groups); {
		n, size := s.resourceRun(c.groups[i:])
		dst = appendLength(dst, tracesResourceSpans, size)
		dst = s.appendHeader(dst, body, s.resources[s.scopes[c.groups[i].scope].parent])
		for n += i; i < n; i++ {
			g := &c.groups[i]
			last := len(c.spans)
			if i+1 < len(c.groups) {
				last = c.groups[i+1].first
			}
			dst = appendLength(dst, resourceSpansScopeSpans, g.bytes)
			dst = s.appendHeader(dst, body, s.scopes[g.scope])
			dst = appendSpans(dst, body, c.spans[g.first:last])
		}
	}
	return dst
}

// cutAll cuts the spans that were recorded into chunks.
func (s *Splitter) cutAll(body []byte, maxChunkBytes int) []Chunk {
	for p, spans := range s.spans {
		for len(spans) > 0 {
			first := len(s.groups)
			n := s.cut(spans, maxChunkBytes)
			groups := s.groups[first:]
			s.chunks = append(s.chunks, Chunk{
				Partition: p, Spans: n, Size: s.size(groups),
				splitter: s, body: body, spans: spans[:n], groups: groups,
			})
			spans = spans[n:]
		}
	}
	return s.chunks
}

// cut appends to groups the spans that go into the next chunk, and returns how
// many these are.
func (s *Splitter) cut(spans []spanRef, maxChunkBytes int) int {
	scope, resource := -1, -1
	size, limit := 0, 0 // limit holds as long as the scope stays the same
	for i := range spans {
		n := spans[i].end - spans[i].start
		if spans[i].scope == scope {
			if size+n > limit {
				return i
			}
			size += n
			s.groups[len(s.groups)-1].bytes += n
			continue
		}
		scope = spans[i].scope
		h := &s.scopes[scope]
		more, again := n+h.bytes+nestingBytes, 0
		if h.parent == resource {
			again = s.resources[resource].bytes
		} else {
			resource = h.parent
			more += s.resources[resource].bytes + nestingBytes
		}
		if i > 0 && size+more > max(maxChunkBytes, 2*again) {
			return i
		}
		size += more
		limit = max(maxChunkBytes, 2*(h.bytes+s.resources[resource].bytes))
		s.groups = append(s.groups, group{scope: scope, first: i, bytes: h.bytes + n})
	}
	return len(spans)
}

// size is how long the message of the groups is.
func (s *Splitter) size(groups []group) int {
	total := 0
	for len(groups) > 0 {
		n, size := s.resourceRun(groups)
		total += fieldSize(size)
		groups = groups[n:]
	}
	return total
}

// resourceRun returns how many of the groups share the first one's resource,
// and the size of their ResourceSpans message.
func (s *Splitter) resourceRun(groups []group) (n, size int) {
	resource := s.scopes[groups[0].scope].parent
	size = s.resources[resource].bytes
	for n < len(groups) && s.scopes[groups[n].scope].parent == resource {
		size += fieldSize(groups[n].bytes)
		n++
	}
	return n, size
}

func (s *Splitter) appendHeader(dst, body []byte, h header) []byte {
	for _, r := range s.ranges[h.first:h.last] {
		dst = append(dst, body[r.start:r.end]...)
	}
	return dst
}

// appendSpans copies spans; neighbours in the request go in one piece.
func appendSpans(dst, body []byte, spans []spanRef) []byte {
	for i := 0; i < len(spans); {
		start, end := spans[i].start, spans[i].end
		for i++; i < len(spans) && spans[i].start == end; i++ {
			end = spans[i].end
		}
		dst = append(dst, body[start:end]...)
	}
	return dst
}

// fieldSize is the size of a message field with a tag of one byte.
func fieldSize(n int) int { return 1 + protowire.SizeBytes(n) }

func appendLength(dst []byte, num protowire.Number, n int) []byte {
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	return protowire.AppendVarint(dst, uint64(n)) //nolint:gosec // lengths are not negative
}
