package langfuse

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// fieldGroups are the fields of version 2 by the groups in which they are asked for.
// Those of core are always there.
func fieldGroups() map[string][]string {
	return map[string][]string{
		"core": {"id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type", "isRootObservation"},
		"basic": {
			"name", "level", "statusMessage", "version", "environment", "bookmarked", "public", "userId", "sessionId",
		},
		"time":          {"completionStartTime", "createdAt", "updatedAt"},
		"io":            {"input", "output"},
		"metadata":      {"metadata"},
		"model":         {"model", "internalModelId", "modelParameters"},
		"usage":         {"usageDetails", "costDetails", "totalCost", "usagePricingTierName"},
		"prompt":        {"promptId", "promptName", "promptVersion"},
		"metrics":       {"latency", "timeToFirstToken"},
		"trace_context": {"traceName", "tags", "release"},
	}
}

// observationsV2 answers GET v2/observations: the same as observations, by cursors,
// with the groups of fields that are asked for.
func (h *Handler) observationsV2(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	if err := unsupported(values, "filter"); err != nil {
		return nil, err
	}
	if values.Get("parseIoAsJson") == "true" {
		return nil, querier.BadRequest("parseIoAsJson is not supported: input and output are texts, parse them yourself")
	}
	fields, err := fieldsOf(groups(values, "basic"))
	if err != nil {
		return nil, err
	}
	rows, err := h.rowsOfObservations(ctx, id, values)
	if err != nil {
		return nil, err
	}
	part, next, _, err := pageAfter(values, rows)
	if err != nil {
		return nil, err
	}
	data, err := h.show(ctx, id, part, func(t *conversation.Trace, span schema.SpanID) any {
		o := find(t, span)
		if o == nil {
			return nil
		}
		all := observationV2Of(id, t, o)
		maps.DeleteFunc(all, func(name string, _ any) bool { return !slices.Contains(fields, name) })
		return all
	})
	return map[string]any{"data": data, "meta": struct {
		Cursor string `json:"cursor,omitempty"`
	}{next}}, err
}

// fieldsOf are the names of fields.
func fieldsOf(wanted map[string]bool) (fields []string, err error) {
	all := fieldGroups()
	// Of models and prices clients want these, also where nothing is said.
	fields = append(fields, all["core"]...)
	fields = append(fields, "modelId", "inputPrice", "outputPrice", "totalPrice")
	for name := range wanted {
		list, ok := all[name]
		if !ok {
			return nil, querier.BadRequest("invalid fields: there is no group %.100q", name)
		}
		fields = append(fields, list...)
	}
	return fields, nil
}

// observationV2Of has all fields. Input and output are texts.
func observationV2Of(id schema.ProjectID, t *conversation.Trace, o *conversation.Observation) map[string]any {
	v1 := observationOf(id, t, o)
	tags := t.Tags
	if tags == nil {
		tags = []string{}
	}
	return map[string]any{
		"id": v1.ID, "traceId": v1.TraceID, "startTime": v1.StartTime, "endTime": v1.EndTime, "projectId": v1.ProjectID,
		"parentObservationId": v1.ParentObservationID, "type": v1.Type, "isRootObservation": v1.ParentObservationID == nil,
		"name": v1.Name, "level": v1.Level, "statusMessage": v1.StatusMessage, "version": v1.Version, "environment": v1.Environment,
		"bookmarked": false, "public": t.Public, "userId": orNull(t.User), "sessionId": orNull(t.Session),
		"completionStartTime": v1.CompletionStartTime, "createdAt": v1.CreatedAt, "updatedAt": v1.UpdatedAt,
		"input": asText(v1.Input), "output": asText(v1.Output), "metadata": v1.Metadata,
		"model": v1.Model, "internalModelId": nil, "modelParameters": v1.ModelParameters,
		"usageDetails": v1.UsageDetails, "costDetails": v1.CostDetails, "totalCost": v1.TotalCost, "usagePricingTierName": nil,
		"promptId": nil, "promptName": v1.PromptName, "promptVersion": v1.PromptVersion,
		"latency": v1.Latency, "timeToFirstToken": v1.TimeToFirstToken,
		"modelId": nil, "inputPrice": nil, "outputPrice": nil, "totalPrice": nil,
		"traceName": orNull(t.Name), "tags": tags, "release": orNull(t.Release),
	}
}

// asText is JSON as a text.
func asText(v any) any {
	if raw, ok := v.(json.RawMessage); ok {
		return string(raw)
	}
	return v
}
