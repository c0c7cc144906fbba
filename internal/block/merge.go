package block

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/schema"
)

// Merged says about a block that was merged what its name needs, and more.
type Merged struct {
	Bytes     int64  // of the object
	MinStart  uint64 // earliest span start, Unix ns; 0 without spans
	MaxEnd    uint64 // latest span start or end, Unix ns; 0 without spans
	Spans     int    // rows
	TailBytes int    // as Object has it
	Open      bool   // has rows that are fragments
	Folded    int    // rows of the inputs that were duplicates of others
	Dropped   int    // rows of the inputs that MergeOptions.Drop left out
}

// MergeOptions are what a merge does besides. The zero value is of use.
type MergeOptions struct {
	// Progress is called from time to time with the rows of the inputs that were
	// read, out of all that they have.
	Progress func(rows int)
	// Drop says up to which position of the log rows of a trace are left out, 0
	// for none. They leave nothing behind: no column, key or dictionary entry.
	// It may be asked several times.
	Drop func(id schema.TraceID) (upTo uint64)
}

func (o *MergeOptions) setDefaults() {
	if o.Progress == nil {
		o.Progress = func(int) {}
	}
}

// drops reports whether a row is left out.
func (o *MergeOptions) drops(row *schema.Span) bool {
	if o.Drop == nil {
		return false
	}
	upTo := o.Drop(row.TraceID)
	return upTo > 0 && row.Position <= upTo
}

// mergeBytes is about what the rows of a row group take while they are merged.
const mergeBytes = 48 << 20

// Merge writes a block of the rows of all inputs, which must be of one project, to
// w, row group by row group. Of rows that were delivered twice one stays
// (schema.Fold); fragments stay, since later pieces may belong between them, but
// for identical ones. Which attributes get columns is decided anew. One input is
// enough: it is written anew, by what is known today. If no row is left the block
// is a valid one without rows.
//
// Memory is that of one row group, of about 48 MB of rows unless a single trace is
// larger, and of the dictionaries of all inputs. Inputs are best files at hand:
// pages are read several times where row groups of the output begin within them.
//
// Returns ErrCorrupt for a damaged input, ErrTooLarge for rows that cannot be
// stored, objstore.ErrNotExist or objstore.ErrChanged if an input was removed or
// replaced since it was opened, and errors of w. What was written is then of no
// use.
func Merge(ctx context.Context, w io.Writer, inputs []*Reader, opts MergeOptions) (*Merged, error) {
	return merge(ctx, w, inputs, opts, defaultLimits(), mergeBytes)
}

func merge(ctx context.Context, w io.Writer, inputs []*Reader, opts MergeOptions, lim limits, groupBytes int) (*Merged, error) {
	opts.setDefaults()
	m := merger{MergeOptions: opts, limits: lim, groupBytes: groupBytes, inputs: make([]*mergeInput, len(inputs)), out: w}
	for i, r := range inputs {
		if r.name.Project != inputs[0].name.Project {
			return nil, fmt.Errorf("merge blocks: %s is not of project %s", r.key, inputs[0].name.Project)
		}
		m.inputs[i] = newMergeInput(r)
	}
	if len(inputs) == 0 {
		return nil, errors.New("merge blocks: there are none")
	}
	merged, err := m.run(ctx, inputs[0].name.Project)
	if err != nil {
		return nil, fmt.Errorf("merge blocks: %w", err)
	}
	return merged, nil
}

// merger merges blocks. It looks at all inputs first, to choose the columns
// (merge_survey.go) and the traces of each row group (merge_cut.go). Then it reads
// the rows of one group from all inputs (merge_input.go), folds them
// (merge_fold.go), and writes the group as Encode does.
type merger struct {
	MergeOptions

	limits     limits
	groupBytes int
	inputs     []*mergeInput
	out        io.Writer

	survey  *survey // of all inputs: columns and keys
	encoder *encoder
	file    *parquet.File
	read    int // rows
	merged  Merged
	traces  int
	groups  int
	slab    []schema.Span // rows of a group
}

func (m *merger) run(ctx context.Context, project schema.ProjectID) (*Merged, error) {
	if err := m.look(ctx); err != nil {
		return nil, err
	}
	e := newEncoder(m.limits, m.survey)
	e.content = strongCodec()
	e.dir.columns = m.survey.columns
	m.encoder = e
	var err error
	if m.file, err = e.parquetFile(project); err != nil {
		return nil, err
	}
	e.out = append(e.out, magic...)
	ends, err := m.cuts(ctx)
	if err != nil {
		return nil, err
	}
	for _, end := range ends {
		if err := m.slice(ctx, end); err != nil {
			return nil, err
		}
	}
	e.survey = &survey{spans: m.merged.Spans, traces: m.traces}
	if m.merged.TailBytes, err = e.tail(m.file, project); err != nil {
		return nil, err
	}
	m.merged.Open = len(e.dir.open) > 0
	return &m.merged, m.flush()
}

// slice merges the rows of the traces before end, all that are left if it is nil.
func (m *merger) slice(ctx context.Context, end *schema.TraceID) error {
	m.slab = m.slab[:0]
	for _, in := range m.inputs {
		var err error
		if m.slab, err = in.appendBefore(ctx, m.slab, end); err != nil {
			return err
		}
	}
	stay := m.slab
	if m.Drop != nil {
		stay = slices.DeleteFunc(m.slab, func(row schema.Span) bool { return m.drops(&row) })
	}
	rows := m.fold(stay)
	m.merged.Dropped += len(m.slab) - len(stay)
	m.merged.Folded += len(stay) - len(rows)
	cuts := planGroups(rows, m.limits.groupRows)
	for i, from := range cuts[:len(cuts)-1] {
		if err := m.group(rows[from:cuts[i+1]]); err != nil {
			return err
		}
	}
	m.read += len(m.slab)
	m.Progress(m.read)
	clear(m.slab) // lets go of what they point to
	return nil
}

// group writes a row group of sorted rows.
func (m *merger) group(rows []*schema.Span) error {
	e := m.encoder
	if m.groups == maxGroups {
		return fmt.Errorf("%w: %d row groups", ErrTooLarge, m.groups)
	}
	e.survey = m.survey.ofGroup(rows)
	e.first, e.rows = 0, len(rows)
	if err := e.group(m.file.Group(len(rows)), m.groups); err != nil {
		return fmt.Errorf("row group %d: %w", m.groups, err)
	}
	if m.merged.Spans == 0 {
		m.merged.MinStart = e.survey.minStart
	}
	m.merged.MinStart, m.merged.MaxEnd = min(m.merged.MinStart, e.survey.minStart), max(m.merged.MaxEnd, e.survey.maxEnd)
	m.merged.Spans += len(rows)
	m.traces += e.survey.traces
	m.groups++
	e.survey, e.gathered, e.cells = nil, nil, nil // lets go of the rows
	return m.flush()
}

// flush hands on what was written.
func (m *merger) flush() error {
	e := m.encoder
	if _, err := m.out.Write(e.out); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	e.before += int64(len(e.out))
	e.out = e.out[:0]
	m.merged.Bytes = e.before
	return nil
}
