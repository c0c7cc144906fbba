// Phoenix: spans of OpenInference by phoenix-otel, OpenAI's client instrumented, annotations by Phoenix' client.
import { OpenAIInstrumentation } from "@arizeai/openinference-instrumentation-openai";
import { createClient } from "@arizeai/phoenix-client";
import { addSpanAnnotation } from "@arizeai/phoenix-client/spans";
import { register, setSession, setUser, context, trace, traceAgent, traceTool } from "@arizeai/phoenix-otel";
import OpenAI from "openai";
import { bookTrip, failingCall, getWeather, report, session, user, weatherTurn } from "../common.mjs";

const provider = register({ projectName: "demo-agent", batch: true });
const instrumentation = new OpenAIInstrumentation({ tracerProvider: provider });
instrumentation.manuallyInstrument(OpenAI);
const openai = new OpenAI({ maxRetries: 0 });
const weather = traceTool(getWeather, { name: "get_weather" });
const book = traceTool(bookTrip, { name: "book_trip" });

const traces = [];
const spans = [];
for (const turn of [1, 2]) {
  const agent = traceAgent(
    async () => {
      const { traceId, spanId } = trace.getActiveSpan().spanContext();
      traces.push(traceId);
      spans.push(spanId);
      const answer = await weatherTurn(openai, weather);
      if (turn === 2) {
        try {
          book();
        } catch {
          // the span says so
        }
        await failingCall(openai);
      }
      return answer;
    },
    { name: "agent" },
  );
  await context.with(setUser(setSession(context.active(), { sessionId: session }), { userId: user }), () => agent("How is the weather in Oslo?"));
}
await provider.forceFlush();
const client = createClient();
for (const spanId of spans) {
  await addSpanAnnotation({
    client,
    spanAnnotation: { spanId, name: "helpful", annotatorKind: "HUMAN", label: "yes", score: 1, explanation: "yes", metadata: { reviewer: "r1" } },
    sync: true,
  });
}
await provider.shutdown();
report({ traces, billed: {} });
