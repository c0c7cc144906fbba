package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// form is one of the ways to read a trace by id.
type form struct{ version, accept string }

func (f form) String() string {
	return f.version + " " + strings.TrimPrefix(f.accept, "application/")
}

func forms() []form {
	return []form{{"v1", acceptJSON}, {"v1", acceptProtobuf}, {"v2", acceptJSON}, {"v2", acceptProtobuf}}
}

func (f form) path(id string) string {
	if f.version == "v1" {
		return "/api/traces/" + id
	}
	return "/api/v2/traces/" + id
}

// trace reads a trace. One that the server does not have comes back empty.
func (c *client) trace(ctx context.Context, project string, f form, id string) (*tracepb.TracesData, error) {
	got, err := c.get(ctx, project, f.path(id), "Accept", f.accept)
	if err != nil {
		return nil, err
	}
	if f.version == "v1" && got.status == http.StatusNotFound && len(got.body) == 0 {
		return &tracepb.TracesData{}, nil
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("%s of %s: %d %s", f, id, got.status, got.body)
	}
	if contentType := got.header.Get("Content-Type"); contentType != f.accept {
		return nil, fmt.Errorf("%s of %s has type %s", f, id, contentType)
	}
	data, err := f.decode(got.body)
	if err == nil {
		err = requireMembers(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", f, id, err)
	}
	return data, nil
}

func (f form) decode(body []byte) (*tracepb.TracesData, error) {
	switch {
	case f.accept == acceptJSON && f.version == "v1":
		return decodeTraceJSON(body, "batches")
	case f.accept == acceptJSON:
		trace, err := decodeV2JSON(body)
		if err != nil {
			return nil, err
		}
		return decodeTraceJSON(trace, "resourceSpans")
	case f.version == "v2":
		var err error
		if body, err = decodeV2Protobuf(body); err != nil {
			return nil, err
		}
	}
	var data tracepb.TracesData
	return &data, proto.Unmarshal(body, &data)
}

// requireMembers fails unless every resource, scope and status is there, empty
// or not: the data source dereferences them.
func requireMembers(data *tracepb.TracesData) error {
	for _, rs := range data.GetResourceSpans() {
		if rs.GetResource() == nil {
			return errors.New("a resource is absent")
		}
		for _, ss := range rs.GetScopeSpans() {
			if ss.GetScope() == nil {
				return errors.New("a scope is absent")
			}
			for _, s := range ss.GetSpans() {
				if s.GetStatus() == nil {
					return errors.New("a status is absent")
				}
			}
		}
	}
	return nil
}

// decodeV2JSON returns the trace of a TraceByIDResponse that is complete.
func decodeV2JSON(body []byte) (json.RawMessage, error) {
	var reply struct {
		Trace   json.RawMessage `json:"trace"`
		Metrics *struct {
			InspectedBytes string `json:"inspectedBytes"`
		} `json:"metrics"`
	}
	if err := strictJSON(body, &reply); err != nil {
		return nil, err
	}
	if reply.Trace == nil || reply.Metrics == nil {
		return nil, errors.New("trace or metrics is absent")
	}
	return reply.Trace, nil
}

// decodeV2Protobuf returns the trace of a TraceByIDResponse that is complete:
// field 1, which must be there, beside nothing but field 2, the metrics.
func decodeV2Protobuf(body []byte) ([]byte, error) {
	var trace []byte
	found := false
	for len(body) > 0 {
		num, typ, n := protowire.ConsumeTag(body)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		value, m := protowire.ConsumeBytes(body[n:])
		if typ != protowire.BytesType || num > 2 || num == 1 && found || m < 0 {
			return nil, fmt.Errorf("unexpected field %d of type %d", num, typ)
		}
		if num == 1 {
			trace, found = value, true
		}
		body = body[n+m:]
	}
	if !found {
		return nil, errors.New("field 1, the trace, is absent")
	}
	return trace, nil
}

// decodeTraceJSON reads a trace in proto3 JSON whose list of resource spans has
// the given key. The text must be what a proto3 encoder writes: ids in base64,
// 64-bit integers as text, enums by name, zero values left out, nothing unknown.
func decodeTraceJSON(body []byte, key string) (*tracepb.TracesData, error) {
	var top map[string]json.RawMessage
	if err := strictJSON(body, &top); err != nil {
		return nil, err
	}
	if list, ok := top[key]; ok && len(top) == 1 {
		top = map[string]json.RawMessage{"resourceSpans": list}
	} else if len(top) != 0 {
		return nil, fmt.Errorf("a trace must have no field but %s: %.200s", key, body)
	}
	renamed, err := json.Marshal(top)
	if err != nil {
		return nil, err
	}
	var data tracepb.TracesData
	if err := protojson.Unmarshal(renamed, &data); err != nil {
		return nil, err
	}
	return &data, requireCanonical(renamed, &data)
}

// requireCanonical fails unless text is, but for white space and the order of
// keys, what a proto3 encoder makes of the message.
func requireCanonical(text []byte, message proto.Message) error {
	canonical, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	var want, got any
	if err := errors.Join(strictJSON(canonical, &want), strictJSON(text, &got)); err != nil {
		return err
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("not in canonical form:\n%.2000s\nwant:\n%.2000s", text, canonical)
	}
	return nil
}

// strictJSON decodes one JSON value without unknown fields and nothing after it.
func strictJSON(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("decode %.200q: %w", body, err)
	}
	if dec.More() {
		return fmt.Errorf("something follows the JSON value of %.200q", body)
	}
	return nil
}
