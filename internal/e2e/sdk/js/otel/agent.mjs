// OpenTelemetry's SDK and its instrumentation of OpenAI's client, over whichever protocol OTEL_EXPORTER_OTLP_PROTOCOL says.
import { createRequire } from "node:module";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import { OpenAIInstrumentation } from "@opentelemetry/instrumentation-openai";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { bookTrip, failingCall, getWeather, report, session, user, weatherTurn } from "../common.mjs";

const sdk = new NodeSDK({ instrumentations: [new OpenAIInstrumentation()] });
sdk.start();
// What is loaded by require is what the instrumentation sees.
const { default: OpenAI } = createRequire(import.meta.url)("openai");
const openai = new OpenAI({ maxRetries: 0 });
const tracer = trace.getTracer("demo", "1.2.3");

const traces = [];
for (const turn of [1, 2]) {
  const attributes = { "session.id": session, "user.id": user, "gen_ai.operation.name": "invoke_agent", turn, "demo.tags": ["a", "b"], "demo.ratio": 0.5 };
  await tracer.startActiveSpan("agent", { attributes }, async (agent) => {
    traces.push(agent.spanContext().traceId);
    await weatherTurn(openai, async (args) =>
      tracer.startActiveSpan("get_weather", { attributes: { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather" } }, (tool) => {
        const said = getWeather(args);
        tool.end();
        return said;
      }),
    );
    if (turn === 2) {
      tracer.startActiveSpan("book_trip", { links: [{ context: agent.spanContext(), attributes: { why: "asked" } }] }, (tool) => {
        try {
          bookTrip();
        } catch (err) {
          tool.recordException(err);
          tool.setStatus({ code: SpanStatusCode.ERROR, message: err.message });
        }
        tool.end();
      });
      await failingCall(openai);
    }
    agent.end();
  });
}
await sdk.shutdown();
report({ traces, billed: {} });
