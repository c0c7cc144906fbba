package querier

import (
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Projects tells what counts for a project.
type Projects interface {
	Project(id schema.ProjectID) (project.Project, error)
	// Prices are what spans that were sent in pieces are priced by when a query puts
	// them together.
	Prices(id schema.ProjectID) *price.Table
}

// settingsOf are those of the projects of a query, in their order.
func (q *Querier) settingsOf(ids []schema.ProjectID) ([]project.Project, error) {
	list := make([]project.Project, len(ids))
	for i, id := range ids {
		var err error
		if list[i], err = q.projects.Project(id); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// aged is a segment that knows when its first row expires.
type aged interface{ OldestEnd() uint64 }

// oldestOf are the ends that spans must have to be shown now, of the projects
// that do not keep them for ever.
func oldestOf(list []project.Project, now time.Time) map[schema.ProjectID]uint64 {
	oldest := make(map[schema.ProjectID]uint64)
	for _, p := range list {
		if end := p.Retention.Oldest(now); end > 0 {
			oldest[p.ID] = end
		}
	}
	return oldest
}

// unexpired leaves out of blocks and segments what ended before that: whole
// blocks by their names; what has both kinds of rows is read row by row.
func unexpired(joined *catalog.Joined, oldest map[schema.ProjectID]uint64) *catalog.Joined {
	if len(oldest) == 0 {
		return joined
	}
	kept := joined.Empty()
	kept.Oldest = oldest
	kept.Blocks = slices.DeleteFunc(slices.Clone(joined.Blocks), func(b schema.BlockName) bool { return b.MaxEnd < oldest[b.Project] })
	for _, p := range joined.Parts {
		segments := make([]catalog.Segment, len(p.Segments))
		for i, s := range p.Segments {
			segments[i] = youngOf(s, oldest[p.Project])
		}
		p.Segments = segments
		kept.Parts, kept.Segments = append(kept.Parts, p), append(kept.Segments, segments...)
	}
	return kept
}

// youngOf is a segment without what ended before that.
func youngOf(s catalog.Segment, oldest uint64) catalog.Segment {
	if a, ok := s.(aged); oldest == 0 || ok && a.OldestEnd() >= oldest {
		return s
	}
	return siftedSegment{engine.NewUnexpired(s, oldest), s}
}

// siftedSegment is a segment without some of its rows.
type siftedSegment struct {
	*engine.Sieve

	segment catalog.Segment
}

// Range is the segment's.
func (s siftedSegment) Range() (first, last uint64) { return s.segment.Range() }
