package querier

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/schema"
)

// What APIs with answers of their own read: the rows that a query finds, and whole
// traces. Limits are those of searches.

const (
	// maxFound is how many traces a list may be about: of each some hundred bytes are
	// held while the list is made.
	maxFound = 10_000
	// maxFoundRows is the same for spans.
	maxFoundRows = 100_000
	// defaultReadRange is how far back a list goes that names no time, where
	// querier.max-search-range says nothing.
	defaultReadRange = 30 * 24 * time.Hour
)

// Selection is what a list is about.
type Selection struct {
	// Traces is a TraceQL query, "" for none: only traces that it finds, too.
	Traces string
	// Rows is a TraceQL filter on single spans.
	Rows string
	// From and To are the time of the traces' spans, Unix nanoseconds, To exclusive.
	// Zero: see Querier.Range.
	From, To uint64
	// PerRow wants every row, not just one of each trace.
	PerRow bool
	// Lookup is for one thing whose id is known: it goes back as far as Querier.TraceOf,
	// whatever searches may.
	Lookup bool
}

// Row is a span that a selection has.
type Row struct {
	Trace      schema.TraceID
	Span       schema.SpanID
	StartNanos uint64 // of the span
	TraceStart uint64 // of its trace
	// Attributes are those that Rows mentions, keys without their scope.
	Attributes []schema.Attribute
}

// Range is the time of a list, where what is zero was not named: it ends a minute
// from now and is as long as searches may be.
func (q *Querier) Range(from, to uint64, now time.Time) (start, end uint64, err error) {
	longest := q.cfg.MaxSearchRange
	if longest == 0 {
		longest = defaultReadRange
	}
	if to == 0 {
		to = uint64(now.Add(clockSkew).UnixNano()) //nolint:gosec // wall clock
	}
	if from == 0 {
		return to - min(to, uint64(longest)), to, nil
	}
	if from >= to {
		return 0, 0, badRequest("the range of time ends before it begins")
	}
	if limit := uint64(q.cfg.MaxSearchRange); limit > 0 && to-from > limit+uint64(clockSkew) { //nolint:gosec // Config.Validate bounds it
		return 0, 0, &limitError{fmt.Sprintf("the range of time is longer than %s (querier.max-search-range): name both of its ends, and ask for one part after the other", q.cfg.MaxSearchRange)}
	}
	return from, to, nil
}

// Select returns the rows of a selection, the newest first. More than a list may be
// about are an error that says what to do.
func (q *Querier) Select(ctx context.Context, id schema.ProjectID, s Selection) ([]Row, error) {
	var err error
	if now := time.Now(); s.Lookup {
		s.From, s.To = uint64(now.Add(-maxSpanAge).UnixNano()), uint64(now.Add(clockSkew).UnixNano()) //nolint:gosec // wall clock
	} else if s.From, s.To, err = q.Range(s.From, s.To, now); err != nil {
		return nil, err
	}
	var allowed map[schema.TraceID]struct{}
	if s.Traces != "" {
		found, err := q.selected(ctx, id, s.Traces, s, 1)
		if err != nil || len(found) == 0 {
			return nil, err
		}
		allowed = make(map[schema.TraceID]struct{}, len(found))
		for i := range found {
			allowed[found[i].Trace] = struct{}{}
		}
	}
	perTrace := 1
	if s.PerRow {
		perTrace = q.maxFoundRows
	}
	rows, err := q.selected(ctx, id, s.Rows, s, perTrace)
	if err != nil {
		return nil, err
	}
	if allowed != nil {
		rows = slices.DeleteFunc(rows, func(r Row) bool {
			_, ok := allowed[r.Trace]
			return !ok
		})
	}
	slices.SortFunc(rows, CompareRows)
	return rows, nil
}

// CompareRows is the order of rows: the newest first. Which of equal ones comes first
// is always the same.
func CompareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(b.StartNanos, a.StartNanos), cmp.Compare(string(b.Trace[:]), string(a.Trace[:])), cmp.Compare(string(b.Span[:]), string(a.Span[:])))
}

// selected are the rows that one query finds. Where every row is wanted they are
// counted first.
func (q *Querier) selected(ctx context.Context, id schema.ProjectID, text string, s Selection, perTrace int) (rows []Row, err error) {
	values := url.Values{"q": {text}}
	plan, query, err := searchPlan(values)
	switch {
	case err != nil:
		return nil, err
	case query == nil || query.Metrics != nil:
		return nil, badRequest("invalid TraceQL query: want one that finds spans, such as { span.user.id = \"u1\" }")
	}
	params := searchParams{plan: plan, query: planValues(values), hasQuery: true, within: timeRange{s.From, s.To}, limit: q.maxFound + 1, spss: 1}
	found, err := q.find(ctx, []schema.ProjectID{id}, params, nil)
	if err != nil {
		return nil, err
	}
	if len(found.Traces) > q.maxFound {
		return nil, &limitError{fmt.Sprintf("more than %d traces match, which is what a list may be about: narrow the range of time or the conditions", q.maxFound)}
	}
	if perTrace > 1 {
		count, most := 0, 1
		for i := range found.Traces {
			for j := range found.Traces[i].SpanSets {
				n := int(found.Traces[i].SpanSets[j].Matched)
				count, most = count+n, max(most, n)
			}
		}
		if count > q.maxFoundRows {
			return nil, &limitError{fmt.Sprintf("more than %d spans match, which is what a list may be about: narrow the range of time or the conditions", q.maxFoundRows)}
		}
		if most > 1 {
			params.spss = most
			if found, err = q.find(ctx, []schema.ProjectID{id}, params, nil); err != nil {
				return nil, err
			}
		}
	}
	for i := range found.Traces {
		t := &found.Traces[i]
		for j := range t.SpanSets {
			for _, span := range t.SpanSets[j].Spans {
				rows = append(rows, Row{t.TraceID, span.SpanID, span.StartNanos, t.StartNanos, span.Attributes})
			}
		}
	}
	return rows, nil
}

// ReadTraces calls f with each of the traces that there are, whole and folded, in the
// order of ids. f may keep nothing. Of a trace that is large it gets the first spans.
func (q *Querier) ReadTraces(ctx context.Context, id schema.ProjectID, ids []schema.TraceID, f func(spans []schema.Span) error) error {
	return q.ReadFirst(ctx, id, ids, func(spans []schema.Span, _ bool) error { return f(spans) })
}

// ReadFirst is ReadTraces, and says whether these are all spans of the trace.
func (q *Querier) ReadFirst(ctx context.Context, id schema.ProjectID, ids []schema.TraceID, f func(spans []schema.Span, all bool) error) error {
	projects, next := []schema.ProjectID{id}, 0
	partitions := make(map[int]struct{})
	for _, trace := range ids {
		partitions[trace.Partition(q.partitions)] = struct{}{}
	}
	if len(ids) == 0 {
		return nil
	}
	wanted := make([]int, 0, len(partitions))
	for p := range partitions {
		wanted = append(wanted, p)
	}
	slices.Sort(wanted)
	return q.read(ctx, projects, wanted, func(joined *catalog.Joined) error {
		sources, err := q.sources(ctx, joined, timeRange{})
		if err != nil {
			return err
		}
		for ; next < len(ids); next++ {
			found, err := q.findTrace(ctx, sources, ids[next], &traceFilter{})
			if err != nil {
				return err
			}
			if found.empty() {
				continue
			}
			found.again = func(ctx context.Context) (*foundTrace, error) {
				return q.lookUp(ctx, projects, ids[next], timeRange{}, &traceFilter{})
			}
			spans, message, err := found.first(ctx, q.traceInMemory)
			if err == nil && len(spans) > 0 {
				err = f(spans, message == "")
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Matcher returns what decides a filter on single spans, for those that were read
// otherwise.
func Matcher(filter string) (func(*schema.Span) bool, error) {
	f, err := parseTraceFilter(url.Values{"q": {filter}})
	if err != nil {
		return nil, err
	}
	return f.plan.Match, nil
}

// TextOf is an attribute of a row that is a text, "" if there is none.
func TextOf(list []schema.Attribute, key string) string {
	for i := range list {
		if list[i].Key == key && list[i].Value.Kind == schema.KindString {
			return list[i].Value.Str
		}
	}
	return ""
}
