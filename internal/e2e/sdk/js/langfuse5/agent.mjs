// Langfuse 5: the same program, but that attributes propagate, and OpenAI's client wrapped.
import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { observeOpenAI } from "@langfuse/openai";
import { propagateAttributes, startActiveObservation, startObservation } from "@langfuse/tracing";
import { NodeSDK } from "@opentelemetry/sdk-node";
import OpenAI from "openai";
import { bookTrip, failingCall, getWeather, model, png, report, session, user, weatherTurn } from "../common.mjs";

const processor = new LangfuseSpanProcessor();
const sdk = new NodeSDK({ spanProcessors: [processor] });
sdk.start();
const langfuse = new LangfuseClient();
const client = observeOpenAI(new OpenAI({ maxRetries: 0 }), { generationName: "ask" });

const traces = [];
for (const turn of [1, 2]) {
  const attributes = { traceName: "chat-turn", userId: user, sessionId: session, tags: ["demo", "turn-" + turn], metadata: { turn: String(turn), tenant: "acme" } };
  await propagateAttributes(attributes, () => startActiveObservation("agent", async (agent) => {
    traces.push(agent.traceId);
    agent.update({ input: { question: "How is the weather in Oslo?", picture: "data:image/png;base64," + png.toString("base64") } });
    const answer = await weatherTurn(client, async (args) => {
      const tool = startObservation("get_weather", { input: args }, { asType: "tool" });
      const said = getWeather(args);
      tool.update({ output: said }).end();
      return said;
    });
    if (turn === 2) {
      const broken = startObservation("book_trip", {}, { asType: "tool" });
      try {
        bookTrip();
      } catch (err) {
        broken.update({ level: "ERROR", statusMessage: err.message }).end();
      }
      await failingCall(client);
    }
    const sumUp = startObservation("sum-up", { model, modelParameters: { temperature: 0.2 }, input: answer }, { asType: "generation" });
    sumUp.update({
      output: "21 degrees", usageDetails: { input: 10, input_cached_tokens: 5, output: 3 },
      costDetails: { input: 0.001, output: 0.002, total: 0.003 },
    }).end();
    agent.update({ output: answer });
    langfuse.score.observation({ otelSpan: agent.otelSpan }, { name: "quality", value: 0.8 });
    langfuse.score.trace({ otelSpan: agent.otelSpan }, { name: "helpful", value: 1, dataType: "BOOLEAN", comment: "yes" });
  }, { asType: "agent" }));
}
await langfuse.flush();
await sdk.shutdown();
report({ traces, billed: { input: 30, output: 6, cost: 0.006 } });
