// Runs agents and workflows through Mastra's client, then reads their traces.
import { single as client, failing } from "./client.mjs";

const got = {};

got.generated = await client.getAgent("echoAgent").generate("hello there", {
  memory: { thread: "thread-1", resource: "ann" },
});
const stream = await client.getAgent("echoAgent").stream("add 2 3");
await stream.processDataStream({ onChunk: async () => {} });
got.generateFails = await failing(() => client.getAgent("boom").generate("x"));
const broken = await client.getAgent("brokenAgent").stream("x");
await broken.processDataStream({ onChunk: async () => {} });

const pure = client.getWorkflow("pureWorkflow");
got.run = await (await pure.createRun()).startAsync({ inputData: { n: 5 } });
const failingWorkflow = client.getWorkflow("badWorkflow");
got.failed = await (await failingWorkflow.createRun()).startAsync({ inputData: {} });
const approve = client.getWorkflow("approveWorkflow");
const run = await approve.createRun();
got.suspended = await run.startAsync({ inputData: { topic: "tea" } });
got.whileSuspended = await client.getTrace(got.suspended.traceId);
got.resumed = await run.resumeAsync({ step: "ask", resumeData: { ok: true } });
got.afterwards = await client.getTrace(got.resumed.traceId);

got.all = await client.listTraces();
got.light = await client.listTracesLight({ pagination: { page: 0, perPage: 100 } });
got.page = await client.listTraces({ pagination: { page: 1, perPage: 2 } });
got.oldest = await client.listTracesLight({ orderBy: { field: "startedAt", direction: "ASC" } });
got.last = await client.listTracesLight({ orderBy: { field: "endedAt", direction: "DESC" } });
const filters = {
  agents: { spanType: "agent_run" },
  echo: { entityId: "echo-agent" },
  named: { entityType: "workflow_run", entityName: "pure-workflow" },
  failed: { status: "error" },
  failing: { hasChildError: true },
  thread: { threadId: "thread-1", resourceId: "ann" },
  run: { runId: got.run.runId },
  trace: { traceId: got.run.traceId },
  metadata: { metadata: { runId: got.run.runId } },
  soon: { startedAt: { start: new Date(Date.now() + 60_000) } },
  sofar: { endedAt: { end: new Date(Date.now() + 60_000), endExclusive: true } },
  tagged: { tags: ["red"] },
};
got.filtered = {};
for (const [name, fields] of Object.entries(filters)) {
  got.filtered[name] = (await client.listTracesLight({ filters: fields })).spans;
}
got.legacy = await client.getTraces({
  filters: { entityId: "pure-workflow", entityType: "workflow" },
  pagination: { perPage: 5, dateRange: { start: new Date(0) } },
});
got.legacyName = await client.getTraces({ filters: { name: "agent run: 'echo-agent'" } });

got.added = await client.getTrace(got.all.spans.find((each) => each.input?.[0]?.content === "add 2 3").traceId);
got.trace = await client.getTrace(got.generated.traceId);
got.lightTrace = await client.getTraceLight(got.run.traceId);
got.span = await client.getSpan(got.run.traceId, got.run.spanId);
got.unknownTrace = await failing(() => client.getTrace("f".repeat(32)));
got.unknownLight = await failing(() => client.getTraceLight("nope"));
got.unknownSpan = await failing(() => client.getSpan(got.run.traceId, "0".repeat(16)));
got.badStatus = await failing(() => client.listTraces({ filters: { status: "odd" } }));
got.badPage = await failing(() => client.listTraces({ pagination: { perPage: 101 } }));
got.badRange = await failing(() => client.listTraces({ filters: { startedAt: { start: "soon" } } }));
got.delta = await failing(() => client.listTraces({ mode: "delta" }));

const timeRange = { from: new Date(0).toISOString(), to: new Date(Date.now() + 60_000).toISOString() };
const eq = (path, literal) => ({ op: "eq", left: { path }, right: { literal } });
const questions = {
  all: undefined,
  agents: eq("entityType", "agent"),
  either: { op: "or", args: [eq("threadId", "thread-1"), eq("metadata.runId", got.run.runId)] },
  both: { op: "and", args: [eq("entityType", "agent"), eq("status", "success")] },
  others: { op: "not", arg: { op: "in", value: { path: "entityType" }, set: ["agent", "tool"] } },
  inside: { spans: { some: eq("entityId", "inc") } },
  flawless: { spans: { none: { op: "exists", path: "error" } } },
  scored: { scores: { some: { op: "gt", left: { path: "score" }, right: { literal: 0 } } } },
  unscored: { scores: { none: eq("scorerId", "x") } },
  late: { op: "gt", left: { path: "startedAt" }, right: { literal: timeRange.to } },
  nameless: { op: "ne", left: { path: "threadId" }, right: { literal: "thread-1" } },
  quick: { spans: { some: { op: "lt", left: { path: "durationMs" }, right: { literal: 60_000 } } } },
};
got.asked = {};
for (const [name, where] of Object.entries(questions)) {
  got.asked[name] = (await client.queryTraces({ timeRange, where, page: { limit: 100 } })).traces;
}
got.walked = [];
for (let after = null; ; ) {
  const orderBy = [{ field: "startedAt", direction: "asc" }];
  const part = await client.queryTraces({ timeRange, orderBy, page: { limit: 3, after } });
  got.walked.push(part.traces.map((each) => each.traceId));
  after = part.page.next;
  if (after === null) break;
}
got.numbered = await client.queryTraces({ timeRange, pagination: { page: 1, perPage: 5 } });
const bad = [
  { where: eq("colour", "red") },
  { where: { op: "like", left: { path: "name" } } },
  { where: { op: "and", args: [] } },
  { where: eq("startedAt", "soon") },
  { where: { spans: { every: eq("name", "x") } } },
  { page: { limit: 10, after: "nowhere" } },
  { mode: "delta" },
  { where: { op: "or", args: Array(9).fill({ spans: { some: eq("name", "x") } }) } },
  { where: { op: "or", args: Array(100).fill(eq("status", "error")) } },
  { timeRange: { from: "yesterday", to: "today" } },
];
got.refused = [];
for (const each of bad) {
  got.refused.push((await failing(() => client.queryTraces({ timeRange, ...each }))).status);
}
got.names = await client.getEntityNames({ entityType: "agent" });
got.environments = await client.getEnvironments();

console.log(JSON.stringify(got));
