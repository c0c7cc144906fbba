// What the programs share: the agent's tools and questions, and how a program tells the test what it did.
import { readFileSync } from "node:fs";

export const session = "sess-42";
export const user = "user-7";
export const model = "gpt-4o-mini";

// A tool that works, and one that does not.
export function getWeather({ city }) {
  return { city, celsius: 21, sky: "clear" };
}
export function bookTrip() {
  throw new Error("no seats left");
}

export const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

// The smallest PNG there is.
export const png = readFileSync(new URL("picture.png", import.meta.url));

// Told in the last line that a program prints.
export function report(what) {
  console.log("REPORT " + JSON.stringify(what));
}

// Calls of a client of OpenAI's, as an agent makes them: one that asks for a tool, one with what the tool said, whose
// answer is streamed unless it must not be.
export async function weatherTurn(client, callTool, streamed = true) {
  const messages = [
    { role: "system", content: "You are terse." },
    { role: "user", content: "How is the weather in Oslo?" },
  ];
  const asked = await client.chat.completions.create({ model, messages, tools });
  const call = asked.choices[0].message.tool_calls[0];
  const said = await callTool(JSON.parse(call.function.arguments));
  messages.push(asked.choices[0].message, { role: "tool", tool_call_id: call.id, content: JSON.stringify(said) });
  if (!streamed) return (await client.chat.completions.create({ model, messages, tools })).choices[0].message.content;
  const stream = await client.chat.completions.create({
    model,
    messages,
    tools,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  if (text !== "It is 21 degrees in Oslo.") throw new Error("the stream said: " + text);
  return text;
}

// A call of a model that there is not, whose failure is the program's to see.
export async function failingCall(client) {
  try {
    await client.chat.completions.create({ model: "missing", messages: [{ role: "user", content: "hello?" }] });
  } catch (err) {
    if (err.status !== 404) throw err;
    return;
  }
  throw new Error("a call of an unknown model succeeded");
}

