package block

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	// Settle says that no merge of several blocks will follow: content is compressed
	// anew, better, in larger frames and in the order of the rows.
	Settle bool
	// Sifted is kept with the block, for Reader.Sifted: by what Drop has decided.
	Sifted string
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

// mergeBytes is about what is held of a row group while it is merged.
const mergeBytes = 128 << 20

// Merge writes a block of the rows of all inputs, which must be of one project, to
// w, row group by row group. Of rows that were delivered twice one stays
// (schema.Fold); fragments stay, since later pieces may belong between them, but
// for identical ones. Which attributes get columns is decided anew. One input is
// enough: it is written anew, by what is known today. If no row is left the block
// is a valid one without rows.
//
// Memory is that of one row group, of about 128 MB and of a quarter of that for its
// content, which is written bit by bit, unless a single trace is larger. Inputs are best files at
// hand: every column is read by itself, and pages several times where row groups of
// the output begin within them.
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
		m.inputs[i] = &mergeInput{reader: r, number: i}
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
// (merge_survey.go). Then, for each row group, it takes traces off the inputs
// (merge_input.go, merge_plan.go), finds out which of their rows stay and in which
// order (merge_mixed.go), and copies column after column (merge_copy.go,
// merge_shape.go, merge_attributes.go, merge_content.go).
type merger struct {
	MergeOptions

	limits     limits
	groupBytes int
	inputs     []*mergeInput
	out        io.Writer

	survey  *survey // of all inputs: columns and keys
	encoder *encoder
	file    *parquet.File
	heap    inputHeap
	trace   *mergeTrace // that was taken off the inputs and is in no plan yet
	read    int         // rows
	merged  Merged
	traces  int
	groups  int

	ordinals []int32 // 0, 1, 2 …
	scratch  groupScratch
}

func (m *merger) run(ctx context.Context, project schema.ProjectID) (*Merged, error) {
	if err := m.look(ctx); err != nil {
		return nil, err
	}
	e := newEncoder(m.limits, m.survey)
	if m.Settle {
		e.content, e.limits.frameBytes = strongCodec(), settledFrames*e.limits.frameBytes
	}
	e.dir.columns = m.survey.columns
	m.encoder = e
	var err error
	if m.file, err = e.parquetFile(project); err != nil {
		return nil, err
	}
	if m.Sifted != "" {
		if err := m.file.Note(metaSifted, m.Sifted); err != nil {
			return nil, err
		}
	}
	if err := m.derivation(ctx); err != nil {
		return nil, err
	}
	e.out = append(e.out, magic...)
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	for {
		p, err := m.plan(ctx)
		if err != nil {
			return nil, err
		}
		if p == nil {
			break
		}
		if err := m.group(ctx, p); err != nil {
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

// derivation notes by what the inputs were derived, as far as all say it.
func (m *merger) derivation(ctx context.Context) error {
	var all Derivation
	some := false
	for _, in := range m.inputs {
		if in.reader.Spans() == 0 {
			continue
		}
		by, _, err := in.reader.Derivation(ctx)
		if err != nil {
			return err
		}
		if !some {
			all, some = by, true
		} else {
			all = all.with(by)
		}
	}
	return all.note(m.file)
}

// group writes a row group, unless no row of the plan stays.
func (m *merger) group(ctx context.Context, p *mergePlan) error {
	if err := m.arrange(ctx, p); err != nil {
		return err
	}
	m.merged.Folded += p.folded
	m.merged.Dropped += p.dropped
	if p.rows() > 0 {
		if m.groups == maxGroups {
			return fmt.Errorf("%w: %d row groups", ErrTooLarge, m.groups)
		}
		if err := m.write(ctx, p); err != nil {
			return fmt.Errorf("row group %d: %w", m.groups, err)
		}
	}
	m.read += p.read
	m.Progress(m.read)
	return nil
}

// write copies the columns of a row group.
func (m *merger) write(ctx context.Context, p *mergePlan) error {
	e, c := m.encoder, m.newCopier(p)
	if err := c.copy(ctx); err != nil {
		return err
	}
	e.survey, e.gathered, e.cells, e.first, e.rows = c.g.survey, c.g, c.f, 0, p.rows()
	meta, g := m.file.Group(e.rows), e.begin()
	var size int64
	for i := range e.dir.columns {
		if e.dir.columns[i].content {
			continue
		}
		raw, err := e.columnChunk(meta, &g, i)
		if err != nil {
			return err
		}
		if err := m.flush(); err != nil {
			return err
		}
		size += raw
	}
	content, err := m.content(ctx, c, meta, &g)
	if err != nil {
		return err
	}
	e.dir.groups = append(e.dir.groups, g)
	if err := meta.Finish(size+content, m.groups); err != nil {
		return err
	}
	if m.merged.Spans == 0 {
		m.merged.MinStart = g.minStart
	}
	m.merged.MinStart, m.merged.MaxEnd = min(m.merged.MinStart, g.minStart), max(m.merged.MaxEnd, g.maxEnd)
	m.merged.Spans += p.rows()
	m.traces += len(p.ids)
	m.groups++
	e.survey, e.gathered, e.cells = nil, nil, nil // lets go of the rows
	return nil
}

// flush hands on what was written: whole columns, so that no more is held.
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
