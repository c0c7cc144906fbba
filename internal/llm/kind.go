package llm

import (
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// Kinds of spans, the values of spanlake.kind.
const (
	kindLLM       = "llm"
	kindEmbedding = "embedding"
	kindAgent     = "agent"
	kindTool      = "tool"
	kindChain     = "chain"
	kindRetriever = "retriever"
	kindReranker  = "reranker"
	kindGuardrail = "guardrail"
	kindEvaluator = "evaluator"
	kindPrompt    = "prompt"
	kindEvent     = "event"
	kindSpan      = "span"
)

// namedKind is a kind by the names that SDKs have for it, "" if it is none of
// them.
func namedKind(name string) string {
	switch name = strings.ToLower(name); name {
	case kindLLM, kindEmbedding, kindAgent, kindTool, kindChain, kindRetriever, kindReranker, kindGuardrail, kindEvaluator,
		kindPrompt, kindEvent, kindSpan:
		return name
	case "generation", "chat_model", "chat", "text_completion", "completion", "generate_content", "generate", "model":
		return kindLLM
	case "embeddings", "embedder":
		return kindEmbedding
	case "invoke_agent", "create_agent":
		return kindAgent
	case "execute_tool":
		return kindTool
	case "retrieval":
		return kindRetriever
	case "agent_step", "workflow", "plan", "task", "parser", "flow":
		return kindChain
	}
	return ""
}

// kind is what the span is: what an adapter of a protocol has said, then the first
// of what SDKs say.
func (n *Normalizer) kind() string {
	if k := n.text(keyKind); k != "" {
		return k
	}
	if k := namedKind(n.text(srcLangfuseType)); k != "" {
		if k == kindSpan && (n.has(lf+"model.name") || n.langfuseUsage() || n.has(lf+"cost_details.total")) {
			return kindLLM // as older Python SDKs call generations
		}
		return k
	}
	for _, key := range [...]string{srcOpenInference, srcLangSmithKind, keyOperation, srcTraceloopKind} {
		if k := namedKind(n.text(key)); k != "" {
			return k
		}
	}
	if id := n.text(srcOperationID); strings.HasPrefix(id, "ai.") {
		return vercelKind(id)
	}
	for _, key := range [...]string{srcGenkitKind, srcMLflowType, srcRequestType} {
		if k := namedKind(n.text(key)); k != "" {
			return k
		}
	}
	if n.has(srcToolName) || n.has(srcLiveKitTool) {
		return kindTool
	}
	if n.hasAny(keyRequestModel, keyResponseModel, "llm.model_name", "ai.model.id", "llm.response.model_name", "llm.request.model_name") {
		return kindLLM
	}
	return kindSpan
}

// vercelKind is the kind of an operation of the AI SDK. Those that wrap calls are
// chains: whether there are tools among them only their children say.
func vercelKind(id string) string {
	switch {
	case strings.HasSuffix(id, ".doGenerate"), strings.HasSuffix(id, ".doStream"):
		return kindLLM
	case strings.HasSuffix(id, ".doEmbed"):
		return kindEmbedding
	case id == "ai.toolCall":
		return kindTool
	}
	return kindChain
}

// operation is gen_ai.operation.name of a kind, "" if it has none.
func operation(kind string) string {
	switch kind {
	case kindLLM:
		return "chat"
	case kindEmbedding:
		return "embeddings"
	case kindTool:
		return "execute_tool"
	case kindAgent:
		return "invoke_agent"
	case kindRetriever:
		return "retrieval"
	}
	return ""
}

// usageClass is the class of usage that a span reports: of a call if it makes
// one, else of all that is below it. A span of another kind that names a model,
// such as a judge, makes a call.
func (n *Normalizer) usageClass(kind string) string {
	wraps := kind == kindAgent || kind == kindChain
	switch n.text(keyOperation) {
	case "invoke_agent", "agent_step", "create_agent", "workflow":
		wraps = true
	}
	if id := n.text(srcOperationID); strings.HasPrefix(id, "ai.") && strings.Count(id, ".") == 1 {
		wraps = true // generateText and the like; what calls a model is ….doGenerate
	}
	switch {
	case wraps:
		return schema.UsageAggregate
	case kind == kindLLM:
		return schema.UsageLLM
	case kind == kindEmbedding:
		return schema.UsageEmbedding
	case n.model(keyRequestModel) != "" || n.model(keyResponseModel) != "":
		return schema.UsageLLM
	}
	return schema.UsageAggregate
}
