package querier

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
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
	if tag == "" {
		return nil, badRequest("invalid tag name: it is empty")
	}
	fields := []traceql.FieldExpr{&traceql.Intrinsic{ID: traceql.IntrinsicName}}
	if tag != "name" {
		fields = nil
		for _, s := range tagScopes {
			fields = append(fields, &traceql.Attribute{Scope: s.scope, Name: tag})
		}
	}
	params, err := q.tagParams(from, time.Now())
	if err != nil {
		return nil, err
	}
	values, metrics, err := q.tagValues(ctx, projects, params, fields)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(values))
	for i, v := range values {
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
	field, err := traceql.ParseField(tag)
	if err != nil {
		return nil, badRequest("invalid tag name %q: %s", tag, err)
	}
	params, err := q.tagParams(from, time.Now())
	if err != nil {
		return nil, err
	}
	response := &tempopb.Values{}
	values, fixed := fixedValues(field)
	if !fixed {
		if values, response.Metrics, err = q.tagValues(ctx, projects, params, []traceql.FieldExpr{field}); err != nil {
			return nil, err
		}
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

func (q *Querier) tagValues(
	ctx context.Context, projects []schema.ProjectID, params tagParams, fields []traceql.FieldExpr,
) (values []traceql.Static, metrics tempopb.MetadataMetrics, err error) {
	blocks, err := q.readTags(ctx, projects, params, func(ctx context.Context, groups [][]engine.Source) error {
		found, err := engine.CollectValues(ctx, params.plan, groups, fields, params.options)
		if err == nil {
			values = found.Values
		}
		return err
	})
	return values, scanned(blocks), err
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
