// LangSmith: a traced agent, OpenAI's client wrapped, feedback. Whether its runs go in parts, in batches or by OpenTelemetry the
// environment says, or what the server answers to /info; with the argument single each by itself.
import { trace } from "@opentelemetry/api";
import { Client } from "langsmith";
import { getCurrentRunTree, traceable } from "langsmith/traceable";
import { wrapOpenAI } from "langsmith/wrappers";
import OpenAI from "openai";
import { bookTrip, failingCall, getWeather, report, session, user, weatherTurn } from "../common.mjs";

const client = new Client({ autoBatchTracing: process.argv[2] !== "single" });
const otel = process.env.LANGSMITH_OTEL_ENABLED === "true" ? (await import("langsmith/experimental/otel/setup")).initializeOTEL() : undefined;
const openai = wrapOpenAI(new OpenAI({ maxRetries: 0 }), { client });
const weather = traceable(async (args) => getWeather(args), { name: "get_weather", run_type: "tool", client });
const book = traceable(async () => bookTrip(), { name: "book_trip", run_type: "tool", client });

const traces = [];
const runs = [];
for (const turn of [1, 2]) {
  const agent = traceable(
    async () => {
      const run = getCurrentRunTree();
      traces.push(otel ? trace.getActiveSpan().spanContext().traceId : run.trace_id);
      runs.push(run.id);
      // In this mode the SDK writes a streamed call onto the span around it, instead of its own.
      const answer = await weatherTurn(openai, weather, !otel);
      if (turn === 2) {
        await book({}).catch(() => {});
        await failingCall(openai);
      }
      return { answer };
    },
    { name: "agent", client, tags: ["demo", "turn-" + turn], metadata: { session_id: session, user_id: user, turn, tenant: "acme" } },
  );
  await agent({ question: "How is the weather in Oslo?" });
}
await client.awaitPendingTraceBatches();
if (otel) {
  await otel.DEFAULT_LANGSMITH_SPAN_PROCESSOR.shutdown();
} else {
  for (const id of runs) {
    await client.createFeedback(id, "helpful", { score: 1, comment: "yes" });
    await client.createFeedback(id, "tone", { value: "formal" });
  }
}
report({ traces, billed: {} });
