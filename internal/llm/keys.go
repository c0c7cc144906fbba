package llm

import "strings"

// interest says what a key can mean.
type interest uint8

const (
	interestNone   interest = iota
	interestKnown           // means something if the span is about models
	interestMarker          // and says that it is
)

// interestOf decides by the beginning of a key: spans that are not about models
// are passed over at the cost of reading their keys. Generic keys, such as
// session.id, mean something only beside others.
func interestOf(key string) interest {
	if len(key) < 4 {
		return interestNone
	}
	switch key[0] {
	case 'g':
		return markerIf(strings.HasPrefix(key, "gen_ai.") || strings.HasPrefix(key, "genkit:") || strings.HasPrefix(key, "gcp.vertex.agent."))
	case 'l':
		return markerIf(strings.HasPrefix(key, "llm.") || strings.HasPrefix(key, "langfuse.") ||
			strings.HasPrefix(key, "langsmith.") || strings.HasPrefix(key, "litellm.") || strings.HasPrefix(key, "lk."))
	case 'o':
		return either(strings.HasPrefix(key, "openinference."), strings.HasPrefix(key, "output.") || strings.HasPrefix(key, "openai."))
	case 'a':
		return either(strings.HasPrefix(key, "ai."), key == "agent.name")
	case 't':
		return either(strings.HasPrefix(key, "traceloop."), strings.HasPrefix(key, "tool.") || key == "tag.tags")
	case 'm':
		return either(strings.HasPrefix(key, "mlflow."), strings.HasPrefix(key, "metadata") || key == "model")
	case 's':
		return knownIf(key == "session.id" || strings.HasPrefix(key, "spanlake."))
	case 'u':
		return knownIf(key == "user.id")
	case 'e':
		return knownIf(strings.HasPrefix(key, "embedding.") || key == "enduser.id")
	case 'r':
		return knownIf(strings.HasPrefix(key, "reranker.") || strings.HasPrefix(key, "retrieval.documents."))
	case 'p':
		return either(strings.HasPrefix(key, "pydantic_ai."), strings.HasPrefix(key, "prompt."))
	case 'd':
		return knownIf(key == environmentName)
	}
	return interestNone
}

func markerIf(yes bool) interest {
	if yes {
		return interestMarker
	}
	return interestNone
}

func knownIf(yes bool) interest {
	if yes {
		return interestKnown
	}
	return interestNone
}

func either(marker, known bool) interest {
	if marker {
		return interestMarker
	}
	return knownIf(known)
}

// Canonical keys that the code of this package names.
const (
	keyKind          = "spanlake.kind"
	keyOperation     = "gen_ai.operation.name"
	keyProvider      = "gen_ai.provider.name"
	keyRequestModel  = "gen_ai.request.model"
	keyResponseModel = "gen_ai.response.model"
	keyFirstChunk    = "gen_ai.response.time_to_first_chunk"
	keyFinish        = "gen_ai.response.finish_reasons"
	keyLevel         = "spanlake.level"
	keyTags          = "spanlake.tags"
	keyCost          = "gen_ai.usage.cost"
	keyCostInput     = "gen_ai.usage.cost.input"
	keyCostOutput    = "gen_ai.usage.cost.output"
	keyCostSource    = "spanlake.cost.source"
	keyCostTable     = "spanlake.cost.table"
	environmentName  = "deployment.environment.name"
)
