// Drives Mastra's own client against the server under test; prints what it got as JSON.
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

async function agentChunks(name, text) {
  const chunks = [];
  const response = await client.getAgent(name).stream(text);
  await response.processDataStream({ onChunk: async (chunk) => chunks.push(chunk) });
  return chunks;
}

async function runChunks(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

got.agents = await client.listAgents();
got.agent = await client.getAgent("echo-agent").details();
got.agentByKey = await client.getAgent("echoAgent").details();
got.agentMissing = await failing(() => client.getAgent("nope").details());
got.generated = await client.getAgent("echo-agent").generate("hi there");
got.generatedTool = await client.getAgent("echo-agent").generate("add 2 3");
got.structured = await client.getAgent("echo-agent").generate("x", {
  structuredOutput: { schema: { type: "object", properties: { a: { type: "string" } } } },
});
got.generateFails = await failing(() => client.getAgent("boom").generate("x"));
got.streamText = await agentChunks("echo-agent", "hi there you");
got.streamTool = await agentChunks("echo-agent", "add 2 3");
got.streamFails = await agentChunks("boom", "x");
got.agentTool = await client.getAgent("echo-agent").getTool("add");
got.agentToolResult = await client.getAgent("echo-agent").executeTool("add", { data: { a: 1, b: 2 } });

got.workflows = await client.listWorkflows();
const pure = client.getWorkflow("pureWorkflow");
got.workflow = await pure.details();
got.workflowMissing = await failing(() => client.getWorkflow("nope").details());
let run = await pure.createRun();
got.runId = run.runId;
got.startAsync = await run.startAsync({ inputData: { n: 5 } });
got.runById = await pure.runById(run.runId);
got.runFields = await pure.runById(run.runId, { fields: ["result"] });
got.runs = await pure.runs({ page: 0, perPage: 2 });
got.startTwice = await failing(() => run.startAsync({ inputData: { n: 5 } }));
run = await pure.createRun();
got.badInput = await failing(() => run.startAsync({ inputData: { n: "x" } }));
run = await pure.createRun();
got.workflowStream = await runChunks(await run.stream({ inputData: { n: 1 } }));

const approve = client.getWorkflow("approveWorkflow");
run = await approve.createRun();
got.suspended = await run.startAsync({ inputData: { topic: "x" } });
got.resumed = await run.resumeAsync({ step: "ask", resumeData: { ok: true } });
got.resumedAgain = await failing(() => run.resumeAsync({ step: "ask", resumeData: { ok: true } }));
run = await approve.createRun();
got.suspendStream = await runChunks(await run.stream({ inputData: { topic: "y" } }));
got.resumeStream = await runChunks(await run.resumeStream({ step: "ask", resumeData: { ok: false } }));

const bad = client.getWorkflow("badWorkflow");
run = await bad.createRun();
got.failed = await run.startAsync({ inputData: {} });
got.failedError = { isError: got.failed.error instanceof Error, message: got.failed.error.message };

const slow = client.getWorkflow("slowWorkflow");
run = await slow.createRun();
got.started = await run.start({ inputData: { n: 20000 } });
got.cancelled = await run.cancel();
got.cancelledRun = await slow.runById(run.runId);
got.deleted = await slow.deleteRunById(run.runId);
got.deletedRun = await failing(() => slow.runById(run.runId));
run = await slow.createRun();
got.slowStream = await runChunks(await run.stream({ inputData: { n: 10 } }));

got.tools = await client.listTools();
got.tool = await client.getTool("addTool").details();
got.toolResult = await client.getTool("addTool").execute({ data: { a: 2, b: 3 } });
got.toolRefused = await client.getTool("addTool").execute({ data: { a: "q" } });
got.toolFails = await failing(() => client.getTool("failTool").execute({ data: {} }));
got.toolMissing = await failing(() => client.getTool("nope").details());

console.log(JSON.stringify(got));
