package querier

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Paths of tag values, which end in /values.
const (
	pathTagValuesV1 = "/api/search/tag/"
	pathTagValuesV2 = "/api/v2/search/tag/"
	pathTagSuffix   = "/values"
)

// tagOf returns the tag in a path of tag values: everything up to the last
// /values, since names may hold slashes.
func tagOf(path, prefix string) (string, bool) {
	tag, ok := strings.CutPrefix(path, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(tag, pathTagSuffix)
}

// tagValuesV1 answers GET /api/search/tag/{name}/values: the values of an
// attribute of any scope as text. The name of the span is called name.
func (q *Querier) tagValuesV1(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	tag, _ := tagOf(req.URL.Path, pathTagValuesV1)
	response, err := q.listTexts(ctx, projects, tag, req.URL.Query())
	if err != nil {
		return reply{}, err
	}
	return write(req, response), nil
}

func (q *Querier) listTexts(ctx context.Context, projects []schema.ProjectID, tag string, from url.Values) (*tempopb.Texts, error) {
	ask, err := q.askTags(from, tagsOfName, tag, time.Now())
	if err != nil {
		return nil, err
	}
	found, metrics, err := q.collectTags(ctx, projects, ask)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(found.Values))
	for i, v := range found.Values {
		texts[i] = tagValueOf(v).Value
	}
	slices.Sort(texts)
	return &tempopb.Texts{Name: tempopb.ValuesOfTag, List: slices.Compact(texts), Metrics: metrics}, nil
}

// tagValuesV2 answers GET /api/v2/search/tag/{field}/values: the typed values of
// a field as TraceQL names it, of the spans that q finds.
func (q *Querier) tagValuesV2(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	tag, _ := tagOf(req.URL.Path, pathTagValuesV2)
	response, err := q.listValues(ctx, projects, tag, req.URL.Query())
	if err != nil {
		return reply{}, err
	}
	return write(req, response), nil
}

func (q *Querier) listValues(ctx context.Context, projects []schema.ProjectID, tag string, from url.Values) (*tempopb.Values, error) {
	ask, err := q.askTags(from, tagsOfField, tag, time.Now())
	if err != nil {
		return nil, err
	}
	response := &tempopb.Values{}
	values, fixed := fixedValues(ask.fields[0])
	if !fixed {
		found, metrics, err := q.collectTags(ctx, projects, ask)
		if err != nil {
			return nil, err
		}
		values, response.Metrics = found.Values, metrics
	}
	response.List = make([]tempopb.Value, len(values))
	for i, v := range values {
		response.List[i] = tagValueOf(v)
	}
	return response, nil
}

// fixedValues answers for the intrinsics that need no reading: all values of an
// enumeration, and none where a list would be as long as the data.
func fixedValues(field traceql.FieldExpr) (values []traceql.Static, ok bool) {
	intrinsic, ok := field.(*traceql.Intrinsic)
	if !ok {
		return nil, false
	}
	switch intrinsic.ID {
	case traceql.IntrinsicStatus:
		return traceql.Statuses(), true
	case traceql.IntrinsicKind:
		return traceql.Kinds(), true
	case traceql.IntrinsicName, traceql.IntrinsicStatusMessage, traceql.IntrinsicEventName,
		traceql.IntrinsicInstrumentationName, traceql.IntrinsicInstrumentationVersion,
		traceql.IntrinsicTraceRootName, traceql.IntrinsicTraceRootService:
		return nil, false
	default:
		return nil, true
	}
}

// tagValueOf gives a value the type by which the data source decides on quotes,
// and the text to insert into a query.
func tagValueOf(v traceql.Static) tempopb.Value {
	switch v.Type {
	case traceql.TypeString:
		return tempopb.Value{Type: "string", Value: v.Str}
	case traceql.TypeInt:
		return tempopb.Value{Type: "int", Value: v.String()}
	case traceql.TypeFloat:
		return tempopb.Value{Type: "float", Value: v.String()}
	case traceql.TypeBool:
		return tempopb.Value{Type: "bool", Value: v.String()}
	case traceql.TypeDuration:
		return tempopb.Value{Type: "duration", Value: v.String()}
	case traceql.TypeStatus, traceql.TypeKind, traceql.TypeUnknown, traceql.TypeNil:
	}
	return tempopb.Value{Type: "keyword", Value: v.String()}
}
