package langsmith

import (
	"strings"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/schema"
)

// metadata writes what a run was given along. What is too much for attributes is
// there as JSON.
func (a *attributes) metadata(metadata jsonvalue.Value) {
	known := jsonvalue.Pick(metadata, "session_id", "thread_id", "conversation_id", "user_id")
	session := jsonvalue.Text(known.First("session_id", "thread_id", "conversation_id"))
	a.text("session.id", session)
	a.text("user.id", jsonvalue.Text(known["user_id"]))
	members, more := jsonvalue.Few(metadata)
	if more || !jsonvalue.Absent(metadata) && metadata[0] != '{' {
		a.json("metadata", metadata)
	}
	for _, m := range members {
		key, v := m.Key, m.Value
		if noise(key) {
			continue
		}
		switch key {
		case "user_id", "usage_metadata", "ls_model_name", "ls_invocation_params":
		case "ls_temperature":
			a.number("gen_ai.request.temperature", v)
		case "ls_max_tokens":
			a.number("gen_ai.request.max_tokens", v)
		case "ls_stop":
			a.stop(v)
		case "session_id", "thread_id", "conversation_id":
			if jsonvalue.Text(v) != session {
				a.add(attrMetadata+key, jsonvalue.Attribute(v))
			}
		case "ls_provider", "ls_model_type", "revision_id", "langgraph_node", "langgraph_step":
			a.add(attrMetadata+key, jsonvalue.Attribute(v))
		default:
			a.add("metadata."+key, jsonvalue.Attribute(v))
		}
	}
}

// noise are environment variables of the client, which name endpoints.
func noise(key string) bool {
	return strings.HasPrefix(key, "LANGSMITH_") || strings.HasPrefix(key, "LANGCHAIN_")
}

func (a *attributes) number(key string, v jsonvalue.Value) {
	if n, ok := jsonvalue.Count(v); ok {
		a.add(key, schema.Value{Kind: schema.KindInt, Int: n})
	} else if f, ok := jsonvalue.Number(v); ok {
		a.add(key, schema.Value{Kind: schema.KindDouble, Double: f})
	}
}

func (a *attributes) stop(v jsonvalue.Value) {
	var list []schema.Value
	for s := range jsonvalue.Elements(v) {
		if len(list) == maxElements {
			break
		}
		list = append(list, schema.Value{Kind: schema.KindString, Str: jsonvalue.Text(s)})
	}
	if len(list) == 0 {
		list = append(list, schema.Value{Kind: schema.KindString, Str: jsonvalue.Text(v)})
	}
	a.add("gen_ai.request.stop_sequences", schema.Value{Kind: schema.KindArray, Array: list})
}
