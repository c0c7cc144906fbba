package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrBadName is returned for a key that is not a block's name.
var ErrBadName = errors.New("not a block name")

// BlocksPrefix is the prefix of every block's key.
const BlocksPrefix = "blocks/"

const dayLayout = "2006-01-02"

// BlockName is everything that a listing tells about a block. Its text form is
// the object's key (README.md, section 2):
//
//	blocks/<project>/<day>/p<partition>of<count>/<epoch>-<first>-<last>_L<level>g<generation>[o]_<log time>_<min start>-<max end>_<spans>_<tail>.parquet
//
// Numbers are decimal without leading zeros, so every block has one spelling.
type BlockName struct {
	Project    ProjectID
	Partition  int    // 0 to Partitions-1
	Partitions int    // a power of two
	Epoch      uint64 // the stream that the positions belong to
	First      uint64 // first position covered, at least 1
	Last       uint64 // last position covered, inclusive
	Level      int    // 0: written by a builder; merging raises it
	Generation int    // raised by a rewrite after an erasure
	Open       bool   // has rows that are fragments of unfinished spans
	LogNanos   uint64 // log time of the first message of the first batch, Unix ns; its UTC day is the ingest day
	MinStart   uint64 // earliest span start, Unix ns; 0 without spans
	MaxEnd     uint64 // latest span start or end, Unix ns; 0 without spans
	Spans      uint64 // rows
	TailBytes  uint64 // size of the tail: the bytes from the page directory to the end
}

// Day is the ingest day, the UTC day of LogNanos as 2006-01-02.
func (n BlockName) Day() string {
	return n.logTime().Format(dayLayout)
}

func (n *BlockName) logTime() time.Time {
	return time.Unix(0, int64(n.LogNanos)).UTC() //nolint:gosec // log times are wall clock
}

// Key is the object's key.
func (n BlockName) Key() string {
	return string(n.appendKey(make([]byte, 0, keyBytes)))
}

// keyBytes is the size of most keys, at most.
const keyBytes = 256

// appendKey appends the key: listings make one of every name that they read.
func (n *BlockName) appendKey(b []byte) []byte {
	number := func(before string, v uint64) {
		b = strconv.AppendUint(append(b, before...), v, 10)
	}
	b = append(append(b, BlocksPrefix...), n.Project...)
	b = n.logTime().AppendFormat(append(b, '/'), dayLayout)
	number("/p", uint64(n.Partition))  //nolint:gosec // not negative, as all numbers of a name
	number("of", uint64(n.Partitions)) //nolint:gosec // likewise
	number("/", n.Epoch)
	number("-", n.First)
	number("-", n.Last)
	number("_L", uint64(n.Level))     //nolint:gosec // likewise
	number("g", uint64(n.Generation)) //nolint:gosec // likewise
	if n.Open {
		b = append(b, 'o')
	}
	number("_", n.LogNanos)
	number("_", n.MinStart)
	number("-", n.MaxEnd)
	number("_", n.Spans)
	number("_", n.TailBytes)
	return append(b, ".parquet"...)
}

// ProjectPrefix is the prefix of the keys of a project's blocks.
func ProjectPrefix(p ProjectID) string { return BlocksPrefix + string(p) + "/" }

// DayPrefix is the prefix of the keys of a project's blocks of the UTC day of a
// time.
func DayPrefix(p ProjectID, at time.Time) string {
	return ProjectPrefix(p) + at.UTC().Format(dayLayout) + "/"
}

// ParseDayPrefix reads the beginning of the day of a prefix. Returns ErrBadName.
func ParseDayPrefix(p ProjectID, prefix string) (time.Time, error) {
	day, err := time.Parse(dayLayout, strings.TrimSuffix(strings.TrimPrefix(prefix, ProjectPrefix(p)), "/"))
	if err != nil {
		return day, fmt.Errorf("%w: %q is no day's prefix", ErrBadName, prefix)
	}
	return day, nil
}

// ParseBlockName reads a key. Returns ErrBadName for every text that Key does
// not produce.
func ParseBlockName(key string) (BlockName, error) {
	n, err := parseBlockName(key)
	if err == nil && string(n.appendKey(make([]byte, 0, keyBytes))) != key { // compared without a copy
		err = errors.New("not in canonical form")
	}
	if err != nil {
		return BlockName{}, fmt.Errorf("%w: %q: %w", ErrBadName, key, err)
	}
	return n, nil
}

func parseBlockName(key string) (n BlockName, err error) {
	rest, ok := strings.CutPrefix(key, BlocksPrefix)
	var seg [4]string
	if !ok || !cutInto(seg[:], rest, '/') {
		return n, errors.New("want blocks/<project>/<day>/<partition>/<block>")
	}
	if n.Project, err = ParseProjectID(seg[0]); err != nil {
		return n, err
	}
	base, ok := strings.CutSuffix(seg[3], ".parquet")
	var part [6]string
	if !ok || !cutInto(part[:], base, '_') {
		return n, errors.New("want six fields and .parquet")
	}
	p := numbers{}
	var level string
	p.ints(seg[2], "p", &n.Partition, "of", &n.Partitions)
	p.uints(part[0], &n.Epoch, &n.First, &n.Last)
	level, n.Open = strings.CutSuffix(part[1], "o")
	p.ints(level, "L", &n.Level, "g", &n.Generation)
	p.uints(part[2], &n.LogNanos)
	p.uints(part[3], &n.MinStart, &n.MaxEnd)
	p.uints(part[4], &n.Spans)
	p.uints(part[5], &n.TailBytes)
	switch {
	case p.err != nil:
		return n, p.err
	case !ValidPartitionCount(n.Partitions) || n.Partition >= n.Partitions:
		return n, errors.New("impossible partition")
	case n.First < 1 || n.Last < n.First:
		return n, errors.New("impossible range")
	case n.LogNanos > 1<<63-1:
		return n, errors.New("impossible log time")
	}
	return n, nil
}

// cutInto cuts s at every separator, and reports whether that makes as many parts
// as there are places.
func cutInto(parts []string, s string, separator byte) bool {
	for i := range parts[:len(parts)-1] {
		at := strings.IndexByte(s, separator)
		if at < 0 {
			return false
		}
		parts[i], s = s[:at], s[at+1:]
	}
	parts[len(parts)-1] = s
	return strings.IndexByte(s, separator) < 0
}

// numbers parses the numbers of a name and keeps the first error.
type numbers struct{ err error }

// uints reads numbers joined by "-".
func (p *numbers) uints(s string, dst ...*uint64) {
	var parts [3]string
	if !cutInto(parts[:len(dst)], s, '-') {
		p.fail(s)
		return
	}
	for i, part := range parts[:len(dst)] {
		v, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			p.fail(s)
			return
		}
		*dst[i] = v
	}
}

// ints reads two small numbers, each behind a literal.
func (p *numbers) ints(s, before string, a *int, between string, b *int) {
	rest, ok := strings.CutPrefix(s, before)
	at := strings.Index(rest, between)
	if !ok || at < 0 {
		p.fail(s)
		return
	}
	p.small(s, rest[:at], a)
	p.small(s, rest[at+len(between):], b)
}

// small reads a number of s that has 16 bits.
func (p *numbers) small(s, digits string, dst *int) {
	v, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		p.fail(s)
		return
	}
	*dst = int(v)
}

func (p *numbers) fail(s string) {
	if p.err == nil {
		p.err = fmt.Errorf("bad number in %q", s)
	}
}

// Contains reports whether n covers every position of o: the same partition of
// the same epoch, and a range that holds o's. It does not look at projects.
func (n BlockName) Contains(o BlockName) bool {
	return n.Partition == o.Partition && n.Partitions == o.Partitions && n.Epoch == o.Epoch &&
		n.First <= o.First && o.Last <= n.Last
}

// ContainsPosition reports whether pos of the given stream lies in n's range.
func (n BlockName) ContainsPosition(partition, partitions int, epoch, pos uint64) bool {
	return n.Contains(BlockName{Partition: partition, Partitions: partitions, Epoch: epoch, First: pos, Last: pos})
}

// CompareCover orders the blocks of one project so that whatever contains a block
// stands before it, by partition count, partition, epoch and range. Of those that
// do the last visible one reaches furthest: a block that it does not contain is
// visible.
func CompareCover(a, b *BlockName) int {
	if c := cmp.Or(
		cmp.Compare(a.Partitions, b.Partitions),
		cmp.Compare(a.Partition, b.Partition),
		cmp.Compare(a.Epoch, b.Epoch),
		cmp.Compare(a.First, b.First),
		cmp.Compare(b.Last, a.Last),
		cmp.Compare(b.Level, a.Level),
		cmp.Compare(b.Generation, a.Generation),
	); c != 0 {
		return c
	}
	return strings.Compare(a.Key(), b.Key())
}

// Visible applies the covering rule to the blocks of one project: a block is
// hidden by every block whose range contains its own; of equal ranges the
// highest level, then the highest generation, then the smallest name stays.
// It returns a new slice, in the order of CompareCover.
func Visible(blocks []BlockName) []BlockName {
	sorted := slices.Clone(blocks)
	slices.SortFunc(sorted, func(a, b BlockName) int { return CompareCover(&a, &b) })
	visible := sorted[:0]
	for _, n := range sorted {
		if len(visible) == 0 || !visible[len(visible)-1].Contains(n) {
			visible = append(visible, n)
		}
	}
	return visible
}
