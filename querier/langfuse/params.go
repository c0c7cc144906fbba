package langfuse

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// Limits of pages, those of Langfuse.
const (
	defaultLimit = 50
	maxLimit     = 100
	maxLimitV2   = 1000
)

// meta says where in a list a page is.
type meta struct {
	Page       int `json:"page"`
	Limit      int `json:"limit"`
	TotalItems int `json:"totalItems"`
	TotalPages int `json:"totalPages"`
}

// paged is the answer of a list with pages.
type paged struct {
	Data []json.RawMessage `json:"data"`
	Meta meta              `json:"meta"`
}

// pageOf cuts a page out of a list.
func pageOf[T any](values url.Values, all []T) (part []T, m meta, err error) {
	if m.Page, err = number(values, "page", 1, 1<<30); err != nil {
		return nil, m, err
	}
	if m.Limit, err = number(values, "limit", defaultLimit, maxLimit); err != nil {
		return nil, m, err
	}
	m.TotalItems = len(all)
	m.TotalPages = (len(all) + m.Limit - 1) / m.Limit
	begin := min((m.Page-1)*m.Limit, len(all))
	return all[begin:min(begin+m.Limit, len(all))], m, nil
}

// number reads one from 1 to most.
func number(values url.Values, name string, otherwise, most int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, querier.BadRequest("invalid %s %q: want a number from 1 to %d", name, text, most)
	}
	return n, nil
}

// at reads a time, in Unix nanoseconds: 0 if there is none.
func at(values url.Values, name string) (uint64, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1971 || t.Year() > 2200 {
		return 0, querier.BadRequest("invalid %s %q: want a time such as 2026-01-15T10:00:00Z", name, text)
	}
	return uint64(t.UnixNano()), nil //nolint:gosec // checked on the line before
}

// between reads the two ends of a range.
func between(values url.Values, from, to string) (start, end uint64, err error) {
	if start, err = at(values, from); err == nil {
		end, err = at(values, to)
	}
	return start, end, err
}

// within reports whether a time is in a range whose ends may be missing.
func within(nanos, from, to uint64) bool { return nanos >= from && (to == 0 || nanos < to) }

// unsupported refuses parameters that would have to change the answer and do not.
func unsupported(values url.Values, names ...string) error {
	for _, name := range names {
		if values.Get(name) != "" {
			return querier.BadRequest("%s is not supported: use the other parameters, or TraceQL by /api/search", name)
		}
	}
	return nil
}

// several are the values of a parameter that may be there more than once, or have
// commas.
func several(values url.Values, name string) (list []string) {
	for _, v := range slices.Concat(values[name], values[name+"[]"]) {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

// groups are the parts of an answer that are wanted.
func groups(values url.Values, otherwise ...string) map[string]bool {
	list := several(values, "fields")
	if len(list) == 0 {
		list = otherwise
	}
	set := make(map[string]bool, len(list))
	for _, name := range list {
		set[name] = true
	}
	return set
}

// Conditions of TraceQL. Those of a filter are joined by &&.
type filter []string

// is adds that a field has a value, if one is wanted.
func (f *filter) is(field, value string) {
	if value != "" {
		f.add(equal(field, value))
	}
}

func (f *filter) add(condition string) { *f = append(*f, condition) }

func (f filter) String() string { return "{ " + strings.Join(f, " && ") + " }" }

func equal(field, value string) string { return field + " = " + quote(value) }

// quote is a text as TraceQL has it: Go's escapes are more than the language knows.
func quote(text string) string { return strconv.Quote(strings.ToValidUTF8(text, "\uFFFD")) }

// either is that one of several conditions holds.
func either(conditions ...string) string { return "(" + strings.Join(conditions, " || ") + ")" }

const (
	fieldKind        = "span.spanlake.kind"
	fieldLevel       = "span.spanlake.level"
	fieldEnvironment = ".deployment.environment.name"
)

// notScore leaves out what was said of traces.
const notScore = `!(` + fieldKind + ` = "score")`

// environment is a condition on it; who has said none is in the one called default.
func environment(f *filter, values url.Values) {
	var any []string
	for _, name := range several(values, "environment") {
		any = append(any, equal(fieldEnvironment, name))
		if name == defaultEnvironment {
			any = append(any, fieldEnvironment+" = nil")
		}
	}
	if len(any) > 0 {
		f.add(either(any...))
	}
}

// ofTraces are conditions on traces, each of which one of its spans has to meet.
func ofTraces(values url.Values, tags string) (list []filter) {
	add := func(condition string) { list = append(list, filter{notScore, condition}) }
	for _, by := range [...][2]string{{"userId", "span.user.id"}, {"sessionId", "span.session.id"}} {
		if v := values.Get(by[0]); v != "" {
			add(equal(by[1], v))
		}
	}
	for _, tag := range several(values, tags) {
		add(equal("span.spanlake.tags", tag))
	}
	return list
}

// all joins conditions on traces to one query, "" if there are none.
func all(list []filter) string {
	texts := make([]string, len(list))
	for i, f := range list {
		texts[i] = f.String()
	}
	return strings.Join(texts, " && ")
}

// cursor is the last row that was shown.
type cursor struct {
	Start uint64 `json:"s"`
	Trace []byte `json:"t"`
	Span  []byte `json:"i"`
}

func cursorOf(r *querier.Row) string {
	text, _ := json.Marshal(cursor{r.StartNanos, r.Trace[:], r.Span[:]}) // numbers and bytes
	return base64.RawURLEncoding.EncodeToString(text)
}

// after cuts off what was shown up to a cursor.
func after(rows []querier.Row, text string) ([]querier.Row, error) {
	if text == "" {
		return rows, nil
	}
	var c cursor
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	if err != nil || len(c.Trace) != len(schema.TraceID{}) || len(c.Span) != len(schema.SpanID{}) {
		return nil, querier.BadRequest("invalid cursor %.100q: want one that was answered before", text)
	}
	last := querier.Row{StartNanos: c.Start, Trace: schema.TraceID(c.Trace), Span: schema.SpanID(c.Span)}
	i, found := slices.BinarySearchFunc(rows, last, querier.CompareRows)
	if found {
		i++
	}
	return rows[i:], nil
}

// stamp is a time as Langfuse tells it.
func stamp(nanos uint64) string {
	return time.Unix(0, int64(nanos)).UTC().Format("2006-01-02T15:04:05.000Z") //nolint:gosec // a time
}

func notFound(what, id string) error {
	return fmt.Errorf("%w: there is no %s with the id %.200q", querier.ErrNotFound, what, id)
}
