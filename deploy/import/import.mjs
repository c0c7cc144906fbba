#!/usr/bin/env node
// Copies what Langfuse, LangSmith or Phoenix have into spanlake. Needs Node.js 20 and nothing else. What was copied
// already may be copied again: it changes nothing. See docs/llm-migration.md.
import { readFileSync } from "node:fs";

const usage = `usage:
  node import.mjs langfuse           FROM_URL, FROM_PUBLIC_KEY, FROM_SECRET_KEY; FROM_TIMESTAMP and TO_TIMESTAMP if not all
  node import.mjs langsmith <file>   runs, one JSON object a line
  node import.mjs phoenix <project>  FROM_URL, and FROM_KEY if it wants one
and always TO_URL, the port of OTLP over HTTP, and TO_KEY, the secret of a key, if spanlake asks for keys.`;

function need(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set\n${usage}`);
    process.exit(2);
  }
  return value.replace(/\/+$/, "");
}

// Asks until there is an answer: servers say when to come back.
async function ask(url, init) {
  for (;;) {
    const reply = await fetch(url, init);
    if (reply.status === 429 || reply.status === 503) {
      const seconds = Number(reply.headers.get("retry-after")) || 5;
      await new Promise((done) => setTimeout(done, seconds * 1000));
      continue;
    }
    if (!reply.ok) throw new Error(`${init?.method ?? "GET"} ${url}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }
}

const to = (path, body) =>
  ask(need("TO_URL") + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...(process.env.TO_KEY && { authorization: `Bearer ${process.env.TO_KEY}` }) },
    body: JSON.stringify(body),
  });

// Keeps only what has a value.
const told = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && value !== undefined));

// The events that make a trace of Langfuse's. Their ids are those of what they make, so that they are the same next time.
function events(trace) {
  const event = (type, at, body) => ({ id: `import-${type}-${body.id}`, type, timestamp: at, body: told(body) });
  const { observations, scores, latency, totalCost, htmlPath, projectId, createdAt, updatedAt, bookmarked, ...rest } = trace;
  const list = [event("trace-create", trace.timestamp, rest)];
  for (const o of observations) {
    const type = (o.type ?? "SPAN").toLowerCase();
    const usage = o.usageDetails && Object.keys(o.usageDetails).length > 0 ? o.usageDetails : undefined;
    const cost = o.costDetails && Object.keys(o.costDetails).length > 0 ? o.costDetails : undefined;
    list.push(event(`${type}-create`, o.startTime, {
      id: o.id, traceId: trace.id, parentObservationId: o.parentObservationId, name: o.name, startTime: o.startTime, endTime: o.endTime,
      completionStartTime: o.completionStartTime, environment: o.environment, version: o.version, level: o.level, statusMessage: o.statusMessage,
      input: o.input, output: o.output, metadata: o.metadata, model: o.model, modelParameters: o.modelParameters,
      usageDetails: usage, costDetails: cost, promptName: o.promptName, promptVersion: o.promptVersion,
    }));
  }
  for (const s of scores) {
    list.push(event("score-create", s.timestamp, {
      id: s.id, traceId: trace.id, observationId: s.observationId, name: s.name, value: s.stringValue && s.dataType !== "BOOLEAN" ? s.stringValue : s.value,
      dataType: s.dataType, comment: s.comment, metadata: s.metadata, source: s.source, environment: s.environment, configId: s.configId,
    }));
  }
  return list;
}

async function langfuse() {
  const from = need("FROM_URL") + "/api/public/traces";
  const headers = { authorization: "Basic " + Buffer.from(need("FROM_PUBLIC_KEY") + ":" + need("FROM_SECRET_KEY")).toString("base64") };
  let copied = 0;
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query = new URLSearchParams(told({ page, limit: 50, orderBy: "timestamp.asc", fromTimestamp: process.env.FROM_TIMESTAMP, toTimestamp: process.env.TO_TIMESTAMP }));
    const list = await ask(`${from}?${query}`, { headers });
    pages = list.meta.totalPages;
    for (const { id } of list.data) {
      const all = events(await ask(`${from}/${encodeURIComponent(id)}`, { headers }));
      for (let i = 0; i < all.length; i += 100) {
        const reply = await to("/api/public/ingestion", { batch: all.slice(i, i + 100), metadata: { sdk_variant: "import" } });
        if (reply.errors.length > 0) throw new Error(`trace ${id}: ${JSON.stringify(reply.errors)}`);
      }
      copied++;
    }
  }
  console.log(`${copied} traces`);
}

async function langsmith(file) {
  const runs = readFileSync(file, "utf8").split("\n").filter((line) => line.trim() !== "").map((line) => JSON.parse(line));
  for (let i = 0; i < runs.length; i += 100) await to("/runs/batch", { post: runs.slice(i, i + 100), patch: [] });
  console.log(`${runs.length} runs`);
}

// What Phoenix writes as snake_case OTLP/JSON writes as camelCase; attribute keys are values in either.
const camel = (key) => key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const kinds = ["SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"];
function otlp(value, key) {
  if (key === "kind") return Math.max(kinds.indexOf(value), 0);
  if (Array.isArray(value)) return value.map((element) => otlp(element));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(told(value)).map(([name, member]) => [camel(name), otlp(member, name)]));
}

async function phoenix(project) {
  const headers = process.env.FROM_KEY ? { authorization: `Bearer ${process.env.FROM_KEY}` } : {};
  const attributes = [{ key: "openinference.project.name", value: { stringValue: project } }];
  let copied = 0;
  for (let cursor; cursor !== null; ) {
    const query = new URLSearchParams(told({ limit: 100, cursor }));
    const page = await ask(`${need("FROM_URL")}/v1/projects/${encodeURIComponent(project)}/spans/otlpv1?${query}`, { headers });
    if (page.data.length > 0) await to("/v1/traces", { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: otlp(page.data) }] }] });
    copied += page.data.length;
    cursor = page.next_cursor ?? null;
  }
  console.log(`${copied} spans`);
}

const [what, argument] = process.argv.slice(2);
const run = { langfuse, langsmith: argument && langsmith, phoenix: argument && phoenix }[what];
if (!run) {
  console.error(usage);
  process.exit(2);
}
await run(argument).catch((err) => {
  console.error(err.message);
  process.exit(1);
});
