package querier

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/schema"
)

const (
	maxSessions      = 100
	maxSessionTraces = 1000     // that are read for a list
	defaultTurns     = 100      // of a session
	maxTurns         = 1000     // of a session
	maxSessionBytes  = 64 << 20 // of an answer
)

// The queries underneath: traces that name a session, one, and what was said of one.
const (
	sessionsQuery      = `{ !(span.spanlake.kind = "score") && span.session.id != nil }`
	sessionQuery       = `{ !(span.spanlake.kind = "score") && span.session.id = %s }`
	sessionScoresQuery = `{ span.spanlake.kind = "score" && span.session.id = %s }`
)

// tokens are what models used, and cost what that costs in dollars: of spans whose
// usage counts. Null: nobody knows.
type tokens struct {
	Input  *int64   `json:"inputTokens"`
	Output *int64   `json:"outputTokens"`
	Total  *int64   `json:"totalTokens"`
	Cost   *float64 `json:"cost"`
}

func tokensOf(u *conversation.Usage) (t tokens) {
	if u.HasTokens {
		t.Input, t.Output, t.Total = &u.Input, &u.Output, &u.Total
	}
	if u.HasCost && u.Cost-u.Cost == 0 { // JSON knows no infinity
		t.Cost = &u.Cost
	}
	return t
}

// sessionSummary is what a list says of a session.
type sessionSummary struct {
	ID     string   `json:"id"`
	First  string   `json:"firstTime"`
	Last   string   `json:"lastTime"` // start of its last turn
	Turns  int      `json:"turns"`
	Traces []string `json:"traces"`
	Users  []string `json:"users"`
	tokens

	Errors int `json:"errors"` // turns in which a span failed

	traces []schema.TraceID
	last   uint64
	usage  conversation.Usage
}

func (s *sessionSummary) takes(t *conversation.Trace) {
	if t.User != "" && !slices.Contains(s.Users, t.User) {
		s.Users = append(s.Users, t.User)
	}
	s.usage.Add(&t.Usage)
	if t.Errors > 0 {
		s.Errors++
	}
	s.tokens = tokensOf(&s.usage)
}

// sessions answers GET /api/sessions: those with traces in a range, the one with the
// newest first.
func (q *Querier) sessions(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	id, err := oneProject(projects)
	if err != nil {
		return reply{}, err
	}
	values := req.URL.Query()
	limit, err := intParam(values, "limit", defaultLimit, 1, maxSessions)
	if err != nil {
		return reply{}, err
	}
	s := Selection{Rows: sessionsQuery, Traces: values.Get("q")}
	if values.Has("start") || values.Has("end") {
		within, err := q.startEnd(values)
		if err != nil {
			return reply{}, err
		}
		s.From, s.To = within.start, within.end
	}
	rows, err := q.Select(ctx, id, s)
	if err != nil {
		return reply{}, err
	}
	list := sessionsOf(rows)
	list = list[:min(len(list), limit)]
	of := make(map[schema.TraceID]*sessionSummary)
	var ids []schema.TraceID
	for _, one := range list {
		for _, trace := range one.traces {
			of[trace], ids = one, append(ids, trace)
		}
	}
	if len(ids) > maxSessionTraces {
		return reply{}, TooMuch("the sessions have %d traces in this range, more than the %d that are read for a list: narrow the range of time, or lower limit", len(ids), maxSessionTraces)
	}
	err = q.ReadTraces(ctx, id, ids, func(spans []schema.Span) error {
		of[spans[0].TraceID].takes(conversation.Of(spans))
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	body, err := json.Marshal(map[string]any{"sessions": list})
	return reply{contentType: contentJSON, body: body}, err
}

// oneProject is the project of a query that cannot read several together.
func oneProject(projects []schema.ProjectID) (schema.ProjectID, error) {
	if len(projects) != 1 {
		return "", badRequest("%s must name one project here, not %d", headerProject, len(projects))
	}
	return projects[0], nil
}

// sessionsOf groups traces by the session that they name, the newest first.
func sessionsOf(rows []Row) []*sessionSummary {
	byID, list := make(map[string]*sessionSummary), []*sessionSummary{}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.TraceStart, b.TraceStart) })
	seen := make(map[schema.TraceID]struct{})
	for i := range rows {
		r := &rows[i]
		name := TextOf(r.Attributes, "session.id")
		if _, again := seen[r.Trace]; again || name == "" {
			continue
		}
		seen[r.Trace] = struct{}{}
		s := byID[name]
		if s == nil {
			s = &sessionSummary{ID: name, First: timeText(r.TraceStart), Traces: []string{}, Users: []string{}}
			byID[name], list = s, append(list, s)
		}
		s.last, s.Last = r.TraceStart, timeText(r.TraceStart)
		s.Turns++
		s.traces, s.Traces = append(s.traces, r.Trace), append(s.Traces, r.Trace.String())
	}
	slices.SortStableFunc(list, func(a, b *sessionSummary) int {
		return cmp.Or(cmp.Compare(b.last, a.last), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func timeText(nanos uint64) string {
	return time.Unix(0, int64(nanos)).UTC().Format(time.RFC3339Nano) //nolint:gosec // a time
}

// turn is a trace of a session.
type turn struct {
	TraceID string          `json:"traceId"`
	ID      string          `json:"id"` // as its client has it
	Name    string          `json:"name"`
	User    string          `json:"user,omitempty"`
	Start   string          `json:"start"`
	Latency float64         `json:"latencySeconds"`
	Input   json.RawMessage `json:"input"`
	Output  json.RawMessage `json:"output"`
	Models  []string        `json:"models"`
	tokens

	Scores []sessionScore `json:"scores"`
	Failed bool           `json:"failed"`
	Error  string         `json:"error,omitempty"` // of the first span that says why
}

// sessionScore is what was said of a turn, a span of it, or a session.
type sessionScore struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Value         *float64 `json:"value,omitempty"`
	Label         string   `json:"label,omitempty"`
	Comment       string   `json:"comment,omitempty"`
	Source        string   `json:"source,omitempty"`
	ObservationID string   `json:"observationId,omitempty"`
}

func scoresOf(list []conversation.Score) []sessionScore {
	out := make([]sessionScore, 0, len(list))
	for i := range list {
		s := &list[i]
		score := sessionScore{s.ID, s.Name, s.Value, s.Label, s.Comment, s.Source, s.ObservationID}
		if s.Value != nil && *s.Value-*s.Value != 0 {
			score.Value, score.Label = nil, cmp.Or(s.Label, strconv.FormatFloat(*s.Value, 'g', -1, 64))
		}
		out = append(out, score)
	}
	return out
}

func turnOf(t *conversation.Trace) turn {
	one := turn{
		TraceID: t.TraceID.String(), ID: t.ID, Name: t.Name, User: t.User, Start: timeText(t.StartNanos),
		Latency: float64(t.EndNanos-t.StartNanos) / nanosPerSecond, Input: t.Input.AppendJSON(nil), Output: t.Output.AppendJSON(nil),
		Models: append([]string{}, t.Models...), tokens: tokensOf(&t.Usage), Scores: scoresOf(t.Scores), Failed: t.Errors > 0,
	}
	for _, o := range t.Observations {
		if o.Failed() && one.Error == "" {
			one.Error = o.Span.StatusMessage
		}
	}
	return one
}

// session answers GET /api/sessions/{id}: its turns in their order. Without a range it
// is looked for as a span is whose trace is not known.
func (q *Querier) session(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	id, err := oneProject(projects)
	if err != nil {
		return reply{}, err
	}
	values, name := req.URL.Query(), req.PathValue("id")
	limit, err := intParam(values, "limit", defaultTurns, 1, maxTurns)
	if err != nil {
		return reply{}, err
	}
	s := Selection{Rows: fmt.Sprintf(sessionQuery, quoted(name)), Lookup: true}
	if values.Has("start") || values.Has("end") {
		within, err := q.startEnd(values)
		if err != nil {
			return reply{}, err
		}
		s.From, s.To, s.Lookup = within.start, within.end, false
	}
	rows, err := q.Select(ctx, id, s)
	if err != nil {
		return reply{}, err
	}
	list := sessionsOf(rows)
	if len(list) == 0 {
		return reply{}, fmt.Errorf("%w: no trace names a session with the id %.200q; name start and end for what is older than 30 days", ErrNotFound, name)
	}
	body, err := q.sessionBody(ctx, id, list[0], s, limit)
	return reply{contentType: contentJSON, body: body}, err
}

// quoted is a text as TraceQL has it.
func quoted(text string) string { return strconv.Quote(strings.ToValidUTF8(text, "\uFFFD")) }

// sessionBody reads the turns of a session, the last ones if there are more than limit.
func (q *Querier) sessionBody(ctx context.Context, id schema.ProjectID, one *sessionSummary, s Selection, limit int) ([]byte, error) {
	turns, size := []json.RawMessage{}, 0
	err := q.ReadTraces(ctx, id, one.traces[max(len(one.traces)-limit, 0):], func(spans []schema.Span) error {
		body, err := json.Marshal(turnOf(conversation.Of(spans)))
		if err != nil {
			return err
		}
		if size += len(body); size > maxSessionBytes {
			return TooMuch("the turns have more than %d bytes: ask for fewer with limit", maxSessionBytes)
		}
		turns = append(turns, body)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Rows = fmt.Sprintf(sessionScoresQuery, quoted(one.ID))
	rows, err := q.Select(ctx, id, s)
	if err != nil {
		return nil, err
	}
	scores := []sessionScore{}
	traces := make([]schema.TraceID, 0, len(rows))
	for i := range rows {
		traces = append(traces, rows[i].Trace)
	}
	err = q.ReadTraces(ctx, id, slices.Compact(traces), func(spans []schema.Span) error {
		t := conversation.Of(spans)
		scores = append(scores, scoresOf(slices.DeleteFunc(t.Scores, func(s conversation.Score) bool { return s.TraceID != "" }))...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"id": one.ID, "firstTime": one.First, "lastTime": one.Last, "turnCount": one.Turns, "turns": turns, "scores": scores,
	})
}
