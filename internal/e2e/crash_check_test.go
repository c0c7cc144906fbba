package e2e_test

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// traceSet is traces by project.
type traceSet map[schema.ProjectID]map[schema.TraceID]bool

func (s traceSet) has(k spanKey) bool { return s[k.project][k.trace] }

func (w *crashWorld) allTraces() traceSet {
	all := make(traceSet)
	for _, s := range w.senders {
		all[s.project] = make(map[schema.TraceID]bool)
	}
	for project, traces := range all {
		for _, id := range w.ledger.tracesOf(project) {
			traces[id] = true
		}
	}
	return all
}

// recentTraces are those that got spans in the last round.
func (w *crashWorld) recentTraces() traceSet {
	recent := make(traceSet)
	for _, s := range w.senders {
		if recent[s.project] == nil {
			recent[s.project] = make(map[schema.TraceID]bool)
		}
		for _, id := range s.recent {
			recent[s.project][id] = true
		}
	}
	return recent
}

// requireTraces reads traces by id and compares every span.
func (w *crashWorld) requireTraces(c *client, traces traceSet) {
	w.t.Helper()
	var mu sync.Mutex
	var found []ledgerFind
	group, ctx := errgroup.WithContext(w.t.Context())
	group.SetLimit(4)
	for project, ids := range traces {
		for id := range ids {
			group.Go(func() error {
				data, err := c.trace(ctx, string(project), form{"v2", acceptProtobuf}, id.String())
				if err != nil {
					return err
				}
				spans, err := w.ledger.found(project, data)
				mu.Lock()
				defer mu.Unlock()
				found = append(found, spans...)
				return err
			})
		}
	}
	require.NoError(w.t, group.Wait())
	w.requireNoFaults("by id", w.ledger.judge(found, traces.has))
}

// requireSearch finds all traces by one search of each project.
func (w *crashWorld) requireSearch(c *client) {
	w.t.Helper()
	all := w.allTraces()
	var found []ledgerFind
	for project := range all {
		within := seconds{w.begin.Add(-time.Hour).Unix(), w.begin.Add(24 * time.Hour).Unix()}
		traces, err := c.search(w.t.Context(), string(project), "{ }", within)
		require.NoError(w.t, err)
		for _, trace := range traces {
			for _, set := range trace.SpanSets {
				require.Len(w.t, set.Spans, int(set.Matched), "trace %s", trace.TraceID)
				for _, span := range set.Spans {
					key, err := parseSpanKey(project, trace.TraceID, span.SpanID)
					require.NoError(w.t, err)
					found = append(found, ledgerFind{key: key})
				}
			}
		}
	}
	w.requireNoFaults("by search", w.ledger.judge(found, all.has))
}

func (w *crashWorld) requireNoFaults(how string, faults []string) {
	w.t.Helper()
	const most = 20
	require.Empty(w.t, faults[:min(len(faults), most)], "%s: %d faults among %d spans sent", how, len(faults), len(w.ledger.spans))
}

// requireRows reads the blocks themselves while no server runs. complete means
// that everything acknowledged must be in them.
func (w *crashWorld) requireRows(complete bool) {
	w.t.Helper()
	bucket := w.bucket()
	all := w.blocks()
	require.Empty(w.t, strangers(all))
	byProject := make(map[schema.ProjectID][]schema.BlockName)
	for _, name := range all {
		byProject[name.Project] = append(byProject[name.Project], name)
	}
	var rows []row
	for _, names := range byProject {
		for _, name := range schema.Visible(names) {
			rows = append(rows, w.rowsOf(bucket, name)...)
		}
	}
	w.requireNoFaults("in blocks", w.ledger.judgeRows(rows, complete))
}

// blocks lists all blocks of all projects. The bucket must hold nothing else.
func (w *crashWorld) blocks() (all []schema.BlockName) {
	w.t.Helper()
	for object, err := range w.bucket().List(w.t.Context(), objstore.ListOptions{}) {
		require.NoError(w.t, err)
		name, err := schema.ParseBlockName(object.Key)
		require.NoError(w.t, err)
		all = append(all, name)
	}
	return all
}

// strangers returns the blocks of one batch that overlap another: batches
// follow from the log, so that two ranges are the same or apart, whatever the
// project. It holds while nothing is merged.
func strangers(all []schema.BlockName) (overlapping []string) {
	slices.SortFunc(all, func(a, b schema.BlockName) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if a.Partition == b.Partition && a.Epoch == b.Epoch && b.First <= a.Last && (a.First != b.First || a.Last != b.Last) {
			overlapping = append(overlapping, a.Key()+" overlaps "+b.Key())
		}
	}
	return overlapping
}

func (w *crashWorld) rowsOf(bucket objstore.Bucket, name schema.BlockName) []row {
	w.t.Helper()
	reader, err := block.Open(w.t.Context(), bucket, name.Key())
	require.NoError(w.t, err)
	var rows []row
	for chunk, err := range reader.Scan(w.t.Context(), &vec.Filter{}, vec.AllColumns()) {
		require.NoError(w.t, err)
		for i := range chunk {
			rows = append(rows, row{spanKey{name.Project, chunk[i].TraceID, chunk[i].SpanID}, name, chunk[i].Position})
		}
	}
	return rows
}

// requireStored expects, after a server has ended in peace, that the log is
// empty and all that was acknowledged is in blocks.
func (w *crashWorld) requireStored() {
	w.t.Helper()
	w.withLog(func(log *wal.Log) {
		for p := range log.Partitions() {
			state, err := log.Stream(p).State(w.t.Context())
			require.NoError(w.t, err)
			require.GreaterOrEqual(w.t, state.Floor(), state.Last, "the log of partition %d holds messages that are not in blocks", p)
		}
	})
	w.requireRows(true)
}
