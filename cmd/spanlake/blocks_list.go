package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// listConfig is the command line of "blocks list".
type listConfig struct {
	bucket    bucketFlags
	output    outputForm
	project   string
	partition int
	since     string
}

func (c *listConfig) registerFlags(f *flag.FlagSet) {
	c.bucket.register(f)
	c.output.register(f)
	f.StringVar(&c.project, "project", "", "Only the blocks of this project.")
	f.IntVar(&c.partition, "partition", -1, "Only the blocks of this partition; -1 is all of them.")
	f.StringVar(&c.since, "since", "", "Only blocks whose log time is not before this `time`: 24h (ago), 2026-01-15 or 2026-01-15T12:00:00Z.")
}

// blocksList prints the blocks of a bucket.
func blocksList(ctx context.Context, args []string, e env) error {
	var cfg listConfig
	fs := flag.NewFlagSet("blocks list", flag.ContinueOnError)
	cfg.registerFlags(fs)
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	filter, err := cfg.filter(time.Now())
	if err != nil {
		return &usageError{err}
	}
	bucket, release, err := cfg.bucket.open(ctx, e)
	if err != nil {
		return err
	}
	defer release()
	listed, foreign, err := listBlocks(ctx, bucket, filter)
	if err != nil {
		return err
	}
	list := newBlockList(listed, filter)
	warnForeign(e, foreign, filter)
	if cfg.output == outputJSON {
		return printJSON(e.stdout, list)
	}
	return list.print(e.stdout)
}

// warnForeign tells of objects that are no blocks.
func warnForeign(e env, foreign int, f blockFilter) {
	if foreign > 0 {
		fmt.Fprintf(e.stderr, "spanlake blocks: %d objects below %s are no blocks\n", foreign, f.listed())
	}
}

// blockFilter selects blocks.
type blockFilter struct {
	prefix    string           // of the keys, "" for all
	project   schema.ProjectID // "" for all
	partition int              // -1 for all
	since     time.Time        // zero for all
}

func (c *listConfig) filter(now time.Time) (f blockFilter, err error) {
	f.partition = c.partition
	if c.project != "" {
		if f.project, err = schema.ParseProjectID(c.project); err != nil {
			return f, fmt.Errorf("project: %w", err)
		}
	}
	if c.partition < -1 || c.partition >= schema.MaxPartitions {
		return f, fmt.Errorf("partition %d: want 0 to %d", c.partition, schema.MaxPartitions-1)
	}
	f.since, err = parseSince(c.since, now)
	return f, err
}

func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("since %q: want 24h, 2026-01-15 or 2026-01-15T12:00:00Z", s)
}

// selects reports whether the block is to be shown. A block that another one
// hides is of the same day and partition, but not of the same log time: what is
// hidden must be known before.
func (f *blockFilter) selects(n schema.BlockName) bool {
	return (f.partition < 0 || n.Partition == f.partition) &&
		!time.Unix(0, int64(n.LogNanos)).Before(f.since) //nolint:gosec // names hold log times up to 1<<63-1
}

// listed is a block and the size of its object.
type listed struct {
	schema.BlockName

	bytes int64
}

// listed is the prefix of all keys that can be of interest.
func (f *blockFilter) listed() string {
	if f.prefix == "" && f.project != "" {
		return schema.ProjectPrefix(f.project)
	}
	return cmp.Or(f.prefix, schema.BlocksPrefix)
}

// listBlocks lists the blocks of the prefix and of the project, if they are set,
// and counts the objects that are none.
func listBlocks(ctx context.Context, bucket objstore.Bucket, f blockFilter) (found []listed, foreign int, err error) {
	for object, err := range bucket.List(ctx, objstore.ListOptions{Prefix: f.listed()}) {
		if err != nil {
			return nil, 0, fmt.Errorf("list blocks: %w", err)
		}
		name, err := schema.ParseBlockName(object.Key)
		if errors.Is(err, schema.ErrBadName) {
			foreign++
			continue
		}
		if f.project != "" && name.Project != f.project {
			continue
		}
		found = append(found, listed{name, object.Size})
	}
	return found, foreign, nil
}

// blockList is what "blocks list" prints.
type blockList struct {
	Blocks  []blockEntry `json:"blocks"`
	Visible blockSum     `json:"visible"`
	Hidden  blockSum     `json:"hidden"`
}

// blockEntry is a block of the list. Times are RFC 3339 in UTC, as text.
type blockEntry struct {
	Key        string           `json:"key"`
	Project    schema.ProjectID `json:"project"`
	Day        string           `json:"day"`
	Partition  int              `json:"partition"`
	Partitions int              `json:"partitions"`
	Epoch      uint64           `json:"epoch"`
	First      uint64           `json:"first"`
	Last       uint64           `json:"last"`
	Level      int              `json:"level"`
	Generation int              `json:"generation"`
	Open       bool             `json:"open"`
	LogTime    string           `json:"log_time"`
	MinStart   string           `json:"min_start,omitempty"`
	MaxEnd     string           `json:"max_end,omitempty"`
	Spans      uint64           `json:"spans"`
	Bytes      int64            `json:"bytes"`
	TailBytes  uint64           `json:"tail_bytes"`
	CoveredBy  string           `json:"covered_by,omitempty"` // the block that hides this one
}

type blockSum struct {
	Blocks int    `json:"blocks"`
	Spans  uint64 `json:"spans"`
	Bytes  int64  `json:"bytes"`
}

func (s *blockSum) add(b *blockEntry) {
	s.Blocks++
	s.Spans += b.Spans
	s.Bytes += b.Bytes
}

// newBlockList sorts the blocks, finds those that are hidden, and selects.
func newBlockList(all []listed, f blockFilter) blockList {
	slices.SortFunc(all, func(a, b listed) int {
		return cmp.Or(
			cmp.Compare(a.Project, b.Project),
			cmp.Compare(a.Day(), b.Day()),
			schema.CompareCover(&a.BlockName, &b.BlockName),
		)
	})
	cover := newCover(all)
	list := blockList{Blocks: []blockEntry{}}
	for _, b := range all {
		if !f.selects(b.BlockName) {
			continue
		}
		entry := newBlockEntry(b)
		if by := cover.of(b.BlockName); by != b.BlockName {
			entry.CoveredBy = by.Key()
			list.Hidden.add(&entry)
		} else {
			list.Visible.add(&entry)
		}
		list.Blocks = append(list.Blocks, entry)
	}
	return list
}

func newBlockEntry(b listed) blockEntry {
	e := blockEntry{
		Key: b.Key(), Project: b.Project, Day: b.Day(), Partition: b.Partition, Partitions: b.Partitions,
		Epoch: b.Epoch, First: b.First, Last: b.Last, Level: b.Level, Generation: b.Generation, Open: b.Open,
		LogTime: formatNanos(b.LogNanos), Spans: b.Spans, Bytes: b.bytes, TailBytes: b.TailBytes,
	}
	if b.Spans > 0 {
		e.MinStart, e.MaxEnd = formatNanos(b.MinStart), formatNanos(b.MaxEnd)
	}
	return e
}

// stream is what ranges of positions can be compared in.
type stream struct {
	project               schema.ProjectID
	partition, partitions int
	epoch                 uint64
}

func streamOf(n schema.BlockName) stream {
	return stream{n.Project, n.Partition, n.Partitions, n.Epoch}
}

// cover holds the visible blocks of every stream, by their first position. None
// contains another, so their last positions ascend, too.
type cover map[stream][]schema.BlockName

func newCover(all []listed) cover {
	c := cover{}
	for _, b := range all {
		s := streamOf(b.BlockName)
		c[s] = append(c[s], b.BlockName)
	}
	for s := range c {
		c[s] = schema.Visible(c[s])
	}
	return c
}

// of is the block that hides n, or n itself.
func (c cover) of(n schema.BlockName) schema.BlockName {
	visible := c[streamOf(n)]
	after, _ := slices.BinarySearchFunc(visible, n.First, func(b schema.BlockName, first uint64) int {
		if b.First <= first {
			return -1
		}
		return 1
	})
	return visible[after-1]
}

// print writes a table for each partition of each day of each project.
func (l *blockList) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, b := range l.Blocks {
		if i == 0 || b.Project != l.Blocks[i-1].Project || b.Day != l.Blocks[i-1].Day ||
			b.Partition != l.Blocks[i-1].Partition || b.Partitions != l.Blocks[i-1].Partitions {
			_ = table.Flush() // an error of the writer comes with the last Flush, too
			fmt.Fprintf(w, "project %s, %s, partition %d of %d\n", b.Project, b.Day, b.Partition, b.Partitions)
			fmt.Fprintln(table, "  STATE\tLEVEL\tPOSITIONS\tSPANS\tBYTES\tFIRST START\tLAST END\tKEY")
		}
		fmt.Fprintf(table, "  %s\t%s\t%d-%d\t%d\t%s\t%s\t%s\t%s\n",
			b.state(), b.level(), b.First, b.Last, b.Spans, formatBytes(b.Bytes), orDash(b.MinStart), orDash(b.MaxEnd), b.Key)
	}
	_ = table.Flush()
	if len(l.Blocks) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(table, "visible\t%d blocks\t%d spans\t%s\n", l.Visible.Blocks, l.Visible.Spans, formatBytes(l.Visible.Bytes))
	fmt.Fprintf(table, "hidden\t%d blocks\t%d spans\t%s\n", l.Hidden.Blocks, l.Hidden.Spans, formatBytes(l.Hidden.Bytes))
	return table.Flush()
}

func (b *blockEntry) state() string {
	if b.CoveredBy != "" {
		return "hidden"
	}
	return "visible"
}

// level is the level, and what is unusual: a generation, rows of unfinished spans.
func (b *blockEntry) level() string {
	text := strconv.Itoa(b.Level)
	if b.Generation > 0 {
		text += "g" + strconv.Itoa(b.Generation)
	}
	if b.Open {
		text += "o"
	}
	return text
}
