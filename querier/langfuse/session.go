package langfuse

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// session is what traces have in common that name it.
type session struct {
	ID          string `json:"id"`
	CreatedAt   string `json:"createdAt"`
	ProjectID   string `json:"projectId"`
	Environment string `json:"environment"`

	first uint64
}

// sessions answers GET sessions. Underneath is a search for
//
//	{ !(span.spanlake.kind = "score") && span.session.id != nil }
func (h *Handler) sessions(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	if err := unsupported(values, "filter"); err != nil {
		return nil, err
	}
	from, to, err := between(values, "fromTimestamp", "toTimestamp")
	if err != nil {
		return nil, err
	}
	f := filter{notScore, "span.session.id != nil"}
	environment(&f, values)
	if len(f) == 2 { // mentioned, to be told
		f.add(either(fieldEnvironment+" = nil", fieldEnvironment+" != nil"))
	}
	rows, err := h.q.Select(ctx, id, querier.Selection{Rows: f.String(), From: from, To: to})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*session)
	var list []*session
	for i := range rows {
		name := querier.TextOf(rows[i].Attributes, "session.id")
		if name == "" {
			continue
		}
		s := byID[name]
		if s == nil {
			s = &session{ID: name, ProjectID: string(id), first: rows[i].TraceStart}
			byID[name], list = s, append(list, s)
		}
		s.first = min(s.first, rows[i].TraceStart)
		s.Environment = cmp.Or(s.Environment, querier.TextOf(rows[i].Attributes, "deployment.environment.name"))
	}
	list = slices.DeleteFunc(list, func(s *session) bool { return !within(s.first, from, to) })
	slices.SortFunc(list, func(a, b *session) int { return cmp.Or(cmp.Compare(b.first, a.first), cmp.Compare(a.ID, b.ID)) })
	part, m, err := pageOf(values, list)
	if err != nil {
		return nil, err
	}
	p := page{}
	for _, s := range part {
		s.CreatedAt, s.Environment = stamp(s.first), cmp.Or(s.Environment, defaultEnvironment)
		if err := p.add(s); err != nil {
			return nil, err
		}
	}
	return paged{p.list(), m}, nil
}

// session answers GET sessions/{id}, by a search of the last weeks for
//
//	{ !(span.spanlake.kind = "score") && span.session.id = "…" }
func (h *Handler) session(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	name := req.PathValue("id")
	f := filter{notScore, equal("span.session.id", name)}
	rows, err := h.q.Select(ctx, id, querier.Selection{Rows: f.String(), Lookup: true})
	if err != nil {
		return nil, err
	}
	out := struct {
		session

		Traces any `json:"traces"`
	}{session: session{ID: name, ProjectID: string(id)}}
	p := page{}
	err = h.each(ctx, id, tracesOf(rows, 0, 0, true), func(t *conversation.Trace) error {
		if out.CreatedAt == "" {
			out.CreatedAt = stamp(t.StartNanos)
		}
		out.Environment = cmp.Or(out.Environment, t.Environment)
		return p.add(traceOf(id, t, map[string]bool{groupIO: true}))
	})
	if err == nil && len(p.data) == 0 {
		err = notFound("session", name)
	}
	out.Traces, out.Environment = p.list(), cmp.Or(out.Environment, defaultEnvironment)
	return out, err
}
