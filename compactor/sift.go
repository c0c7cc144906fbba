package compactor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

const (
	// readerBytes is what the tails of blocks may take that traces are judged by:
	// those of some hundred days of a small project.
	readerBytes = 32 << 20
	// pageBytes is what their pages may take.
	pageBytes = 8 << 20
)

// siftedBlocks says by what blocks were sifted, "" of those that were not. Blocks
// never change: each is asked once.
type siftedBlocks map[schema.BlockName]string

// siftedBy names a decision of rules. What was sifted by an equal one is done, with
// whatever retentions.
func siftedBy(s *project.Sifting) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // of texts and a bool
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// siftedAlready takes out of a plan what was done.
func (c *Compactor) siftedAlready(ctx context.Context, id schema.ProjectID, plan *Plan) error {
	before, known := c.sifted[id], make(siftedBlocks)
	left := plan.Sifts[:0]
	for i := range plan.Sifts {
		job := &plan.Sifts[i]
		name := job.Inputs[0].BlockName
		by, ok := before[name]
		if !ok && name.Generation > 0 { // no first one was sifted
			var err error
			if by, err = c.readSifted(ctx, name); err != nil {
				return err
			}
		}
		if known[name] = by; by != siftedBy(job.Sift) {
			left = append(left, *job)
		}
	}
	plan.Sifts = left
	if c.sifted[id] = known; len(known) == 0 {
		delete(c.sifted, id)
	}
	return nil
}

// readSifted asks a block. One that is gone will not be found when it is sifted.
func (c *Compactor) readSifted(ctx context.Context, name schema.BlockName) (string, error) {
	reader, err := c.readers.Open(ctx, name)
	var by string
	if err == nil {
		by, err = reader.Sifted(ctx)
	}
	if isGone(err) {
		c.readers.Forget(name)
		return "", nil
	}
	return by, err
}

// errRulesChanged voids a job: what it has left out may be kept by now.
var errRulesChanged = errors.New("the rules have changed meanwhile")

// stillSifts asks for the rules again before what they have decided is stored.
func (c *Compactor) stillSifts(ctx context.Context, job *Job) error {
	name := &job.Inputs[0].BlockName
	retention, err := c.retention.Retention(ctx, name.Project)
	if err != nil {
		return fmt.Errorf("ask for the retention: %w", err)
	}
	rules, err := c.retention.Rules(ctx, name.Project)
	if err != nil {
		return fmt.Errorf("ask for the rules: %w", err)
	}
	life := lifeOf(name, c.log.Windows(), retention)
	now, _ := rules.At(over(life, time.Now()))
	if siftedBy(&now) != siftedBy(job.Sift) {
		return fmt.Errorf("%w: of %s", errRulesChanged, name.Key())
	}
	return nil
}

// sift finds out which traces of a block are kept. They are judged by all of their
// spans in visible blocks.
func (c *Compactor) sift(ctx context.Context, v *view, job *Job, input *block.Reader, opts *block.MergeOptions) error {
	held, err := input.Held(ctx)
	if err != nil {
		return err
	}
	s := sifter{c: c, ids: held.IDs, sources: []engine.Source{c.sourceOf(input)}, progress: func() { opts.Progress(0) }}
	if err := s.beside(ctx, v, input.Name()); err != nil {
		return err
	}
	kept, err := s.kept(ctx, job.Sift)
	if err != nil {
		s.forget()
		return err
	}
	erased := opts.Drop
	opts.Sifted = siftedBy(job.Sift)
	opts.Drop = func(id schema.TraceID) uint64 {
		if i, found := slices.BinarySearchFunc(s.ids, id, schema.CompareTraceIDs); found && !kept[i] {
			return math.MaxUint64
		}
		if erased != nil {
			return erased(id)
		}
		return 0
	}
	return nil
}

// sifter searches for some traces.
type sifter struct {
	c        *Compactor
	ids      []schema.TraceID   // in ascending order
	sources  []engine.Source    // that have rows of them
	opened   []schema.BlockName // likewise, but for the block itself
	progress func()
}

// kept tells which of the traces are.
func (s *sifter) kept(ctx context.Context, by *project.Sifting) ([]bool, error) {
	kept := make([]bool, len(s.ids))
	if by.Rest {
		if err := s.mark(ctx, by.Drop, kept); err != nil {
			return nil, err
		}
		for i := range kept {
			kept[i] = !kept[i]
		}
	}
	return kept, s.mark(ctx, by.Keep, kept)
}

// forget closes the blocks beside: one of them may be gone.
func (s *sifter) forget() {
	for _, name := range s.opened {
		s.c.readers.Forget(name)
	}
}

// beside adds the visible blocks that have rows of the traces of one.
func (s *sifter) beside(ctx context.Context, v *view, of schema.BlockName) error {
	names := make([]schema.BlockName, len(v.blocks))
	for i := range v.blocks {
		names[i] = v.blocks[i].BlockName
	}
	for _, name := range schema.Visible(names) {
		if name == of || name.Spans == 0 || name.Partitions == of.Partitions && name.Partition != of.Partition {
			continue
		}
		s.progress()
		if err := s.add(ctx, name); err != nil {
			s.c.readers.Forget(name) // it may be gone
			return err
		}
	}
	return nil
}

// add adds a block if it has rows of the traces.
func (s *sifter) add(ctx context.Context, name schema.BlockName) error {
	reader, err := s.c.readers.Open(ctx, name)
	if err != nil || !slices.ContainsFunc(s.ids, reader.MayContain) {
		return err
	}
	held, err := reader.Held(ctx)
	if err != nil {
		return err
	}
	if shared := sharedIDs(s.ids, held.IDs); len(shared) > 0 {
		s.sources = append(s.sources, engine.Only(s.c.sourceOf(reader), shared))
		s.opened = append(s.opened, name)
	}
	return nil
}

// sharedIDs are in both of two ascending lists.
func sharedIDs(a, b []schema.TraceID) (both []schema.TraceID) {
	for len(a) > 0 && len(b) > 0 {
		switch order := schema.CompareTraceIDs(a[0], b[0]); {
		case order == 0:
			both = append(both, a[0])
			a, b = a[1:], b[1:]
		case order < 0:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return both
}

// CheckRules refuses filters that traces cannot be searched by.
func CheckRules(rules []project.Rule) error {
	for i := range rules {
		if _, err := compile(rules[i].Filter); err != nil {
			return err
		}
	}
	return nil
}

func compile(filter string) (*engine.Plan, error) {
	query, err := traceql.Parse(filter)
	var plan *engine.Plan
	if err == nil {
		plan, err = engine.Compile(query)
	}
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", filter, err)
	}
	return plan, nil
}

// siftTraces bounds how many traces a search finds at once: some 64 MB.
const siftTraces = 1 << 16

// mark marks the traces that one of some filters finds.
func (s *sifter) mark(ctx context.Context, filters []string, found []bool) error {
	for _, filter := range filters {
		plan, err := compile(filter)
		if err != nil {
			return err
		}
		for from := 0; from < len(s.ids); from += siftTraces {
			s.progress()
			to := min(from+siftTraces, len(s.ids))
			if err := s.search(ctx, plan, from, to, found); err != nil {
				return fmt.Errorf("rule %q: %w", filter, err)
			}
		}
	}
	return nil
}

// search marks some of the traces.
func (s *sifter) search(ctx context.Context, plan *engine.Plan, from, to int, found []bool) error {
	few := schema.Traces{Partitions: 1, First: s.ids[from], Last: s.ids[to-1]}
	sources := make([]engine.Source, len(s.sources))
	for i, source := range s.sources {
		sources[i] = engine.Within(source, few, true)
	}
	result, err := engine.Search(ctx, plan, [][]engine.Source{sources}, engine.SearchOptions{Limit: to - from, SpansPerSpanSet: 1})
	if err != nil {
		return err
	}
	for i := range result.Traces {
		if at, ok := slices.BinarySearchFunc(s.ids, result.Traces[i].TraceID, schema.CompareTraceIDs); ok {
			found[at] = true
		}
	}
	return nil
}

// blockSource is a block as the engine asks it.
type blockSource struct {
	*block.Reader

	derive engine.Derive
}

func (c *Compactor) sourceOf(r *block.Reader) blockSource {
	return blockSource{r, c.spans.Of(r.Name().Project)}
}

var (
	_ engine.Summarizer     = blockSource{}
	_ engine.FragmentSource = blockSource{}
	_ engine.Tabulator      = blockSource{}
	_ engine.Totaler        = blockSource{}
	_ engine.Fixed          = blockSource{}
	_ engine.Timed          = blockSource{}
)

// MayHold asks the block's filter.
func (s blockSource) MayHold(_ context.Context, id schema.TraceID) (bool, error) {
	return s.MayContain(id), nil
}

// Derive derives of a span that was sent in pieces.
func (s blockSource) Derive(span *schema.Span) []byte { return s.derive(span) }

// Times are those of the block's name.
func (s blockSource) Times() (first, last uint64) { return s.Name().MinStart, s.Name().MaxEnd }
