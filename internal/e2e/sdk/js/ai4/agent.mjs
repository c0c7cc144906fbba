// AI SDK 4, spans named ai.*.
import * as api from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import * as ai from "ai";
import { MockEmbeddingModelV1, MockLanguageModelV1, simulateReadableStream } from "ai/test";
import { z } from "zod";
import { answers, embedding, input, output, response, run } from "../ai.mjs";

const usage = { promptTokens: input, completionTokens: output };
const rawCall = { rawPrompt: null, rawSettings: {} };

const sdk = new NodeSDK();
sdk.start();

await run({
  sdk, api, ai,
  chat: new MockLanguageModelV1({
    provider: "openai.chat", modelId: "gpt-4o-mini",
    doGenerate: async ({ prompt }) => {
      const [part] = answers(prompt).content;
      return part.type === "text"
        ? { text: part.text, finishReason: "stop", usage, response, rawCall }
        : { toolCalls: [{ toolCallType: "function", toolCallId: part.toolCallId, toolName: part.toolName, args: part.input }], finishReason: "tool-calls", usage, response, rawCall };
    },
    doStream: async () => ({
      rawCall,
      stream: simulateReadableStream({
        chunks: [
          { type: "response-metadata", ...response },
          { type: "text-delta", textDelta: "It is 21 degrees " },
          { type: "text-delta", textDelta: "in Oslo." },
          { type: "finish", finishReason: "stop", usage },
        ],
      }),
    }),
  }),
  broken: new MockLanguageModelV1({ provider: "openai.chat", modelId: "broken", doGenerate: async () => { throw new Error("model not found"); } }),
  embedding: new MockEmbeddingModelV1({
    provider: "openai.embedding", modelId: "text-embedding-3-small", maxEmbeddingsPerCall: 1,
    doEmbed: async ({ values }) => ({ embeddings: values.map(() => [0.1, 0.2]), usage: { tokens: embedding } }),
  }),
  tool: (execute) => ai.tool({ parameters: z.object({ city: z.string() }), execute: async (args) => execute(args) }),
  several: { maxSteps: 3 },
  telemetry: (functionId, turn) => ({ experimental_telemetry: { isEnabled: true, functionId, metadata: { sessionId: "sess-42", turn, tags: ["demo"] } } }),
});
