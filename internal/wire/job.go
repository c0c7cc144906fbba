package wire

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/spanlake/spanlake/schema"
)

// Version is that of all messages. Readers take no other: a querier asks only
// those that speak its own, and runs a job itself if there are none.
const Version = 2

// Kind says what a Job asks.
type Kind uint8

// The kinds of jobs.
const (
	KindSearch         Kind = iota + 1
	KindMetricsRange        // samples at the steps of a range
	KindMetricsInstant      // one sample
	KindTags                // names of attributes, or values of fields
)

// Job is a part of a query: some traces, in the blocks that hold them and in
// what is live of their partitions. Every trace belongs to one job of a query,
// so the answers of its jobs add up.
type Job struct {
	Kind   Kind
	Query  string        // parameters that say what to find, as in a URL
	Traces schema.Traces // those of the job
	Left   time.Duration // what is left of the query's time

	// Within is the query's range and Slice the part of it that the job is
	// about, Unix nanoseconds, ends exclusive; both ends 0: all time. Margin is
	// how far outside of the range traces are looked for.
	Within, Slice [2]uint64
	Margin        time.Duration

	// Of a search. Limit is of tags, too.
	Limit, SpansPerSpanSet int

	// Of a metrics query, as in engine.MetricsOptions.
	StepNanos, NowNanos            uint64
	Counted                        [2]uint64 // FromNanos and ToNanos
	Exemplars, MaxSteps, MaxSeries int
	MaxBytes                       int64

	MaxReadBytes int64 // of blocks, 0: no limit

	// Projects are read as one. Blocks are all of theirs that may hold the
	// traces, also those outside of the range. What is not in them is behind
	// the Floors of the log's partitions, of which it has LogPartitions.
	Projects      []schema.ProjectID          // sorted
	Oldest        map[schema.ProjectID]uint64 // the end that spans must have to be shown; a project without one shows all
	Blocks        []schema.BlockName
	LogPartitions int
	Floors        []Floor
}

// Floor says up to where a project's blocks hold all of a partition's stream.
type Floor struct {
	Project         schema.ProjectID
	Partition       int
	Epoch, Position uint64
}

// Append encodes the job: the version, then S2 of the rest, in which numbers of
// blocks are told by how they differ from those of the one before.
func (j *Job) Append(dst []byte) []byte {
	return append(append(dst, Version), s2.Encode(nil, j.appendBody(nil))...)
}

func (j *Job) appendBody(b []byte) []byte {
	b = AppendText(append(b, byte(j.Kind)), j.Query)
	b = AppendUint(AppendUint(b, j.Traces.Partition), j.Traces.Partitions)
	b = append(append(b, j.Traces.First[:]...), j.Traces.Last[:]...)
	b = AppendInt(b, int64(j.Left))
	for _, t := range [...]uint64{j.Within[0], j.Within[1], j.Slice[0], j.Slice[1]} {
		b = AppendUint(b, t)
	}
	b = AppendInt(b, int64(j.Margin))
	b = AppendUint(AppendUint(b, j.Limit), j.SpansPerSpanSet)
	b = AppendUint(AppendUint(b, j.StepNanos), j.NowNanos)
	b = AppendUint(AppendUint(b, j.Counted[0]), j.Counted[1])
	b = AppendUint(AppendUint(AppendUint(b, j.Exemplars), j.MaxSteps), j.MaxSeries)
	b = AppendInt(AppendInt(b, j.MaxBytes), j.MaxReadBytes)
	b = AppendUint(b, len(j.Projects))
	for _, p := range j.Projects {
		b = AppendUint(AppendText(b, p), j.Oldest[p])
	}
	b = AppendUint(b, j.LogPartitions)
	b = AppendUint(b, len(j.Floors))
	for _, f := range j.Floors {
		b = AppendUint(AppendUint(b, j.projectNumber(f.Project)), f.Partition)
		b = AppendUint(AppendUint(b, f.Epoch), f.Position)
	}
	b = AppendUint(b, len(j.Blocks))
	var before schema.BlockName
	for _, n := range j.Blocks {
		b = AppendUint(b, j.projectNumber(n.Project))
		b = AppendUint(AppendUint(b, n.Partition), n.Partitions)
		b = AppendBool(AppendUint(AppendUint(b, n.Level), n.Generation), n.Open)
		for i, v := range numbersOf(&n) {
			b = AppendInt(b, int64(*v-*numbersOf(&before)[i])) //nolint:gosec // wraps, and back again
		}
		before = n
	}
	return b
}

func (j *Job) projectNumber(p schema.ProjectID) int {
	i, _ := slices.BinarySearch(j.Projects, p)
	return i
}

// numbersOf are the large numbers of a name.
func numbersOf(n *schema.BlockName) [8]*uint64 {
	return [...]*uint64{&n.Epoch, &n.First, &n.Last, &n.LogNanos, &n.MinStart, &n.MaxEnd, &n.Spans, &n.TailBytes}
}

// What bounds the memory that reading a message takes. A job travels in one
// message of a megabyte or so.
const (
	maxJobBytes   = 16 << 20
	maxReplyBytes = 256 << 20
)

// ParseJob reads an encoded job. Returns ErrMessage for what is none.
func ParseJob(data []byte) (*Job, error) {
	body, err := open(data, maxJobBytes)
	if err != nil {
		return nil, fmt.Errorf("read a job: %w", err)
	}
	j := &Job{}
	r := NewReader(body)
	j.read(r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("read a job: %w", err)
	}
	return j, nil
}

// open returns what stands behind the version.
func open(data []byte, most int) ([]byte, error) {
	if len(data) == 0 || data[0] != Version {
		return nil, fmt.Errorf("%w: want version %d", ErrMessage, Version)
	}
	if n, err := s2.DecodedLen(data[1:]); err != nil || n > most {
		return nil, fmt.Errorf("%w: its length is %d: %w", ErrMessage, n, cmp.Or(err, s2.ErrTooLarge))
	}
	body, err := s2.Decode(nil, data[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return body, nil
}

func (j *Job) read(r *Reader) {
	j.Kind = Kind(r.Small(int(KindTags))) //nolint:gosec // bounded on this line
	if j.Kind == 0 {
		r.Fail("a job of no kind")
	}
	j.Query = r.Text()
	j.Traces.Partition, j.Traces.Partitions = r.partition()
	r.Fixed(j.Traces.First[:])
	r.Fixed(j.Traces.Last[:])
	j.Left = time.Duration(r.Int())
	j.Within, j.Slice = [2]uint64{r.Uint(), r.Uint()}, [2]uint64{r.Uint(), r.Uint()}
	j.Margin = time.Duration(r.Int())
	j.Limit, j.SpansPerSpanSet = r.Small(maxInt), r.Small(maxInt)
	j.StepNanos, j.NowNanos = r.Uint(), r.Uint()
	j.Counted = [2]uint64{r.Uint(), r.Uint()}
	j.Exemplars, j.MaxSteps, j.MaxSeries = r.Small(maxInt), r.Small(maxInt), r.Small(maxInt)
	j.MaxBytes, j.MaxReadBytes = r.Int(), r.Int()
	for range r.Count(2) {
		p, err := schema.ParseProjectID(r.Text())
		if err != nil || len(j.Projects) > 0 && p <= j.Projects[len(j.Projects)-1] {
			r.Fail("a bad list of projects")
		}
		j.Projects = append(j.Projects, p)
		if oldest := r.Uint(); oldest > 0 {
			if j.Oldest == nil {
				j.Oldest = make(map[schema.ProjectID]uint64)
			}
			j.Oldest[p] = oldest
		}
	}
	j.LogPartitions = r.Small(schema.MaxPartitions)
	for range r.Count(4) {
		f := Floor{Project: j.project(r), Partition: r.Small(j.LogPartitions - 1), Epoch: r.Uint(), Position: r.Uint()}
		j.Floors = append(j.Floors, f)
	}
	j.readBlocks(r)
}

func (j *Job) readBlocks(r *Reader) {
	var n schema.BlockName
	for range r.Count(minBlockBytes) {
		n.Project = j.project(r)
		n.Partition, n.Partitions = r.partition()
		n.Level, n.Generation, n.Open = r.Small(maxSmall), r.Small(maxSmall), r.Bool()
		for _, v := range numbersOf(&n) {
			*v += uint64(r.Int()) //nolint:gosec // wraps, and back again
		}
		if n.First < 1 || n.Last < n.First || n.LogNanos > 1<<63-1 {
			r.Fail("an impossible block")
		}
		j.Blocks = append(j.Blocks, n)
	}
}

// minBlockBytes is the least that a block takes.
const minBlockBytes = 14

// The largest numbers of their kinds.
const (
	maxInt   = 1<<31 - 1
	maxSmall = 1<<16 - 1
)

func (j *Job) project(r *Reader) schema.ProjectID {
	i := r.Small(max(len(j.Projects)-1, 0))
	if i >= len(j.Projects) {
		r.Fail("a project that is not asked for")
		return ""
	}
	return j.Projects[i]
}

// partition reads a partition and the number of all.
func (r *Reader) partition() (partition, count int) {
	partition, count = r.Small(schema.MaxPartitions), r.Small(schema.MaxPartitions)
	if !schema.ValidPartitionCount(count) || partition >= count {
		r.Fail("an impossible partition")
	}
	return partition, count
}
