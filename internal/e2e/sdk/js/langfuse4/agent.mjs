// Langfuse 4: observations as spans of OpenTelemetry, what is of the trace by updating it, scores by the client.
import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { startActiveObservation, startObservation, updateActiveTrace } from "@langfuse/tracing";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { bookTrip, getWeather, model, png, report, session, user } from "../common.mjs";

const processor = new LangfuseSpanProcessor();
const sdk = new NodeSDK({ spanProcessors: [processor] });
sdk.start();
const langfuse = new LangfuseClient();

const traces = [];
for (const turn of [1, 2]) {
  await startActiveObservation("agent", async (agent) => {
    traces.push(agent.traceId);
    updateActiveTrace({ name: "chat-turn", userId: user, sessionId: session, tags: ["demo", "turn-" + turn], metadata: { turn, tenant: "acme" } });
    agent.update({ input: { question: "How is the weather in Oslo?", picture: "data:image/png;base64," + png.toString("base64") } });
    const ask = startObservation("ask", { model, modelParameters: { temperature: 0.2 }, input: [{ role: "user", content: "Oslo?" }] }, { asType: "generation" });
    ask.update({
      output: { role: "assistant", content: "It is 21 degrees in Oslo." }, completionStartTime: new Date(),
      usageDetails: { input: 26, input_cached_tokens: 16, output: 12, output_reasoning_tokens: 5, total: 59 },
      costDetails: { input: 0.001, output: 0.002, total: 0.003 },
    });
    ask.end();
    const tool = startObservation("get_weather", { input: { city: "Oslo" } }, { asType: "tool" });
    tool.update({ output: getWeather({ city: "Oslo" }) }).end();
    if (turn === 2) {
      const broken = startObservation("book_trip", {}, { asType: "tool" });
      try {
        bookTrip();
      } catch (err) {
        broken.update({ level: "ERROR", statusMessage: err.message }).end();
      }
    }
    agent.update({ output: "21 degrees" });
    langfuse.score.observation({ otelSpan: agent.otelSpan }, { name: "quality", value: 0.8 });
    langfuse.score.trace({ otelSpan: agent.otelSpan }, { name: "helpful", value: 1, dataType: "BOOLEAN", comment: "yes" });
  }, { asType: "agent" });
}
await langfuse.flush();
await sdk.shutdown();
report({ traces, billed: { input: 84, output: 34, cost: 0.006 } });
