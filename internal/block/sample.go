package block

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Sample calls yield with the rows for which the filter of a sampling holds,
// column by column, in the order of schema.Compare and up to about 4096 at a
// time, but not with those of traces that are to be left out, or whose rows have
// to be folded. It returns which of these have a row for which the filter holds,
// in ascending order. The first error of yield ends it and is returned. Other
// errors are those of Scan.
func (r *Reader) Sample(ctx context.Context, sampling *vec.Sampling, yield func(*vec.Samples) error) (left []schema.TraceID, err error) {
	s := &sampler{walker: walker{reader: r, filter: sampling.Filter}, sampling: sampling}
	for {
		samples, err := s.next(ctx)
		if err != nil {
			return nil, fmt.Errorf("sample block: %w", err)
		}
		if samples == nil {
			return s.left, nil
		}
		if err := yield(samples); err != nil {
			return nil, err
		}
	}
}

// sampler reads columns of the rows that a walker selects.
type sampler struct {
	walker

	sampling *vec.Sampling
	left     []schema.TraceID
	group    *groupSampler // nil before the first row group
}

// next returns the next samples, nil after the last. It recovers here and not
// around yield, whose panics are its own.
func (s *sampler) next(ctx context.Context) (samples *vec.Samples, err error) {
	defer s.reader.guard("sample", &err)
	for s.group == nil || len(s.group.tasks) == 0 {
		g, selected, err := s.walker.next(ctx, func(*rowGroup) bool { return false })
		if err != nil || g == nil {
			return nil, err
		}
		if g.group.maxEnd <= s.sampling.After || g.group.minStart > s.sampling.Until {
			continue
		}
		if err := s.leaveOut(ctx, g, selected); err != nil {
			return nil, err
		}
		s.group = newGroupSampler(g, s.sampling, tasksOf(g.group.pages, selected))
	}
	return s.group.next(ctx)
}

// leaveOut clears the rows of traces that are to be left out, and those that do
// not stay.
func (s *sampler) leaveOut(ctx context.Context, g *groupReader, selected vec.Bitmap) error {
	held, err := s.reader.Held(ctx)
	if err != nil {
		return err
	}
	first, last := g.group.firstTrace, g.group.lastTrace
	except, unfolded := between(s.sampling.Except, first, last), between(held.Unfolded, first, last)
	folded := foldedBetween(s.sampling.Folded, first, last)
	ids := make([]schema.TraceID, 0, len(except)+len(unfolded)+len(folded))
	ids = append(append(ids, except...), unfolded...)
	for i := range folded {
		ids = append(ids, folded[i].ID)
	}
	slices.SortFunc(ids, compareIDs)
	ids = slices.Compact(ids)
	if err := g.keepSections(ctx, ids, nil); err != nil {
		return err
	}
	for _, id := range ids {
		section, err := g.readSection(g.group.sectionOfID(id))
		if err != nil {
			return err
		}
		trace, found := section.find(id)
		if !found {
			continue
		}
		first, end := section.first[trace], section.first[trace+1]
		at, known := slices.BinarySearchFunc(folded, id, func(f vec.Folded, id schema.TraceID) int { return compareIDs(f.ID, id) })
		if _, out := slices.BinarySearchFunc(except, id, compareIDs); known && !out {
			for _, row := range folded[at].Out {
				selected.Unset(min(first+int(row), end-1))
			}
		} else if encoding.AnyBit(selected, first, end) {
			s.left = append(s.left, id)
			for row := first; row < end; row++ {
				selected.Unset(row)
			}
		}
	}
	return nil
}

// foldedBetween is between for folded traces.
func foldedBetween(list []vec.Folded, first, last schema.TraceID) []vec.Folded {
	from := sort.Search(len(list), func(i int) bool { return compareIDs(list[i].ID, first) >= 0 })
	to := sort.Search(len(list), func(i int) bool { return compareIDs(list[i].ID, last) > 0 })
	return list[from:max(from, to)]
}

// groupSampler reads columns of chosen rows of a row group, a task at a time.
type groupSampler struct {
	*groupReader

	tasks   []task // that were not read
	ready   int    // of which the pages were fetched
	columns []int  // to read of each
	starts  values
	groups  []*coder
	number  *measure // nil: none
	shown   []*coder
	samples vec.Samples
}

func newGroupSampler(g *groupReader, sampling *vec.Sampling, tasks []task) *groupSampler {
	s := &groupSampler{groupReader: g, tasks: tasks, columns: []int{g.fixed(colStart)}}
	for _, column := range sampling.Groups {
		c := g.newCoder(column)
		s.groups, s.columns = append(s.groups, c), c.appendColumns(s.columns)
	}
	if sampling.Number != nil {
		s.number = g.newMeasure(sampling.Number)
		s.columns = s.number.appendColumns(s.columns)
	}
	for _, column := range sampling.Shown {
		s.shown = append(s.shown, g.newCoder(column))
	}
	s.samples.Sorted, s.samples.Groups = true, make([]vec.Codes, len(s.groups))
	return s
}

// next reads the rows of the next task. REQUIRES: there is one.
func (s *groupSampler) next(ctx context.Context) (*vec.Samples, error) {
	if s.ready == 0 {
		if err := s.fetchTasks(ctx); err != nil {
			return nil, err
		}
	}
	t := &s.tasks[0]
	s.tasks, s.ready = s.tasks[1:], s.ready-1
	if err := s.load(&s.starts, s.fixed(colStart), t.rows); err != nil {
		return nil, err
	}
	s.samples.Starts = s.starts.words
	for i, c := range s.groups {
		codes, err := c.codes(s.groupReader, t.rows)
		if err != nil {
			return nil, err
		}
		s.samples.Groups[i] = vec.Codes{Dictionary: c.dictionary, Codes: codes}
	}
	if s.number != nil {
		if err := s.number.load(s.groupReader, t.rows, &s.samples.Numbers); err != nil {
			return nil, err
		}
	}
	s.samples.Trace = func(i int) (schema.TraceID, error) { return s.traceOf(ctx, t.rows[i]) }
	s.samples.Show = func(i int) ([]schema.Value, error) { return s.show(ctx, t.rows[i:i+1]) }
	return &s.samples, nil
}

// fetchTasks fetches the pages of the next tasks and the dictionaries that are
// still missing.
func (s *groupSampler) fetchTasks(ctx context.Context) error {
	var wanted []extent
	var size int64
	for i := range s.tasks {
		t, before := &s.tasks[i], len(wanted)
		for _, c := range s.columns {
			s.eachRef(c, t, func(ref pageRef) {
				wanted = append(wanted, ref.extent())
				size += int64(ref.size) + s.contentBytes(c, len(t.rows))
			})
		}
		if i > 0 && size > windowBytes {
			wanted = wanted[:before]
			break
		}
		s.ready++
	}
	if err := s.fetch(ctx, append(wanted, s.missingDictionaries(s.columns)...)); err != nil {
		return err
	}
	return s.fetchTexts(ctx, s.tasks[:s.ready], func(_ *task, f func(c int)) { each(s.columns, f) })
}

// missingDictionaries are those of columns that were not decoded yet.
func (g *groupReader) missingDictionaries(columns []int) (list []extent) {
	for _, c := range columns {
		if g.hasDictionary(c) && g.dicts[c] == nil {
			list = append(list, g.chunk(c).dict.extent())
		}
	}
	return list
}

func (s *groupSampler) traceOf(ctx context.Context, row int32) (id schema.TraceID, err error) {
	defer s.reader.guard("sample", &err)
	i := s.group.sectionOf(int(row))
	if err := s.keep(ctx, s.missingSection(nil, i)); err != nil {
		return id, err
	}
	section, err := s.readSection(i)
	if err != nil {
		return schema.TraceID{}, err
	}
	return section.id(section.traceOf(int(row))), nil
}

// show reads the shown values of one row.
func (s *groupSampler) show(ctx context.Context, row []int32) (list []schema.Value, err error) {
	defer s.reader.guard("sample", &err)
	var columns []int
	for _, c := range s.shown {
		columns = c.appendColumns(columns)
	}
	wanted := s.missingDictionaries(columns)
	for _, c := range columns {
		s.eachRowPage(c, &task{rows: row}, func(ref pageRef) { wanted = append(wanted, ref.extent()) })
	}
	if err := s.keep(ctx, wanted); err != nil {
		return nil, err
	}
	if err := s.fetchTextsOf(ctx, columns, row); err != nil {
		return nil, err
	}
	list = make([]schema.Value, len(s.shown))
	for i, c := range s.shown {
		codes, err := c.codes(s.groupReader, row)
		if err != nil {
			return nil, err
		}
		list[i] = c.dictionary.Values[codes[0]]
	}
	return list, nil
}
