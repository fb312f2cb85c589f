// Runs agents and workflows by Mastra's own client, then looks at what was kept of them.
import { MastraClient } from "@mastra/client-js";

const client = new MastraClient({ baseUrl: process.argv[2], retries: 0 });
const got = {};

async function failing(call) {
  try {
    return { value: await call() };
  } catch (error) {
    return { status: error.status, message: error.message };
  }
}

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
const bad = client.getWorkflow("badWorkflow");
got.failed = await (await bad.createRun()).startAsync({ inputData: {} });
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

console.log(JSON.stringify(got));
