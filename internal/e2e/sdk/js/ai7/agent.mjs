// AI SDK 7 with its integration for OpenTelemetry: names of the GenAI conventions, or with the argument legacy those named ai.*.
import { LegacyOpenTelemetry, OpenTelemetry } from "@ai-sdk/otel";
import * as api from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import * as ai from "ai";
import { MockEmbeddingModelV4, MockLanguageModelV4, simulateReadableStream } from "ai/test";
import { z } from "zod";
import { models, run } from "../ai.mjs";

const sdk = new NodeSDK();
sdk.start();
// After the SDK has begun: it takes a tracer at once.
ai.registerTelemetry(process.argv[2] === "legacy" ? new LegacyOpenTelemetry() : new OpenTelemetry());

await run({
  sdk, api, ai,
  ...models({ Language: MockLanguageModelV4, Embedding: MockEmbeddingModelV4, simulateReadableStream }),
  tool: (execute) => ai.tool({ inputSchema: z.object({ city: z.string() }), execute: async (args) => execute(args) }),
  several: { stopWhen: ai.stepCountIs(3) },
  telemetry: (functionId, turn) => ({ telemetry: { functionId, includeRuntimeContext: { turn: true } }, runtimeContext: { turn } }),
});
