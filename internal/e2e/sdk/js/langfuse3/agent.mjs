// Langfuse 3: traces, observations and scores by hand, OpenAI's client wrapped, media.
import { Langfuse, LangfuseMedia, observeOpenAI } from "langfuse";
import OpenAI from "openai";
import { bookTrip, failingCall, getWeather, model, png, report, session, user, weatherTurn } from "../common.mjs";

const langfuse = new Langfuse();
const prompt = await langfuse.getPrompt("qa-short", undefined, { fallback: "Answer in a word.", maxRetries: 0 });
if (!prompt.isFallback) throw new Error("a prompt that is not there was found");

const traces = [];
for (const turn of [1, 2]) {
  const trace = langfuse.trace({
    name: "chat-turn", userId: user, sessionId: session, tags: ["demo", "turn-" + turn], metadata: { turn, tenant: "acme" },
    input: { question: "How is the weather in Oslo?" },
  });
  traces.push(trace.id);
  const agent = trace.span({ name: "agent", input: { turn } });

  const client = observeOpenAI(new OpenAI({ maxRetries: 0 }), { parent: agent, generationName: "ask" });
  const answer = await weatherTurn(client, async (args) => {
    const tool = agent.span({ name: "get_weather", input: args });
    const said = getWeather(args);
    tool.end({ output: said });
    return said;
  });
  if (turn === 2) {
    const tool = agent.span({ name: "book_trip", input: {} });
    try {
      bookTrip();
    } catch (err) {
      tool.end({ level: "ERROR", statusMessage: err.message });
    }
    await failingCall(client);
  }
  // One by hand, whose usage and costs the program knows itself.
  const generation = agent.generation({ name: "sum-up", model, modelParameters: { temperature: 0.2 }, input: answer });
  generation.end({
    output: "21 degrees",
    usageDetails: { input: 10, input_cached_tokens: 5, output: 3 },
    costDetails: { input: 0.001, output: 0.002, total: 0.003 },
  });
  agent.event({ name: "cache-miss", metadata: { key: "oslo" } });
  agent.update({ metadata: { picture: new LangfuseMedia({ contentBytes: png, contentType: "image/png" }) } });
  agent.end({ output: answer });
  trace.update({ output: answer });
  trace.score({ name: "helpful", value: 1, dataType: "BOOLEAN", comment: "yes" });
  agent.score({ name: "quality", value: 0.8 });
}
await langfuse.shutdownAsync();
report({ traces, billed: { input: 30, output: 6, cost: 0.006 } });
