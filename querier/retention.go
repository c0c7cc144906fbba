package querier

import (
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Projects tells what counts for a project.
type Projects interface {
	Project(id schema.ProjectID) (project.Project, error)
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

// unexpired leaves out of a project's blocks and segments what ended before the
// project's retention: whole blocks by their names; what has both kinds of rows
// is read row by row.
func unexpired(joined *catalog.Joined, settings project.Project, now time.Time) *catalog.Joined {
	oldest := settings.Retention.Oldest(now)
	if oldest == 0 {
		return joined
	}
	kept := &catalog.Joined{View: joined.View, Oldest: map[schema.ProjectID]uint64{settings.ID: oldest}}
	kept.Blocks = slices.DeleteFunc(slices.Clone(joined.Blocks), func(b schema.BlockName) bool { return b.MaxEnd < oldest })
	for _, s := range joined.Segments {
		if a, ok := s.(aged); !ok || a.OldestEnd() < oldest {
			s = oldSegment{engine.NewUnexpired(s, oldest), s}
		}
		kept.Segments = append(kept.Segments, s)
	}
	return kept
}

// oldSegment is a segment without what has expired.
type oldSegment struct {
	*engine.Unexpired

	segment catalog.Segment
}

// Range is the segment's.
func (s oldSegment) Range() (first, last uint64) { return s.segment.Range() }

// source is a block of a join as a source, without what has expired.
func (q *Querier) source(joined *catalog.Joined, name schema.BlockName) engine.Source {
	source := &blockSource{cache: q.blocks, name: name}
	if oldest := joined.Oldest[name.Project]; name.MinStart < oldest {
		return engine.NewUnexpired(source, oldest)
	}
	return source
}
