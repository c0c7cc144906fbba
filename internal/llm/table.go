package llm

// rule says from which attributes a canonical one is made: the first of the
// sources that is there and can be brought into the form. The canonical key
// itself is the first source unless it is listed.
//
// A source is a key, of an attribute or of a member of one that holds JSON
// (jsonKeys); behind it may stand "?kind", for spans of that kind only. nameOf
// is the name of the span.
type rule struct {
	to   string
	form form
	from []string
}

// nameOf as a source is the span's name.
const nameOf = "\x00name"

// Prefixes that many sources have.
const (
	lf       = "langfuse.observation."
	lsUsage  = "langsmith.usage_metadata."
	provMeta = "ai.response.providerMetadata."
	aiMeta   = "ai.telemetry.metadata."
	tlProps  = "traceloop.association.properties."
	lsMeta   = "langsmith.metadata."
	genIn    = "gen_ai.usage.input_token_details."
	genOut   = "gen_ai.usage.output_token_details."
	mlUsage  = "mlflow.chat.tokenUsage."
	gkUsage  = "genkit:output.usage."
)

// rules are the rows of the table that need no code of their own, in the order
// in which attributes are derived.
func rules() []rule {
	return []rule{
		{keyProvider, formProvider, []string{
			"gen_ai.system", "llm.provider", "llm.system", lsMeta + "ls_provider", "metadata.ls_provider",
			"ai.model.provider", lf + "metadata.provider", "mlflow.llm.provider",
		}},
		{keyRequestModel, formText, []string{
			lf + "model.name", "ai.model.id", "llm.request.model_name", "llm.model_name", lsMeta + "ls_model_name",
			"metadata.ls_model_name", "embedding.model_name", "reranker.model_name", "mlflow.llm.model", "genkit:name?llm", "genkit:name?embedding", "model",
		}},
		{keyResponseModel, formText, []string{"ai.response.model", "llm.response.model_name", "llm.response.model"}},
		{"session.id", formText, []string{
			"langfuse.session.id", "gen_ai.conversation.id", lf + "metadata.langfuse_session_id", "metadata.langfuse_session_id",
			aiMeta + "sessionId", tlProps + "session_id", tlProps + "chat_id", tlProps + "conversation_id",
			lsMeta + "session_id", lsMeta + "thread_id", lsMeta + "conversation_id",
			"metadata.session_id", "metadata.thread_id", "metadata.conversation_id", "litellm.metadata.session_id",
			"gcp.vertex.agent.session_id",
		}},
		{"user.id", formText, []string{
			"langfuse.user.id", "enduser.id", lf + "metadata.langfuse_user_id", "metadata.langfuse_user_id", aiMeta + "userId",
			tlProps + "user_id", lsMeta + "user_id", "metadata.user_id", "litellm.end_user.id",
		}},
		{keyTags, formList, []string{
			"langfuse.trace.tags", "langfuse.tags", "tag.tags", aiMeta + "tags", "langsmith.span.tags",
			lf + "metadata.langfuse_tags", "metadata.langfuse_tags",
		}},
		{"gen_ai.prompt.name", formText, []string{
			lf + "prompt.name", "langfuse.prompt.name", aiMeta + "langfusePrompt.name", "prompt.id",
			lsMeta + "lc_hub_repo", "metadata.lc_hub_repo",
		}},
		{"gen_ai.prompt.version", formText, []string{
			lf + "prompt.version", "langfuse.prompt.version", aiMeta + "langfusePrompt.version", "llm.prompt_template.version",
			lsMeta + "lc_hub_commit_hash", "metadata.lc_hub_commit_hash",
		}},
		{"gen_ai.agent.name", formText, []string{
			"agent.name", "ai.telemetry.functionId?agent", "traceloop.entity.name?agent",
			lsMeta + "langgraph_node?agent", "metadata.langgraph_node?agent",
		}},
		{"gen_ai.tool.name", formText, []string{"tool.name", "ai.toolCall.name", "traceloop.entity.name?tool", srcLiveKitTool, "genkit:name?tool", nameOf + "?tool"}},
		{"gen_ai.tool.call.id", formText, []string{"ai.toolCall.id", "tool.id", "lk.function_tool.id"}},
		{keyFirstChunk, formAmount, []string{"gen_ai.client.operation.time_to_first_chunk", "ai.response.msToFirstChunk", "lk.response.ttft"}},
		{keyFinish, formFinish, []string{
			"llm.finish_reason", "ai.response.finishReason", "gen_ai.finishReason", srcCompletionFinish,
		}},
		{environmentName, formText, []string{"langfuse.environment", environmentName}},
		{"spanlake.version", formText, []string{"langfuse.version", "langfuse.release"}},
	}
}

// Token counts, by what they count. Those of Langfuse's usage_details come
// before all of them (usage.go).
func usageRules() [numCounts]rule {
	return [numCounts]rule{
		countInput: {"gen_ai.usage.input_tokens", formCount, []string{
			"ai.usage.inputTokens", "ai.usage.promptTokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
			lsUsage + "input_tokens", "llm.usage.prompt_tokens", "ai.usage.tokens", mlUsage + "input_tokens", gkUsage + "inputTokens",
		}},
		countOutput: {"gen_ai.usage.output_tokens", formCount, []string{
			"ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
			lsUsage + "output_tokens", "llm.usage.completion_tokens", mlUsage + "output_tokens", gkUsage + "outputTokens",
		}},
		countTotal: {"gen_ai.usage.total_tokens", formCount, []string{
			"llm.token_count.total", "ai.usage.totalTokens", lsUsage + "total_tokens", "llm.usage.total_tokens",
			mlUsage + "total_tokens", gkUsage + "totalTokens",
		}},
		countCacheRead: {"gen_ai.usage.cache_read.input_tokens", formCount, []string{
			"gen_ai.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read",
			"ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens",
			lsUsage + "input_token_details.cache_read", genIn + "cache_read", "gen_ai.usage.details.cache_read_tokens",
			provMeta + "openai.cachedPromptTokens", provMeta + "anthropic.cacheReadInputTokens",
			provMeta + "anthropic.usage.cache_read_input_tokens", provMeta + "bedrock.usage.cacheReadInputTokens",
			mlUsage + "cache_read_input_tokens", gkUsage + "cachedContentTokens",
		}},
		countCacheWrite: {"gen_ai.usage.cache_creation.input_tokens", formCount, []string{
			"gen_ai.usage.cache_creation_input_tokens", "llm.token_count.prompt_details.cache_write",
			"ai.usage.inputTokenDetails.cacheWriteTokens", lsUsage + "input_token_details.cache_creation", genIn + "cache_creation",
			"gen_ai.usage.details.cache_write_tokens", provMeta + "anthropic.cacheCreationInputTokens",
			provMeta + "anthropic.usage.cache_creation_input_tokens", provMeta + "bedrock.usage.cacheWriteInputTokens",
		}},
		countCacheWrite5m: {"gen_ai.usage.cache_creation.5m.input_tokens", formCount, []string{
			lsUsage + "input_token_details.ephemeral_5m_input_tokens", genIn + "ephemeral_5m_input_tokens",
			provMeta + "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
		}},
		countCacheWrite1h: {"gen_ai.usage.cache_creation.1h.input_tokens", formCount, []string{
			lsUsage + "input_token_details.ephemeral_1h_input_tokens", genIn + "ephemeral_1h_input_tokens",
			provMeta + "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
		}},
		countReasoning: {"gen_ai.usage.reasoning.output_tokens", formCount, []string{
			"gen_ai.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning",
			"ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens",
			lsUsage + "output_token_details.reasoning", genOut + "reasoning", "gen_ai.usage.details.reasoning_tokens",
			provMeta + "openai.reasoningTokens", gkUsage + "thoughtsTokens",
		}},
		countAudioInput: {"gen_ai.usage.audio.input_tokens", formCount, []string{
			"llm.token_count.prompt_details.audio", lsUsage + "input_token_details.audio", genIn + "audio",
			"gen_ai.usage.details.input_audio_tokens",
		}},
		countAudioOutput: {"gen_ai.usage.audio.output_tokens", formCount, []string{
			"llm.token_count.completion_details.audio", lsUsage + "output_token_details.audio", genOut + "audio",
			"gen_ai.usage.details.output_audio_tokens",
		}},
	}
}

// costRules are what a client says a call has cost, in dollars.
func costRules() [numCosts]rule {
	return [numCosts]rule{
		costTotal: {keyCost, formAmount, []string{
			lf + "cost_details.total", keyCost, "gen_ai.usage.cost.amount", "llm.cost.total", "litellm.cost.total", lsUsage + "total_cost",
			"mlflow.llm.cost.total_cost",
		}},
		costInput:  {keyCostInput, formAmount, []string{lf + "cost_details.input", keyCostInput, "llm.cost.prompt", lsUsage + "input_cost"}},
		costOutput: {keyCostOutput, formAmount, []string{lf + "cost_details.output", keyCostOutput, "llm.cost.completion", lsUsage + "output_cost"}},
	}
}

// srcCompletionFinish is a part of a list, or was one (apply.go).
const srcCompletionFinish = "gen_ai.completion.0.finish_reason"

// Other attributes that code reads by name.
const (
	srcLevel          = lf + "level"
	srcLangfuseType   = lf + "type"
	srcOpenInference  = "openinference.span.kind"
	srcLangSmithKind  = "langsmith.span.kind"
	srcTraceloopKind  = "traceloop.span.kind"
	srcOperationID    = "ai.operationId"
	srcGenkitKind     = "genkit:metadata:subtype"
	srcMLflowType     = "mlflow.spanType"
	srcLiveKitTool    = "lk.function_tool.name"
	srcRequestType    = "llm.request.type"
	srcToolName       = "gen_ai.tool.name"
	srcFirstChunk     = lf + "completion_start_time"
	srcCompletion     = "gen_ai.completion"
	srcCostCurrency   = "gen_ai.usage.cost.currency"
	srcUncachedInput  = "ai.usage.inputTokenDetails.noCacheTokens"
	srcMillisecs      = "ai.response.msToFirstChunk"
	prefixUsageDetail = lf + "usage_details."
)

// serviceTiers are where a call says at which tier it was served, speeds at
// which speed.
func serviceTiers() []string {
	return []string{
		"gen_ai.response.service_tier", "openai.response.service_tier", "gen_ai.openai.response.service_tier",
		"gen_ai.request.service_tier", "openai.request.service_tier", "gen_ai.openai.request.service_tier",
		lf + "model.parameters.service_tier", "llm.invocation_parameters.service_tier",
		provMeta + "openai.serviceTier",
	}
}

func speeds() []string {
	return []string{"gen_ai.request.speed", lf + "model.parameters.speed", "llm.invocation_parameters.speed"}
}

// jsonKeys are attributes that hold a JSON object as text, whose members are
// read like attributes whose keys continue this one's.
func jsonKeys() []string {
	return []string{
		lf + "usage_details", lf + "cost_details", "langsmith.usage_metadata", "ai.response.providerMetadata",
		aiMeta + "langfusePrompt", "gen_ai.usage.input_token_details", "gen_ai.usage.output_token_details",
		"mlflow.chat.tokenUsage", "mlflow.llm.cost", "genkit:output",
	}
}

// families are prefixes of keys whose rest is a key of metadata, and
// wholeFamilies keys that hold all of it as a JSON object.
func families() []string {
	return []string{
		"langfuse.trace.metadata.", lf + "metadata.", aiMeta, tlProps, lsMeta, "litellm.metadata.",
	}
}

func wholeFamilies() []string {
	return []string{"metadata", "langfuse.trace.metadata", lf + "metadata"}
}

// parameters are where the parameters of a request stand: JSON objects, and
// prefixes of keys.
func parameters() (objects, prefixes []string) {
	return []string{lf + "model.parameters", "llm.invocation_parameters"}, []string{"ai.settings."}
}
