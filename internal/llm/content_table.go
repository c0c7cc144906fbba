package llm

// contentRow is a source of content: an attribute, or something that code reads.
type contentRow struct {
	key    string
	as     contentAs
	output bool
	read   func(*contentReader) Body // instead of key
}

// contentAs says what is known of a source.
type contentAs uint8

const (
	asSent         contentAs = iota // text or JSON: a list of messages is a conversation
	asQuoted                        // likewise, and a text may be in quotes, since the SDK writes all as JSON
	asConversation                  // likewise, and what surrounds messages is a request or a reply
)

func input(key string, as contentAs) contentRow  { return contentRow{key: key, as: as} }
func output(key string, as contentAs) contentRow { return contentRow{key: key, as: as, output: true} }

// inputRows and outputRows are the sources of content by precedence.
var inputRows = []contentRow{
	input("gen_ai.tool.call.arguments", asQuoted),
	input("ai.toolCall.args", asQuoted),
	input("tool_arguments", asQuoted),
	input(lf+"input", asSent),
	{read: semconvInput},
	{read: eventInput},
	input("ai.prompt.messages", asConversation),
	input("ai.prompt", asConversation),
	input("llm.input_messages", asConversation),
	input("gen_ai.prompt", asSent),
	input("traceloop.entity.input", asQuoted),
	input("input.value", asSent),
	input("gen_ai.retrieval.query.text", asSent),
	input("reranker.input_documents", asSent),
	// The AI SDK's embeddings.
	{read: vercelValues},
	input("ai.value", asQuoted),
	// Frameworks.
	input("pydantic_ai.all_messages", asConversation),
	{read: loggedInput},
	input("gcp.vertex.agent.tool_call_args", asQuoted),
	input("gcp.vertex.agent.llm_request", asConversation), // "{}" on tools
	input("genkit:input", asQuoted),
	input("mlflow.spanInputs", asQuoted),
	input("lk.chat_ctx", asConversation),
	input("lk.function_tool.arguments", asQuoted),
	input("lk.user_input", asSent),
	input("lk.input_text", asSent),
	input("lk.pii.chat_ctx", asConversation),
	input("lk.pii.function_tool.arguments", asQuoted),
	input("lk.pii.user_input", asSent),
	input("lk.pii.input_text", asSent),
	input("prompt", asSent),
	// A trace's own row has nothing else.
	input("langfuse.trace.input", asSent),
}

var outputRows = []contentRow{
	output("gen_ai.tool.call.result", asQuoted),
	output("ai.toolCall.result", asQuoted),
	output("tool_response", asQuoted),
	output(lf+"output", asSent),
	output("gen_ai.output.messages", asConversation),
	{read: eventOutput},
	{read: vercelResponse},
	output("ai.response.object", asQuoted),
	output("llm.output_messages", asConversation),
	output("gen_ai.completion", asSent),
	output("retrieval.documents", asSent),
	output("gen_ai.retrieval.documents", asSent),
	output("reranker.output_documents", asSent),
	output("traceloop.entity.output", asQuoted),
	output("output.value", asSent),
	// Frameworks.
	output("final_result", asQuoted),
	{read: loggedOutput},
	output("gcp.vertex.agent.tool_response", asQuoted),
	output("gcp.vertex.agent.llm_response", asConversation),
	output("genkit:output", asQuoted),
	output("mlflow.spanOutputs", asQuoted),
	output("lk.response.text", asSent),
	output("lk.function_tool.output", asQuoted),
	output("lk.user_transcript", asSent),
	output("lk.pii.response.text", asSent),
	output("lk.pii.function_tool.output", asQuoted),
	output("lk.pii.user_transcript", asSent),
	output("langfuse.trace.output", asSent),
}

var (
	traceInputRows  = []contentRow{input("langfuse.trace.input", asSent)}
	traceOutputRows = []contentRow{output("langfuse.trace.output", asSent)}
)

// Attributes that the code of rows reads.
const (
	srcInputMessages  = "gen_ai.input.messages"
	srcInstructions   = "gen_ai.system_instructions"
	srcResponseText   = "ai.response.text"
	srcResponseCalls  = "ai.response.toolCalls"
	srcReasoning      = "ai.response.reasoning"
	srcResponseFinish = "ai.response.finishReason"
	srcValues         = "ai.values"
	srcEvents         = "events"
	srcAllEvents      = "all_messages_events"
)

// contentKeys are all keys that content is read from.
var contentKeys = keysOfContent()

func keysOfContent() map[string]bool {
	keys := map[string]bool{
		srcInputMessages: true, srcInstructions: true, srcResponseText: true, srcResponseCalls: true, srcReasoning: true,
		srcResponseFinish: true, srcValues: true, srcEvents: true, srcAllEvents: true,
	}
	for _, rows := range [...][]contentRow{inputRows, outputRows} {
		for i := range rows {
			if rows[i].read == nil {
				keys[rows[i].key] = true
			}
		}
	}
	return keys
}
