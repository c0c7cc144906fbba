package schema

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// ErrBadID is returned for text that is not a hexadecimal id of the right length.
var ErrBadID = errors.New("not a hexadecimal id")

// TraceID identifies a trace: 16 bytes, never all zero in a stored span.
type TraceID [16]byte

// SpanID identifies a span within its trace: 8 bytes, never all zero in a stored span.
type SpanID [8]byte

// ParseTraceID reads up to 32 hexadecimal digits of any case, padded with zeros
// on the left, as Tempo's API does. Returns ErrBadID for anything else.
func ParseTraceID(s string) (TraceID, error) {
	var id TraceID
	return id, parseHex(id[:], s)
}

// ParseSpanID reads up to 16 hexadecimal digits of any case, padded with zeros
// on the left. Returns ErrBadID for anything else.
func ParseSpanID(s string) (SpanID, error) {
	var id SpanID
	return id, parseHex(id[:], s)
}

func parseHex(dst []byte, s string) error {
	digits := 2 * len(dst)
	if s == "" || len(s) > digits {
		return fmt.Errorf("%w: want 1 to %d digits, have %d", ErrBadID, digits, len(s))
	}
	padded := strings.Repeat("0", digits-len(s)) + s
	if _, err := hex.Decode(dst, []byte(padded)); err != nil {
		return fmt.Errorf("%w: %q", ErrBadID, s)
	}
	return nil
}

// String returns 32 lower-case hexadecimal digits.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether every byte is zero, which OTLP calls an invalid id.
func (id TraceID) IsZero() bool { return id == TraceID{} }

// CompareTraceIDs orders ids as blocks do, byte by byte.
func CompareTraceIDs(a, b TraceID) int { return bytes.Compare(a[:], b[:]) }

// Hash is xxHash64 with seed 0 of the 16 bytes. The block's bloom filter uses
// the same hash, as Parquet prescribes.
func (id TraceID) Hash() uint64 { return xxhash.Sum64(id[:]) }

// Partition returns the partition of the trace among count, a power of two.
// All spans of a trace are in one partition. It takes the low bits of the
// hash's upper half, which a Parquet bloom filter hardly uses, so that the
// traces of one partition do not crowd its filters. Doubling count splits
// partition p into p and p+count: p%count is the ancestor.
func (id TraceID) Partition(count int) int {
	return int(uint32(id.Hash()>>32) & uint32(count-1)) //nolint:gosec // count is at most MaxPartitions
}

// MaxPartitions is the largest number of partitions of a log.
const MaxPartitions = 1024

// ValidPartitionCount reports whether n is a power of two from 1 to MaxPartitions.
func ValidPartitionCount(n int) bool { return n >= 1 && n <= MaxPartitions && n&(n-1) == 0 }

// String returns 16 lower-case hexadecimal digits.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether every byte is zero: an invalid span id, or no parent.
func (id SpanID) IsZero() bool { return id == SpanID{} }

// Traces are those of one partition among some whose ids lie in a range, both
// ends included. The zero value is no valid one: AllTraces are all.
type Traces struct {
	Partition  int // 0 to Partitions-1
	Partitions int // a power of two
	First      TraceID
	Last       TraceID
}

// AllTraces are all there are.
func AllTraces() Traces {
	t := Traces{Partitions: 1}
	for i := range t.Last {
		t.Last[i] = math.MaxUint8
	}
	return t
}

// Has reports whether a trace is one of them.
func (t *Traces) Has(id TraceID) bool {
	return bytes.Compare(t.First[:], id[:]) <= 0 && bytes.Compare(id[:], t.Last[:]) <= 0 &&
		(t.Partitions == 1 || id.Partition(t.Partitions) == t.Partition)
}

// IsRange reports whether ids outside of a range are left out.
func (t *Traces) IsRange() bool {
	all := AllTraces()
	return t.First != all.First || t.Last != all.Last
}
