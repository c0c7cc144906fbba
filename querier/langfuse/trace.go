package langfuse

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// defaultEnvironment is the one of who has said none.
const defaultEnvironment = "default"

// trace is one without what belongs to it.
type trace struct {
	ID          string         `json:"id"`
	ProjectID   string         `json:"projectId"`
	Timestamp   string         `json:"timestamp"`
	Name        *string        `json:"name"`
	Input       any            `json:"input"`
	Output      any            `json:"output"`
	SessionID   *string        `json:"sessionId"`
	Release     *string        `json:"release"`
	Version     *string        `json:"version"`
	UserID      *string        `json:"userId"`
	Metadata    map[string]any `json:"metadata"`
	Tags        []string       `json:"tags"`
	Public      bool           `json:"public"`
	Bookmarked  bool           `json:"bookmarked"`
	ExternalID  *string        `json:"externalId"`
	Environment string         `json:"environment"`
	CreatedAt   string         `json:"createdAt"`
	UpdatedAt   string         `json:"updatedAt"`
}

// details are what a list says of a trace besides.
type details struct {
	trace

	HTMLPath     string   `json:"htmlPath"`
	Latency      float64  `json:"latency"`
	TotalCost    float64  `json:"totalCost"`
	Observations []string `json:"observations"`
	Scores       []string `json:"scores"`
}

// fullDetails are what is said of a single one.
type fullDetails struct {
	trace

	HTMLPath     string        `json:"htmlPath"`
	Latency      float64       `json:"latency"`
	TotalCost    float64       `json:"totalCost"`
	Observations []observation `json:"observations"`
	Scores       []score       `json:"scores"`
}

// The groups of fields of a trace.
const (
	groupIO           = "io"
	groupScores       = "scores"
	groupObservations = "observations"
	groupMetrics      = "metrics"
)

func traceGroups(values url.Values) map[string]bool {
	return groups(values, groupIO, groupScores, groupObservations, groupMetrics)
}

func traceOf(id schema.ProjectID, t *conversation.Trace, wanted map[string]bool) trace {
	out := trace{
		ID: t.ID, ProjectID: string(id), Timestamp: stamp(t.StartNanos), Name: orNull(t.Name),
		SessionID: orNull(t.Session), Release: orNull(t.Release), Version: orNull(t.Version), UserID: orNull(t.User),
		Metadata: map[string]any{}, Tags: t.Tags, Public: t.Public, Environment: cmp.Or(t.Environment, defaultEnvironment),
		CreatedAt: stamp(t.StartNanos), UpdatedAt: stamp(t.EndNanos),
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	if wanted[groupIO] {
		out.Input, out.Output = body(t.First("langfuse.trace.input"), t.Input), body(t.First("langfuse.trace.output"), t.Output)
		if t.Root != nil {
			out.Metadata = metadataOf(slices.Concat(t.Metadata, t.Root.Under("langfuse.trace.metadata.")))
		}
	}
	return out
}

// unwanted stands for numbers that nobody has asked for.
const unwanted = -1

func metrics(t *conversation.Trace, wanted map[string]bool) (latency, cost float64) {
	if !wanted[groupMetrics] {
		return unwanted, unwanted
	}
	return seconds(t.StartNanos, t.EndNanos), finite(t.Usage.Cost)
}

func htmlPath(id schema.ProjectID, t *conversation.Trace) string {
	return "/project/" + string(id) + "/traces/" + url.PathEscape(t.ID)
}

// trace answers GET traces/{id}, by a lookup.
func (h *Handler) trace(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	name := req.PathValue("id")
	wanted := traceGroups(req.URL.Query())
	p := page{}
	err := h.each(ctx, id, []schema.TraceID{schema.TraceIDOf(name)}, func(t *conversation.Trace) error {
		if t.Root == nil {
			return nil // there are scores of it only
		}
		out := fullDetails{trace: traceOf(id, t, wanted), HTMLPath: htmlPath(id, t), Observations: []observation{}, Scores: []score{}}
		out.Latency, out.TotalCost = metrics(t, wanted)
		if wanted[groupObservations] {
			for _, o := range t.Observations {
				out.Observations = append(out.Observations, observationOf(id, t, o))
			}
		}
		if wanted[groupScores] {
			for i := range t.Scores {
				out.Scores = append(out.Scores, scoreOf(id, &t.Scores[i]))
			}
		}
		return p.add(out)
	})
	if err == nil && len(p.data) == 0 {
		err = notFound("trace", name)
	}
	if err != nil {
		return nil, err
	}
	return p.data[0], nil
}

// traces answers GET traces. Underneath is a search for
//
//	{ !(span.spanlake.kind = "score") && … } && { … }
func (h *Handler) traces(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	if err := unsupported(values, "filter"); err != nil {
		return nil, err
	}
	from, to, err := between(values, "fromTimestamp", "toTimestamp")
	if err != nil {
		return nil, err
	}
	oldestFirst, err := order(values.Get("orderBy"))
	if err != nil {
		return nil, err
	}
	rows, err := h.q.Select(ctx, id, querier.Selection{Rows: tracesQuery(values), From: from, To: to})
	if err != nil {
		return nil, err
	}
	part, m, err := pageOf(values, tracesOf(rows, from, to, oldestFirst))
	if err != nil {
		return nil, err
	}
	wanted, p := traceGroups(values), page{}
	err = h.each(ctx, id, part, func(t *conversation.Trace) error {
		out := details{trace: traceOf(id, t, wanted), HTMLPath: htmlPath(id, t), Observations: []string{}, Scores: []string{}}
		out.Latency, out.TotalCost = metrics(t, wanted)
		if wanted[groupObservations] {
			for _, o := range t.Observations {
				out.Observations = append(out.Observations, o.ID)
			}
		}
		if wanted[groupScores] {
			for i := range t.Scores {
				out.Scores = append(out.Scores, t.Scores[i].ID)
			}
		}
		return p.add(out)
	})
	return paged{p.list(), m}, err
}

// order reads an order: only that of time is one.
func order(text string) (oldestFirst bool, err error) {
	switch text {
	case "", "timestamp.desc":
		return false, nil
	case "timestamp.asc":
		return true, nil
	}
	return false, querier.BadRequest("invalid orderBy %q: want timestamp.desc or timestamp.asc", text)
}

// tracesQuery finds the traces that parameters speak of.
func tracesQuery(values url.Values) string {
	list := ofTraces(values, "tags")
	own := filter{notScore}
	environment(&own, values)
	list = append(list, own)
	text := all(list)
	for _, by := range [...]struct{ name, fields string }{
		{"name", "trace:rootName span.langfuse.trace.name"}, {"version", "span.spanlake.version span.langfuse.version"},
		{"release", "span.langfuse.release resource.service.version"},
	} {
		if v := values.Get(by.name); v != "" {
			text += " && " + filter{notScore, oneOf(by.fields, v)}.String()
		}
	}
	return text
}

// tracesOf are the traces of rows that begin within a range.
func tracesOf(rows []querier.Row, from, to uint64, oldestFirst bool) (list []schema.TraceID) {
	rows = slices.DeleteFunc(rows, func(r querier.Row) bool { return !within(r.TraceStart, from, to) })
	slices.SortStableFunc(rows, func(a, b querier.Row) int {
		byTime := cmp.Or(cmp.Compare(b.TraceStart, a.TraceStart), cmp.Compare(string(b.Trace[:]), string(a.Trace[:])))
		if oldestFirst {
			return -byTime
		}
		return byTime
	})
	for i := range rows {
		if i == 0 || rows[i].Trace != rows[i-1].Trace {
			list = append(list, rows[i].Trace)
		}
	}
	return list
}
