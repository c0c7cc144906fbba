// What the programs for the AI SDK share: an agent of two turns with mock models, each call of which is billed the same.
import { getWeather, report, session, user } from "./common.mjs";

export const input = 42;
export const output = 17;
export const embedding = 9;

// The usage of one call, as models of version 3 and 4 of the interface tell it.
export const usage = {
  inputTokens: { total: input, noCache: 26, cacheRead: 16, cacheWrite: 0 },
  outputTokens: { total: output, text: 12, reasoning: 5 },
};

// What these models answer: first that a tool is to be called, after that a text.
export function answers(prompt) {
  return prompt.some((message) => message.role === "tool")
    ? { finishReason: { unified: "stop", raw: "stop" }, content: [{ type: "text", text: "It is 21 degrees in Oslo." }] }
    : {
        finishReason: { unified: "tool-calls", raw: "tool_calls" },
        content: [{ type: "tool-call", toolCallId: "call_1", toolName: "get_weather", input: '{"city":"Oslo"}' }],
      };
}

export const response = { id: "chatcmpl-1", modelId: "gpt-4o-mini-2024-07-18", timestamp: new Date() };

// Models of version 3 and 4: a class of ai/test and what makes a stream of parts.
export function models({ Language, Embedding, simulateReadableStream }) {
  return {
    chat: new Language({
      provider: "openai.chat", modelId: "gpt-4o-mini",
      doGenerate: async ({ prompt }) => ({ ...answers(prompt), usage, response, warnings: [] }),
      doStream: async () => ({
        stream: simulateReadableStream({
          chunks: [
            { type: "stream-start", warnings: [] },
            { type: "response-metadata", ...response },
            { type: "text-start", id: "1" },
            { type: "text-delta", id: "1", delta: "It is 21 degrees " },
            { type: "text-delta", id: "1", delta: "in Oslo." },
            { type: "text-end", id: "1" },
            { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage },
          ],
        }),
      }),
    }),
    broken: new Language({ provider: "openai.chat", modelId: "broken", doGenerate: async () => { throw new Error("model not found"); } }),
    embedding: new Embedding({
      provider: "openai.embedding", modelId: "text-embedding-3-small", maxEmbeddingsPerCall: 1,
      doEmbed: async ({ values }) => ({ embeddings: values.map(() => [0.1, 0.2]), usage: { tokens: embedding }, warnings: [] }),
    }),
  };
}

// Runs the agent. sdk is OpenTelemetry's, which has begun, with its api, tool makes a tool of the SDK's version, several lets a call take several steps, telemetry is what each call is told.
export async function run({ sdk, api, ai, chat, broken, embedding: embeddings, tool, several, telemetry }) {
  const tracer = api.trace.getTracer("demo");
  const tools = { get_weather: tool(getWeather) };
  const traces = [];
  for (const turn of [1, 2]) {
    await tracer.startActiveSpan("agent", { attributes: { "session.id": session, "user.id": user } }, async (span) => {
      traces.push(span.spanContext().traceId);
      const weather = await ai.generateText({ model: chat, tools, ...several, prompt: "How is the weather in Oslo?", ...telemetry("weather", turn) });
      if (weather.text !== "It is 21 degrees in Oslo.") throw new Error("the model said: " + weather.text);
      const stream = ai.streamText({ model: chat, prompt: "And now?", ...telemetry("stream", turn) });
      let text = "";
      for await (const delta of stream.textStream) text += delta;
      if (text !== "It is 21 degrees in Oslo.") throw new Error("the stream said: " + text);
      await ai.embedMany({ model: embeddings, values: ["Oslo", "Bergen"], ...telemetry("embed", turn) });
      if (turn === 2) {
        await ai.generateText({ model: broken, maxRetries: 0, prompt: "hello?", ...telemetry("broken", turn) }).then(
          () => { throw new Error("a call of an unknown model succeeded"); },
          () => {},
        );
        tracer.startActiveSpan("book_trip", (failing) => {
          failing.setStatus({ code: api.SpanStatusCode.ERROR, message: "no seats left" });
          failing.end();
        });
      }
      span.end();
    });
  }
  await sdk.shutdown();
  report({ traces, billed: { input: 2 * 3 * input, output: 2 * 3 * output, embedding: 2 * 2 * embedding } });
}
