// AI SDK 6, spans named ai.*.
import * as api from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import * as ai from "ai";
import { MockEmbeddingModelV3, MockLanguageModelV3, simulateReadableStream } from "ai/test";
import { z } from "zod";
import { models, run } from "../ai.mjs";

const sdk = new NodeSDK();
sdk.start();

await run({
  sdk, api, ai,
  ...models({ Language: MockLanguageModelV3, Embedding: MockEmbeddingModelV3, simulateReadableStream }),
  tool: (execute) => ai.tool({ inputSchema: z.object({ city: z.string() }), execute: async (args) => execute(args) }),
  several: { stopWhen: ai.stepCountIs(3) },
  telemetry: (functionId, turn) => ({ experimental_telemetry: { isEnabled: true, functionId, metadata: { sessionId: "sess-42", turn, tags: ["demo"] } } }),
});
