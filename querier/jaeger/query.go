package jaeger

import (
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/traceql"
)

// maxTags is how many tags a search may have: each becomes several conditions.
const maxTags = 32

// query is the TraceQL filter of a search: one span has all that is asked for.
func query(values url.Values) (string, error) {
	service := values.Get("service")
	if service == "" {
		return "", querier.BadRequest("parameter 'service' is required: name one of /api/services, or traces by traceID")
	}
	conditions := []string{ofService(service)}
	if operation := values.Get("operation"); operation != "" && operation != "all" {
		conditions = append(conditions, equal(&traceql.Intrinsic{ID: traceql.IntrinsicName}, operation))
	}
	shortest, err := durationOf(values, "minDuration")
	if err != nil {
		return "", err
	}
	longest, err := durationOf(values, "maxDuration")
	if err != nil {
		return "", err
	}
	if longest != 0 && longest < shortest {
		return "", querier.BadRequest("maxDuration (%s) must not be less than minDuration (%s)", longest, shortest)
	}
	for _, bound := range []struct {
		operator string
		value    time.Duration
	}{{" >= ", shortest}, {" <= ", longest}} {
		if bound.value != 0 {
			conditions = append(conditions, traceql.IntrinsicDuration.String()+bound.operator+traceql.NewDuration(bound.value).String())
		}
	}
	tags, err := tagsOf(values)
	if err != nil {
		return "", err
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		condition, err := tagCondition(key, tags[key])
		if err != nil {
			return "", err
		}
		conditions = append(conditions, condition)
	}
	return all(conditions...), nil
}

// tagsOf are the tags of a search: several tag=key:value, and tags with a JSON object.
func tagsOf(values url.Values) (map[string]string, error) {
	tags := make(map[string]string)
	for _, text := range values["tag"] {
		key, value, ok := strings.Cut(text, ":")
		if !ok || key == "" {
			return nil, querier.BadRequest("invalid tag %.100q: want key:value", text)
		}
		tags[key] = value
	}
	for _, text := range values["tags"] {
		if text == "" {
			continue
		}
		var object map[string]string
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			return nil, querier.BadRequest(`invalid tags %.100q: want a JSON object whose values are texts, such as {"http.status_code":"500"}`, text)
		}
		maps.Copy(tags, object)
	}
	if len(tags) > maxTags {
		return nil, querier.BadRequest("a search may have %d tags, not %d", maxTags, len(tags))
	}
	if _, ok := tags[""]; ok {
		return nil, querier.BadRequest("a tag has no key")
	}
	return tags, nil
}

// tagCondition is the condition that a span is shown with a tag: what Jaeger shows as
// tags are attributes of spans and resources, some other fields, and fields of logs.
func tagCondition(key, value string) (string, error) {
	switch key {
	case "span.kind":
		if !slices.ContainsFunc(kinds(), func(k kind) bool { return k.shown == value && value != "" }) {
			return "", querier.BadRequest("invalid span.kind %.100q: want %s", value, kindNames())
		}
		return traceql.IntrinsicKind.String() + " = " + value, nil
	case "error":
		if value == "true" {
			return either(traceql.IntrinsicStatus.String()+" = error", attribute(key, value)), nil
		}
	case "otel.status_code":
		if code := strings.ToLower(value); code == "ok" || code == "error" {
			return traceql.IntrinsicStatus.String() + " = " + code, nil
		}
	}
	conditions := []string{attribute(key, value)}
	for _, same := range sameTag(key, value) {
		conditions = append(conditions, attribute(same[0], same[1]))
	}
	for shown, intrinsic := range map[string]traceql.IntrinsicID{
		"otel.status_description": traceql.IntrinsicStatusMessage, "otel.scope.name": traceql.IntrinsicInstrumentationName,
		"otel.scope.version": traceql.IntrinsicInstrumentationVersion, "event": traceql.IntrinsicEventName,
	} {
		if shown == key {
			conditions = append(conditions, equal(&traceql.Intrinsic{ID: intrinsic}, value))
		}
	}
	return either(conditions...), nil
}

// sameTag are the names under which a tag is stored or shown, too: those that
// OpenTelemetry has given to what Jaeger's clients send.
func sameTag(key, value string) [][2]string {
	switch key {
	case "http.status_code":
		return [][2]string{{"http.response.status_code", value}}
	case "http.response.status_code":
		return [][2]string{{"http.status_code", value}}
	case "hostname":
		return [][2]string{{"host.name", value}}
	case "jaeger.version":
		return [][2]string{{"opencensus.exporterversion", "Jaeger-" + value}}
	}
	return nil
}

// attribute is the condition that a span, its resource or one of its events has an
// attribute with a value of any type that is shown as this text.
func attribute(name, value string) string {
	name = valid(name)
	var conditions []string
	for _, scope := range []traceql.Scope{traceql.ScopeSpan, traceql.ScopeResource, traceql.ScopeEvent} {
		field := (&traceql.Attribute{Scope: scope, Name: name}).String()
		for _, literal := range literals(value) {
			conditions = append(conditions, field+" = "+literal)
		}
	}
	return either(conditions...)
}

// literals are the values that are shown as a text.
func literals(text string) []string {
	list := []string{quote(text)}
	if text == "true" || text == "false" {
		return append(list, text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if strconv.FormatInt(n, 10) == text { // no number is shown with zeros in front
			list = append(list, traceql.NewInt(n).String())
		}
		return list
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		list = append(list, traceql.NewFloat(v).String())
	}
	return list
}

// ofService is the condition that a span is one of a service.
func ofService(name string) string {
	return equal(&traceql.Attribute{Scope: traceql.ScopeResource, Name: "service.name"}, name)
}

func equal(field traceql.FieldExpr, text string) string { return field.String() + " = " + quote(text) }

func quote(text string) string { return traceql.NewString(valid(text)).String() }

// valid is a text as queries may have it.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func either(conditions ...string) string { return "(" + strings.Join(conditions, " || ") + ")" }

func all(conditions ...string) string { return "{ " + strings.Join(conditions, " && ") + " }" }
