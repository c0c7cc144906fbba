package otlp

import (
	"strings"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// group is a run of spans of one scope within a chunk.
type group struct {
	scope int32
	first int // index of its first span in the chunk
	bytes int // of the ScopeSpans message
}

// nestingBytes is the most that a tag and a length take.
const nestingBytes = 6

// chunks builds the chunks of the spans that were recorded.
func (s *Splitter) chunks(body []byte, partitions, maxChunkBytes int) []Chunk {
	var out []Chunk
	start := 0
	s.sortByPartition(partitions)
	for p := range partitions {
		part := s.sorted[start:s.ends[p]]
		start = s.ends[p]
		for len(part) > 0 {
			n := s.cut(part, maxChunkBytes)
			out = append(out, Chunk{Partition: p, Wire: s.encode(body, part[:n]), Spans: n})
			part = part[n:]
		}
	}
	return out
}

// sortByPartition fills sorted, keeping the order within a partition, and ends,
// the end of each partition in it.
func (s *Splitter) sortByPartition(partitions int) {
	s.ends = append(s.ends[:0], make([]int, partitions)...)
	s.sorted = append(s.sorted[:0], s.spans...)
	for i := range s.spans {
		s.ends[s.spans[i].partition]++
	}
	sum := 0
	for p, n := range s.ends {
		s.ends[p] = sum
		sum += n
	}
	for i := range s.spans {
		p := s.spans[i].partition
		s.sorted[s.ends[p]] = s.spans[i]
		s.ends[p]++
	}
}

// cut fills groups with the spans of part that go into the next chunk, and
// returns how many these are.
func (s *Splitter) cut(part []spanRef, maxChunkBytes int) int {
	s.groups = s.groups[:0]
	scope, resource := int32(-1), -1
	size, limit := 0, 0 // limit holds as long as the scope stays the same
	for i := range part {
		n := part[i].end - part[i].start
		if part[i].scope == scope {
			if size+n > limit {
				return i
			}
			size += n
			s.groups[len(s.groups)-1].bytes += n
			continue
		}
		scope = part[i].scope
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
	return len(part)
}

// encode builds the TracesData message of part, the spans of the groups.
func (s *Splitter) encode(body []byte, part []spanRef) []byte {
	total := 0
	for rest := s.groups; len(rest) > 0; {
		n, size := s.resourceRun(rest)
		total += fieldSize(size)
		rest = rest[n:]
	}
	dst := newBuffer(total)
	for i := 0; i < len(s.groups); {
		n, size := s.resourceRun(s.groups[i:])
		dst = appendLength(dst, tracesResourceSpans, size)
		dst = s.appendHeader(dst, body, s.resources[s.scopes[s.groups[i].scope].parent])
		for n += i; i < n; i++ {
			g := &s.groups[i]
			last := len(part)
			if i+1 < len(s.groups) {
				last = s.groups[i+1].first
			}
			dst = appendLength(dst, resourceSpansScopeSpans, g.bytes)
			dst = s.appendHeader(dst, body, s.scopes[g.scope])
			dst = appendSpans(dst, body, part[g.first:last])
		}
	}
	return dst
}

// newBuffer returns an empty slice with room for n bytes that nobody zeroed:
// that would cost as much as filling it, and encode writes every byte.
func newBuffer(n int) []byte {
	var b strings.Builder
	b.Grow(n)
	return unsafe.Slice(unsafe.StringData(b.String()), n)[:0]
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
