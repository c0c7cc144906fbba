package langfuse

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// score is what was said of something.
type score struct {
	ID            string         `json:"id"`
	ProjectID     string         `json:"projectId"`
	TraceID       *string        `json:"traceId"`
	SessionID     *string        `json:"sessionId"`
	ObservationID *string        `json:"observationId"`
	DatasetRunID  *string        `json:"datasetRunId"`
	Name          string         `json:"name"`
	Value         any            `json:"value"`
	StringValue   *string        `json:"stringValue,omitempty"`
	DataType      string         `json:"dataType"`
	Source        string         `json:"source"`
	Timestamp     string         `json:"timestamp"`
	CreatedAt     string         `json:"createdAt"`
	UpdatedAt     string         `json:"updatedAt"`
	AuthorUserID  *string        `json:"authorUserId"`
	Comment       *string        `json:"comment"`
	Metadata      map[string]any `json:"metadata"`
	ConfigID      *string        `json:"configId"`
	QueueID       *string        `json:"queueId"`
	Environment   string         `json:"environment"`
}

// The types of scores.
const (
	typeNumeric     = "NUMERIC"
	typeBoolean     = "BOOLEAN"
	typeCategorical = "CATEGORICAL"
)

func scoreOf(id schema.ProjectID, s *conversation.Score) score {
	out := score{
		ID: s.ID, ProjectID: string(id), TraceID: orNull(s.TraceID), SessionID: orNull(s.Session), ObservationID: orNull(s.ObservationID),
		Name: s.Name, DataType: cmp.Or(s.DataType, typeNumeric), Source: sourceOf(s.Source), Timestamp: stamp(s.Nanos), CreatedAt: stamp(s.Nanos), UpdatedAt: stamp(s.Nanos),
		AuthorUserID: orNull(s.Annotator), Comment: orNull(s.Comment), Metadata: metadataOf(s.Metadata),
		ConfigID: orNull(s.ConfigID), QueueID: orNull(s.QueueID), Environment: cmp.Or(s.Environment, defaultEnvironment),
	}
	value := 0.0
	if s.Value != nil {
		value = finite(*s.Value)
	}
	out.Value = value
	switch out.DataType {
	case typeNumeric:
	case typeBoolean:
		out.StringValue = orNull(map[bool]string{true: "True", false: "False"}[value != 0])
	default:
		out.StringValue = &s.Label
	}
	return out
}

// sources are the words of all protocols for the three that Langfuse has.
func sources() map[string][]string {
	return map[string][]string{
		"API": {"API", "api"}, "EVAL": {"EVAL", "LLM", "CODE", "model"}, "ANNOTATION": {"ANNOTATION", "HUMAN", "app"},
	}
}

func sourceOf(said string) string {
	for name, words := range sources() {
		if slices.Contains(words, said) {
			return name
		}
	}
	return "API"
}

// scoresFilter finds the scores that parameters speak of.
func scoresFilter(values url.Values) (filter, error) {
	f := filter{equal(fieldKind, conversation.KindScore)}
	anyOf := func(field string, list []string) {
		var any []string
		for _, v := range list {
			any = append(any, equal(field, v))
		}
		if len(any) > 0 {
			f.add(either(any...))
		}
	}
	anyOf("span.gen_ai.evaluation.name", several(values, "name"))
	anyOf("span.spanlake.score.id", slices.Concat(several(values, "scoreIds"), several(values, "id")))
	anyOf("span.spanlake.score.data_type", several(values, "dataType"))
	anyOf("span.langfuse.score.config_id", several(values, "configId"))
	anyOf("span.langfuse.score.queue_id", several(values, "queueId"))
	anyOf("span.spanlake.score.annotator", several(values, "authorUserId"))
	var words []string
	for _, name := range several(values, "source") {
		list, ok := sources()[name]
		if !ok {
			return nil, querier.BadRequest("invalid source %q: want API, EVAL or ANNOTATION", name)
		}
		words = append(words, list...)
	}
	anyOf("span.spanlake.score.source", words)
	if v := values.Get("sessionId"); v != "" {
		f.is("span.session.id", v)
	}
	if v := values.Get("observationId"); v != "" {
		f.is("span:parentID", schema.SpanIDOf(v).String())
	}
	environment(&f, values)
	return f, ofValue(&f, values)
}

// ofValue adds conditions on what scores say.
func ofValue(f *filter, values url.Values) error {
	const field = "span.gen_ai.evaluation.score.value"
	for _, by := range [...]struct{ name, operator string }{{"value", cmp.Or(values.Get("operator"), "=")}, {"valueMin", ">="}, {"valueMax", "<="}} {
		text := values.Get(by.name)
		if text == "" {
			continue
		}
		if !slices.Contains([]string{"=", "!=", "<", ">", "<=", ">="}, by.operator) {
			return querier.BadRequest("invalid operator %q: want =, !=, <, >, <= or >=", by.operator)
		}
		number, err := strconv.ParseFloat(text, 64)
		switch {
		case err == nil && number == finite(number):
			f.add(field + " " + by.operator + " " + strconv.FormatFloat(number, 'f', -1, 64))
		case by.name == "value" && by.operator == "=": // v3 also asks for labels
			f.is("span.gen_ai.evaluation.score.label", text)
		default:
			return querier.BadRequest("invalid %s %q: want a number", by.name, text)
		}
	}
	return nil
}

func (h *Handler) rowsOfScores(ctx context.Context, id schema.ProjectID, values url.Values) ([]querier.Row, error) {
	if err := unsupported(values, "filter", "datasetRunId", "experimentId"); err != nil {
		return nil, err
	}
	from, to, err := between(values, "fromTimestamp", "toTimestamp")
	if err != nil {
		return nil, err
	}
	f, err := scoresFilter(values)
	if err != nil {
		return nil, err
	}
	// The session is one that is scored.
	ofTrace := url.Values{"userId": values["userId"], "traceTags": values["traceTags"], "traceTags[]": values["traceTags[]"], "traceId": values["traceId"]}
	return h.selectRows(ctx, id, ofTrace, f, all(ofTraces(ofTrace, "traceTags")), from, to)
}

// showScores shows rows that are scores.
func (h *Handler) showScores(ctx context.Context, id schema.ProjectID, rows []querier.Row, of func(t *conversation.Trace, s *conversation.Score) any) ([]json.RawMessage, error) {
	return h.show(ctx, id, rows, func(t *conversation.Trace, span schema.SpanID) any {
		for i := range t.Scores {
			if t.Scores[i].Span == span {
				return of(t, &t.Scores[i])
			}
		}
		return nil
	})
}

// ofItsTrace is what a list says of the trace of a score.
type ofItsTrace struct {
	UserID      *string  `json:"userId"`
	Tags        []string `json:"tags"`
	Environment string   `json:"environment"`
	SessionID   *string  `json:"sessionId"`
}

// scores answers GET scores and v2/scores. Underneath is a search for
//
//	{ span.spanlake.kind = "score" && … }
func (h *Handler) scores(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	rows, err := h.rowsOfScores(ctx, id, values)
	if err != nil {
		return nil, err
	}
	part, m, err := pageOf(values, rows)
	if err != nil {
		return nil, err
	}
	data, err := h.showScores(ctx, id, part, func(t *conversation.Trace, s *conversation.Score) any {
		out := struct {
			score

			Trace *ofItsTrace `json:"trace,omitempty"`
		}{score: scoreOf(id, s)}
		if s.TraceID != "" {
			out.Trace = &ofItsTrace{orNull(t.User), append([]string{}, t.Tags...), cmp.Or(t.Environment, defaultEnvironment), orNull(t.Session)}
		}
		return out
	})
	return paged{data, m}, err
}

// score answers GET scores/{id}: a search for { span.spanlake.score.id = "…" } of the
// last weeks.
func (h *Handler) score(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	name := req.PathValue("id")
	known := []string{equal("span.spanlake.score.id", name)}
	if span, err := schema.ParseSpanID(name); err == nil {
		known = append(known, equal("span:id", span.String()))
	}
	f := filter{equal(fieldKind, conversation.KindScore), either(known...)}
	rows, err := h.q.Select(ctx, id, querier.Selection{Rows: f.String(), Lookup: true})
	if err != nil {
		return nil, err
	}
	data, err := h.showScores(ctx, id, rows[:min(len(rows), 1)], func(_ *conversation.Trace, s *conversation.Score) any { return scoreOf(id, s) })
	if err == nil && len(data) == 0 {
		err = notFound("score", name)
	}
	if err != nil {
		return nil, err
	}
	return data[0], nil
}

// scoreV3 is a score of version 3, whose value has the type of what was said.
type scoreV3 struct {
	ID           string         `json:"id"`
	ProjectID    string         `json:"projectId"`
	Name         string         `json:"name"`
	Value        any            `json:"value"`
	DataType     string         `json:"dataType"`
	Source       string         `json:"source"`
	Timestamp    string         `json:"timestamp"`
	Environment  string         `json:"environment"`
	CreatedAt    string         `json:"createdAt"`
	UpdatedAt    string         `json:"updatedAt"`
	Comment      *string        `json:"comment"`
	ConfigID     *string        `json:"configId"`
	Metadata     map[string]any `json:"metadata"`
	AuthorUserID *string        `json:"authorUserId"`
	QueueID      *string        `json:"queueId"`
	Subject      subject        `json:"subject"`
}

// subject is what a score is about.
type subject struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	TraceID string `json:"traceId,omitempty"`
}

func scoreV3Of(id schema.ProjectID, s *conversation.Score) scoreV3 {
	v2 := scoreOf(id, s)
	out := scoreV3{
		ID: v2.ID, ProjectID: v2.ProjectID, Name: v2.Name, Value: v2.Value, DataType: v2.DataType, Source: v2.Source, Timestamp: v2.Timestamp,
		Environment: v2.Environment, CreatedAt: v2.CreatedAt, UpdatedAt: v2.UpdatedAt, Comment: v2.Comment, ConfigID: v2.ConfigID,
		Metadata: v2.Metadata, AuthorUserID: v2.AuthorUserID, QueueID: v2.QueueID,
	}
	switch v2.DataType {
	case typeNumeric:
	case typeBoolean:
		out.Value = s.Value != nil && *s.Value != 0
	default:
		out.Value = s.Label
	}
	switch {
	case s.TraceID == "":
		out.Subject = subject{Kind: "session", ID: s.Session}
	case s.ObservationID != "":
		out.Subject = subject{Kind: "observation", ID: s.ObservationID, TraceID: s.TraceID}
	default:
		out.Subject = subject{Kind: "trace", ID: s.TraceID}
	}
	return out
}

// scoresV3 answers GET v3/scores: the same as scores, by cursors.
func (h *Handler) scoresV3(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	rows, err := h.rowsOfScores(ctx, id, values)
	if err != nil {
		return nil, err
	}
	part, next, limit, err := pageAfter(values, rows)
	if err != nil {
		return nil, err
	}
	data, err := h.showScores(ctx, id, part, func(_ *conversation.Trace, s *conversation.Score) any { return scoreV3Of(id, s) })
	return map[string]any{"data": data, "meta": struct {
		Limit  int    `json:"limit"`
		Cursor string `json:"cursor,omitempty"`
	}{limit, next}}, err
}

// pageAfter cuts the page behind a cursor out of rows, and returns the next one, ""
// at the end.
func pageAfter(values url.Values, rows []querier.Row) (part []querier.Row, next string, limit int, err error) {
	if limit, err = number(values, "limit", defaultLimit, maxLimitV2); err != nil {
		return nil, "", 0, err
	}
	if rows, err = after(rows, strings.TrimSpace(values.Get("cursor"))); err != nil {
		return nil, "", 0, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = cursorOf(&rows[limit-1])
	}
	return rows, next, limit, nil
}
