package otlp

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// Split is a request cut into chunks.
type Split struct {
	// Chunks are ordered by partition, and those of one partition as in the
	// request. They describe parts of the request and belong to the Splitter:
	// write them with AppendTo before the request's memory is used again and
	// before the next call of Split.
	Chunks   []Chunk
	Spans    int    // accepted, over all chunks
	Rejected int    // spans dropped, for whatever reason
	Reason   string // the first rejected span and what is wrong with it, "" without one
	Expired  int    // of the rejected, those that ended before Rules.OldestEnd
	TooLarge int    // and those with an attribute above Rules.MaxAttributeBytes
	// Traces are the hashes of the accepted spans' traces, some of them more than
	// once, if Rules.ListTraces is set. They belong to the Splitter as Chunks do.
	Traces []uint64
}

// Splitter splits requests by trace. Its zero value is ready; it keeps scratch
// memory between calls and is not safe for concurrent use.
type Splitter struct {
	resources []header
	scopes    []header
	ranges    []byteRange
	spans     [][]spanRef // by partition, in the order of the request
	accepted  int         // over all partitions
	ids       spanIDs     // of the span that is being read
	groups    []group     // of all chunks
	chunks    []Chunk
	traces    []uint64 // by hash, if they are asked for
}

// byteRange is a part of the request.
type byteRange struct{ start, end int }

// header is what a ResourceSpans or ScopeSpans message says besides its
// members: ranges[first:last], bytes long altogether.
type header struct {
	parent      int // of a scope: its resource
	first, last int
	bytes       int
}

// spanRef is a span in the request, tag and length included.
type spanRef struct{ start, end, scope int }

// maxScratch bounds the spans for which a Splitter keeps memory between calls.
const maxScratch = 1 << 16

// Split cuts body, an ExportTraceServiceRequest or TracesData message, into
// chunks by the partition of the trace id, without copying any of it. A chunk
// has spans byte for byte, and so all other fields of the ResourceSpans and
// ScopeSpans around them, as has every chunk that holds one of their spans;
// unknown fields of the request itself are dropped. Chunks of several requests
// may be concatenated.
//
// A chunk is at most maxChunkBytes long unless it holds a single span, or
// resource and scope take up more than half of it: then cuts are as rare as
// needed for the copies of these to stay below half of the output. A resource
// whose spans go to several partitions is copied to each, so bound the size of
// resources where there are many partitions.
//
// Everything in an accepted span was validated, so Decode takes every chunk.
// A span that is not valid is dropped and counted. Returns an error that wraps
// ErrMalformed, and nothing else, if the request, a resource or a scope is not
// well formed.
func (s *Splitter) Split(body []byte, partitions, maxChunkBytes int) (Split, error) {
	return s.split(body, partitions, maxChunkBytes, checkSpan, Rules{})
}

// SplitBy is Split for spans that have to keep rules besides being valid.
func (s *Splitter) SplitBy(body []byte, partitions, maxChunkBytes int, rules Rules) (Split, error) {
	return s.split(body, partitions, maxChunkBytes, checkSpan, rules)
}

// split leaves it to identify what of a span is looked at besides its ids, so
// that the cost of validation can be measured.
func (s *Splitter) split(body []byte, partitions, maxChunkBytes int, identify identifier, rules Rules) (Split, error) {
	if !schema.ValidPartitionCount(partitions) {
		return Split{}, fmt.Errorf("split into %d partitions: want a power of two up to %d", partitions, schema.MaxPartitions)
	}
	s.reset(partitions)
	scan := scanner{Splitter: s, body: body, partitions: partitions, identify: identify, rules: rules, ruled: rules.any()}
	if err := scan.request(); err != nil {
		return Split{}, err
	}
	scan.out.Spans = s.accepted
	scan.out.Chunks = s.cutAll(body, maxChunkBytes)
	scan.out.Traces = s.traces
	return scan.out, nil
}

func (s *Splitter) reset(partitions int) {
	if s.accepted > maxScratch || cap(s.ranges) > maxScratch {
		*s = Splitter{}
	}
	if len(s.spans) != partitions {
		s.spans = make([][]spanRef, partitions)
	}
	for p := range s.spans {
		s.spans[p] = s.spans[p][:0]
	}
	clear(s.chunks) // lets the last request go
	s.resources, s.scopes, s.ranges = s.resources[:0], s.scopes[:0], s.ranges[:0]
	s.groups, s.chunks, s.accepted = s.groups[:0], s.chunks[:0], 0
	s.traces = s.traces[:0]
}

// identifier finds the ids of a span, or says what is wrong with it.
type identifier func(span []byte, ids *spanIDs) fault

// scanner walks one request and records in the Splitter where everything lies.
type scanner struct {
	*Splitter

	body       []byte
	partitions int
	identify   identifier
	rules      Rules
	ruled      bool // there are rules
	out        Split
	resource   int // number of the ResourceSpans in the request, for messages
	// badResource and badScope are what is wrong with those around the span that
	// is being read.
	badResource, badScope string
}

func (c *scanner) request() error {
	for i := 0; i < len(c.body); {
		f, flt := readField(c.body, i)
		if flt != faultNone {
			return fmt.Errorf("%w: request: %s at byte %d", ErrMalformed, flt, i)
		}
		i = f.end
		if f.num != tracesResourceSpans {
			continue
		}
		if f.typ != protowire.BytesType {
			return fmt.Errorf("%w: request: %s at byte %d", ErrMalformed, faultType, f.start)
		}
		if err := c.resourceSpans(f.value, f.end); err != nil {
			return err
		}
		c.resource++
	}
	return nil
}

func (c *scanner) resourceSpans(start, end int) error {
	// The header is complete before the first scope, so that its ranges are
	// neighbours in c.ranges.
	h := header{first: len(c.ranges)}
	for i := start; i < end; {
		f, err := c.member(i, end, msgResourceSpans, &h)
		if err != nil {
			return fmt.Errorf("%w: resource %d: %w", ErrMalformed, c.resource, err)
		}
		i = f.end
	}
	h.last = len(c.ranges)
	c.badResource = c.around(c.body[start:end], resourceSpansResource, resourceAttributes, "resource")
	id, before := len(c.resources), c.accepted
	c.resources = append(c.resources, h)
	for i, n := start, 0; i < end; {
		f, _ := readField(c.body[:end], i)
		if i = f.end; f.num != resourceSpansScopeSpans {
			continue
		}
		if err := c.scopeSpans(f.value, f.end, id); err != nil {
			return fmt.Errorf("%w: resource %d: scope %d: %w", ErrMalformed, c.resource, n, err)
		}
		n++
	}
	if c.accepted == before {
		c.resources, c.ranges = c.resources[:id], c.ranges[:h.first]
	}
	return nil
}

func (c *scanner) scopeSpans(start, end, resource int) error {
	h := header{parent: resource, first: len(c.ranges)}
	c.badScope = c.around(c.body[start:end], scopeSpansScope, scopeAttributes, "scope")
	id, before := len(c.scopes), c.accepted
	for i := start; i < end; {
		if value, next := spanAt(c.body[:end], i); next > 0 {
			c.span(i, value, next, id)
			i = next
			continue
		}
		f, err := c.member(i, end, msgScopeSpans, &h)
		if err != nil {
			return err
		}
		if i = f.end; f.num == scopeSpansSpans {
			c.span(f.start, f.value, f.end, id)
		}
	}
	h.last = len(c.ranges)
	if c.accepted == before {
		c.ranges = c.ranges[:h.first]
		return nil
	}
	c.scopes = append(c.scopes, h)
	return nil
}

// spanAt returns where the contents of the span whose tag is at b[i] begin and
// end. It knows only what nearly all spans begin with; for readField to look at
// everything else, next is 0.
func spanAt(b []byte, i int) (value, next int) {
	if len(b)-i < 3 || b[i] != spanTag {
		return 0, 0
	}
	n := int(b[i+1])
	if value = i + 2; n >= 0x80 {
		if b[value] >= 0x80 {
			return 0, 0
		}
		n = n&0x7f | int(b[value])<<7
		value++
	}
	if n > len(b)-value {
		return 0, 0
	}
	return value, value + n
}

// spanTag is the one byte before a span's length.
const spanTag = scopeSpansSpans<<3 | byte(protowire.BytesType)

// member reads the field at offset i of the ResourceSpans or ScopeSpans message
// that ends at end. Unless the field is one of the message's members, which
// have number 2 in both, it is validated and recorded as part of the header.
func (c *scanner) member(i, end int, id messageID, h *header) (wireField, error) {
	f, flt := readField(c.body[:end], i)
	if flt == faultNone {
		if f.num == scopeSpansSpans && f.typ == protowire.BytesType {
			return f, nil
		}
		flt = check(c.body[f.start:f.end], id, 0, nil)
	}
	if flt != faultNone {
		return f, fmt.Errorf("%s at byte %d", flt, i)
	}
	h.bytes += f.end - f.start
	if last := len(c.ranges) - 1; last >= h.first && c.ranges[last].end == f.start {
		c.ranges[last].end = f.end
	} else {
		c.ranges = append(c.ranges, byteRange{f.start, f.end})
	}
	return f, nil
}

// span records the span at body[start:end], whose contents begin at value, or
// counts it as rejected.
func (c *scanner) span(start, value, end, scope int) {
	b, ids := c.body[value:end], &c.ids
	*ids = spanIDs{}
	if flt := c.identify(b, ids); flt != faultNone {
		c.reject(b, flt.String())
		return
	}
	if !ids.valid(b) {
		c.reject(b, ids.problem(b))
		return
	}
	if c.ruled && !c.keepsRules(b) {
		return
	}
	trace := schema.TraceID(ids.trace.of(b))
	if n := len(c.traces); c.rules.ListTraces {
		if hash := trace.Hash(); n == 0 || c.traces[n-1] != hash {
			c.traces = append(c.traces, hash)
		}
	}
	partition := trace.Partition(c.partitions)
	c.spans[partition] = append(c.spans[partition], spanRef{start, end, scope})
	c.accepted++
}

func (c *scanner) reject(span []byte, why string) {
	if c.out.Rejected++; c.out.Rejected == 1 {
		c.out.Reason = fmt.Sprintf("span %s in resource %d: %s", quotedName(span), c.resource, why)
	}
}
