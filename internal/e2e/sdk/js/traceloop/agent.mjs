// Traceloop (OpenLLMetry): a workflow with an agent, a task and tools, OpenAI's client instrumented.
import * as traceloop from "@traceloop/node-server-sdk";
import OpenAI from "openai";
import { trace } from "@opentelemetry/api";
import { bookTrip, failingCall, getWeather, report, session, user, weatherTurn } from "../common.mjs";

traceloop.initialize({ appName: "demo-agent", instrumentModules: { openAI: OpenAI }, silenceInitializationMessage: true, tracingEnabled: true });
const openai = new OpenAI({ maxRetries: 0 });

const traces = [];
for (const turn of [1, 2]) {
  await traceloop.withAssociationProperties({ session_id: session, user_id: user, tenant: "acme" }, () =>
    traceloop.withWorkflow({ name: "chat-turn" }, () =>
      traceloop.withAgent({ name: "agent" }, async () => {
        traces.push(trace.getActiveSpan().spanContext().traceId);
        const answer = await weatherTurn(openai, (args) => traceloop.withTool({ name: "get_weather" }, async () => getWeather(args), args));
        if (turn === 2) {
          await traceloop.withTool({ name: "book_trip" }, async () => bookTrip()).catch(() => {});
          await failingCall(openai);
        }
        return answer;
      }),
    ),
  );
}
await traceloop.forceFlush();
report({ traces, billed: {} });
