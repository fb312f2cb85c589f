// Calls every method of Mastra's client; prints what the client received as JSON.
// The name of a call is its class and method, followed by a colon and the case.
import { MastraClient } from "@mastra/client-js";

// The client repeats a request whose response is a 5xx, as by default.
const client = new MastraClient({ baseUrl: process.argv[2], backoffMs: 1, maxBackoffMs: 1 });
const calls = {};
const repeated = {};
const errors = {};
let current = "";
let failures = 0;
const send = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const response = await send(...request);
  if (response.status >= 500 && ++failures > 1) repeated[current] = failures;
  return response;
};
// The client logs a broken stream and returns what it has.
const log = console.error;
console.error = (...words) => {
  (errors[current] ??= []).push(words.map((word) => word?.cause ? `${word}: ${word.cause}` : String(word)).join(" "));
  log(...words);
};
const used = new Set();

// The client's own objects, found once so that their use is noticed.
const found = {
  MastraClient: client,
  Agent: client.getAgent("echo-agent"),
  Workflow: client.getWorkflow("pureWorkflow"),
  Tool: client.getTool("addTool"),
  MemoryThread: client.getMemoryThread({ threadId: "x", agentId: "mem-agent" }),
  Run: await client.getWorkflow("pureWorkflow").createRun(),
  Responses: client.responses,
  Conversations: client.conversations,
  ConversationItems: client.conversations.items,
  MCPTool: client.getMcpServerTool("x", "x"),
  Processor: client.getProcessor("x"),
  Vector: client.getVector("x"),
  A2A: client.getA2A("echo-agent"),
  A2AV1: client.getA2AV1("echo-agent"),
  AgentBuilder: client.getAgentBuilderAction("x"),
  AgentController: client.getAgentController("x"),
  Channels: client.channels,
  Observability: client.observability,
  ProcessorProvider: client.getProcessorProvider("x"),
  StoredAgent: client.getStoredAgent("x"),
  StoredPromptBlock: client.getStoredPromptBlock("x"),
  StoredScorer: client.getStoredScorer("x"),
  StoredMCPClient: client.getStoredMCPClient("x"),
  StoredSkill: client.getStoredSkill("x"),
  ToolProvider: client.getToolProvider("x"),
  Workspace: client.getWorkspace("x"),
};

function methods(instance) {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(instance));
  return names.filter((name) => name !== "constructor" && typeof instance[name] === "function");
}

for (const [kind, instance] of Object.entries(found)) {
  const prototype = Object.getPrototypeOf(instance);
  for (const name of methods(instance)) {
    const original = prototype[name];
    prototype[name] = function (...given) {
      used.add(`${kind}.${name}`);
      return original.apply(this, given);
    };
  }
}

// The original never responds to some calls.
function soon(promise) {
  const late = (_, reject) => setTimeout(() => reject({ status: "no answer" }), 10_000);
  return Promise.race([promise, new Promise(late)]);
}

async function call(name, work) {
  [current, failures] = [name, 0];
  try {
    calls[name] = { value: (await soon(work())) ?? null };
  } catch (error) {
    calls[name] = { status: error.status ?? "client", body: error.body ?? error.message ?? null };
  }
  return calls[name].value;
}

async function events(response) {
  const all = [];
  await (await response).processDataStream({ onChunk: async (chunk) => all.push(chunk) });
  return all;
}

async function chunks(stream) {
  const all = [];
  for await (const chunk of await stream) all.push(chunk);
  return all;
}

async function settled(workflow, runId) {
  for (;;) {
    const run = await workflow.runById(runId);
    if (!["pending", "running", "waiting"].includes(run.status)) return run;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const echo = client.getAgent("echo-agent");
const payer = client.getAgent("pay-agent");
const keeper = client.getAgent("mem-agent");
const thinker = client.getAgent("think-agent");
const nobody = client.getAgent("nope");
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

await call("MastraClient.listAgents", () => client.listAgents());
await call("MastraClient.listAgents: partial", () => client.listAgents(undefined, true));
await call("Agent.details", () => echo.details());
await call("Agent.details: by key", () => client.getAgent("echoAgent").details());
await call("Agent.details: none", () => nobody.details());
await call("Agent.generate", () => echo.generate("hi there"));
await call("Agent.generate: messages", () => echo.generate([{ role: "user", content: "hi" }]));
await call("Agent.generate: a tool", () => echo.generate("add"));
await call("Agent.generate: structured", () => echo.generate("object", { structuredOutput: { schema } }));
await call("Agent.generate: a model that fails", () => echo.generate("boom"));
await call("Agent.generate: no messages", () => echo.generate(undefined));
await call("Agent.generate: none", () => nobody.generate("hi"));
await call("Agent.stream", () => events(echo.stream("hi there")));
await call("Agent.stream: a tool", () => events(echo.stream("add")));
await call("Agent.stream: structured", () => events(echo.stream("object", { structuredOutput: { schema } })));
await call("Agent.generate: bad arguments always", () => echo.generate("bad arguments always"));
for (const words of ["bad arguments", "arguments that are no JSON"]) {
  await call(`Agent.generate: ${words}`, () => echo.generate(words));
  await call(`Agent.stream: ${words}`, () => events(echo.stream(words)));
}
const failing = { memory: { thread: { id: "failing", metadata: { k: 1 } }, resource: "u7" } };
await call("Agent.generate: a tool that fails", () => thinker.generate("fail", failing));
await call("MemoryThread.listMessages: a tool that fails", () =>
  client.getMemoryThread({ threadId: "failing", agentId: "think-agent" }).listMessages());
await call("Agent.stream: a tool that fails", () => events(thinker.stream("fail")));
const think = (id) => ["think", { memory: { thread: { id, metadata: { k: 1 } }, resource: "u7" } }];
await call("Agent.generate: reasoning", () => thinker.generate(...think("thought")));
await call("Agent.stream: reasoning", () => events(thinker.stream(...think("thoughts"))));
await call("MemoryThread.listMessages: reasoning", () =>
  client.getMemoryThread({ threadId: "thought", agentId: "think-agent" }).listMessages());

const shapes = {
  cities: { type: "array", items: schema },
  numbers: { type: "array", items: { type: "number" } },
  colour: { type: "string", enum: ["red", "green"] },
  amount: { type: "number" },
  either: { anyOf: [schema, { type: "object", properties: { n: { type: "number" } }, required: ["n"] }] },
};
for (const [words, shape] of Object.entries(shapes)) {
  const options = { structuredOutput: { schema: shape } };
  await call(`Agent.generate: structured ${words}`, () => echo.generate(words, options));
  await call(`Agent.stream: structured ${words}`, () => events(echo.stream(words, options)));
}
for (const errorStrategy of ["strict", "warn", "fallback"]) {
  const options = { structuredOutput: { schema, errorStrategy, fallbackValue: { city: "none" } } };
  await call(`Agent.generate: structured, ${errorStrategy}`, () => echo.generate("wrong", options));
  await call(`Agent.stream: structured, ${errorStrategy}`, () => events(echo.stream("wrong", options)));
}
await call("Agent.stream: a model that fails", () => events(echo.stream("boom")));
await call("Agent.stream: none", () => events(nobody.stream("hi")));
await call("Agent.streamUntilIdle", () => events(keeper.streamUntilIdle("hi", { memory: { thread: "idle", resource: "u3" } })));
await call("Agent.getTool", () => echo.getTool("add"));
await call("Agent.getTool: none", () => echo.getTool("nope"));
await call("Agent.executeTool", () => echo.executeTool("add", { data: { a: 1, b: 2 } }));
await call("Agent.executeTool: fails", () => thinker.executeTool("fail", { data: { a: 1 } }));
await call("Agent.executeTool: bad input", () => echo.executeTool("add", { data: { a: "q" } }));

// Tool calls that wait for a decision.
const decide = (runId) => ({ runId, toolCallId: "call-1" });
await call("Agent.stream: waits", () => events(payer.stream("pay", { runId: "run-1" })));
await call("Agent.listSuspendedRuns", () => payer.listSuspendedRuns());
await call("Agent.approveToolCall", () => events(payer.approveToolCall(decide("run-1"))));
await call("Agent.approveToolCall: no run", () => events(payer.approveToolCall(decide("nope"))));
await events(payer.stream("pay", { runId: "run-2" }));
await call("Agent.declineToolCall", () => events(payer.declineToolCall(decide("run-2"))));
await events(payer.stream("pay", { runId: "run-5" }));
await call("Agent.resumeStream", () => events(payer.resumeStream({ approved: true }, decide("run-5"))));
await events(payer.stream("pay", { runId: "run-6" }));
await call("Agent.resumeStreamUntilIdle", () => events(payer.resumeStreamUntilIdle({ approved: true }, decide("run-6"))));
await call("Agent.generate: waits", () => payer.generate("pay", { runId: "run-3" }));
await call("Agent.approveToolCallGenerate", () => payer.approveToolCallGenerate(decide("run-3")));
await payer.generate("pay", { runId: "run-4" });
await call("Agent.declineToolCallGenerate", () => payer.declineToolCallGenerate(decide("run-4")));
await call("Agent.observe: no run", () => events(payer.observe({ runId: "nope" })));

const pure = client.getWorkflow("pureWorkflow");
const asking = client.getWorkflow("approveWorkflow");
const bad = client.getWorkflow("badWorkflow");
const slow = client.getWorkflow("slowWorkflow");
const missing = client.getWorkflow("nope");
const input = { inputData: { n: 5 } };
const topic = { inputData: { topic: "x" } };
const yes = { step: "ask", resumeData: { ok: true } };

await call("MastraClient.listWorkflows", () => client.listWorkflows());
await call("MastraClient.listWorkflows: partial", () => client.listWorkflows(undefined, true));
await call("Workflow.details", () => pure.details());
await call("Workflow.details: by id", () => client.getWorkflow("pure-workflow").details());
await call("Workflow.details: none", () => missing.details());
await call("Workflow.getSchema", () => asking.getSchema());
await call("Workflow.createRun: none", () => missing.createRun());
let run = await pure.createRun({ runId: "given" });
await call("Workflow.createRun", async () => ({ runId: run.runId }));
await call("Run.startAsync", () => run.startAsync(input));
await call("Run.startAsync: again", () => run.startAsync(input));
await call("Workflow.runById", () => pure.runById("given"));
await call("Workflow.runById: fields", () => pure.runById("given", { fields: ["result"] }));
await call("Workflow.runById: none", () => pure.runById("nope"));
await call("Workflow.runs", () => pure.runs({ page: 0, perPage: 1 }));
await call("Workflow.runs: none", () => missing.runs());
await call("Run.startAsync: bad input", async () => (await pure.createRun()).startAsync({ inputData: { n: "q" } }));
await call("Run.startAsync: a step at a time", async () => (await pure.createRun()).startAsync({ ...input, perStep: true }));
await call("Run.startAsync: fails", async () => {
  const { error, ...rest } = await (await bad.createRun()).startAsync(input);
  return { ...rest, error: error.message };
});
run = await pure.createRun();
await call("Run.start", () => run.start(input));
await call("Workflow.runById: started", () => settled(pure, run.runId));
await call("Run.start: bad input", async () => (await pure.createRun()).start({ inputData: { n: "q" } }));
await call("Run.stream", async () => chunks((await pure.createRun()).stream(input)));
await call("Run.stream: bad input", async () => chunks((await pure.createRun()).stream({ inputData: { n: "q" } })));
await call("Run.stream: fails", async () => chunks((await bad.createRun()).stream(input)));
run = await slow.createRun();
await call("Run.stream: writes", async () => chunks(run.stream(input)));
await call("Run.observe", () => chunks(run.observe()));

run = await asking.createRun();
await call("Run.startAsync: suspends", () => run.startAsync(topic));
await call("Workflow.runById: suspended", () => asking.runById(run.runId));
await call("MastraClient.listWorkflowRunCounts", () => client.listWorkflowRunCounts());
await call("Run.resumeAsync: bad data", () => run.resumeAsync({ step: "ask", resumeData: { ok: "q" } }));
run = await asking.createRun();
await run.startAsync(topic);
await call("Run.resumeAsync", () => run.resumeAsync(yes));
await call("Run.resumeAsync: again", () => run.resumeAsync(yes));
run = await asking.createRun();
await call("Run.stream: suspends", () => chunks(run.stream(topic)));
await call("Run.resumeStream", () => chunks(run.resumeStream(yes)));
run = await asking.createRun();
await run.startAsync(topic);
await call("Run.resume", () => run.resume(yes));
await call("Workflow.runById: resumed", () => settled(asking, run.runId));
run = await asking.createRun();
await run.startAsync(topic);
await call("Run.resumeNoWait", () => run.resumeNoWait(yes));

run = await pure.createRun();
await run.startAsync(input);
const travel = { step: "inc", inputData: { n: 20 } };
await call("Run.timeTravelAsync", () => run.timeTravelAsync(travel));
await call("Run.timeTravelStream", () => chunks(run.timeTravelStream(travel)));
await call("Run.timeTravel", () => run.timeTravel(travel));
await settled(pure, run.runId);
await call("Run.restart: done", () => run.restart({}));
await call("Run.restartAsync: done", () => run.restartAsync({}));
run = await slow.createRun();
await run.start({ inputData: { n: 20000 } });
await call("Run.cancel", () => run.cancel());
await call("Workflow.runById: canceled", async () => (await slow.runById(run.runId)).status);
await call("Workflow.deleteRunById", () => slow.deleteRunById(run.runId));
await call("Workflow.deleteRunById: none", () => slow.deleteRunById("nope"));

const tool = client.getTool("addTool");
await call("MastraClient.listTools", () => client.listTools());
await call("Tool.details", () => tool.details());
await call("Tool.details: none", () => client.getTool("nope").details());
await call("Tool.execute", () => tool.execute({ data: { a: 2, b: 3 } }));
await call("Tool.execute: bad input", () => tool.execute({ data: { a: "q", b: 3 } }));
await call("Tool.execute: no data", () => tool.execute({}));
await call("Tool.execute: fails", () => client.getTool("failTool").execute({ data: { a: 1 } }));

const agentId = "mem-agent";
const memory = { thread: "t1", resource: "u1" };
const thread = client.getMemoryThread({ threadId: "t1", agentId });
const nowhere = client.getMemoryThread({ threadId: "nope", agentId });
const place = { agentId, threadId: "t1", resourceId: "u1" };
await call("MastraClient.getMemoryStatus", () => client.getMemoryStatus(agentId));
await call("MastraClient.getMemoryStatus: none", () => client.getMemoryStatus("echo-agent"));
await call("MastraClient.getMemoryConfig", () => client.getMemoryConfig({ agentId }));
await call("MastraClient.createMemoryThread", () =>
  client.createMemoryThread({ agentId, resourceId: "u1", title: "T", threadId: "t1", metadata: { k: 1 } }));
await call("MastraClient.createMemoryThread: bad", () => client.createMemoryThread({ agentId, title: "T" }));
await call("Agent.generate: remembers", () => keeper.generate("hi", { memory }));
await call("Agent.stream: remembers", () => events(keeper.stream("again", { memory })));
await call("MastraClient.listMemoryThreads", () => client.listMemoryThreads({ resourceId: "u1", agentId }));
await call("MemoryThread.get", () => thread.get());
await call("MemoryThread.get: none", () => nowhere.get());
await call("MemoryThread.update", () => thread.update({ title: "T2", metadata: { z: 1 }, resourceId: "u1" }));
await call("MemoryThread.update: none", () => nowhere.update({ title: "T2" }));
await call("MemoryThread.listMessages", () => thread.listMessages());
await call("MemoryThread.listMessages: a page", () => thread.listMessages({ perPage: 3 }));
await call("MemoryThread.listMessages: the next page", () => thread.listMessages({ page: 1, perPage: 3 }));
for (const direction of ["ASC", "DESC"])
  await call(`MemoryThread.listMessages: ${direction}`, () =>
    thread.listMessages({ perPage: 3, orderBy: { field: "createdAt", direction } }));
await call("MemoryThread.listMessages: none", () => nowhere.listMessages());
await call("MastraClient.listThreadMessages", () => client.listThreadMessages("t1", { agentId, perPage: 1 }));
const saved = {
  id: "m1", role: "user", threadId: "t1", resourceId: "u1", createdAt: new Date(), type: "text",
  content: { format: 2, parts: [{ type: "text", text: "yo" }] },
};
await call("MastraClient.saveMessageToMemory", () => client.saveMessageToMemory({ agentId, messages: [saved] }));
await call("MastraClient.saveMessageToMemory: no thread", () =>
  client.saveMessageToMemory({ agentId, messages: [{ ...saved, threadId: undefined }] }));
await call("MemoryThread.deleteMessages", () => thread.deleteMessages(["m1"]));
await call("MemoryThread.clone", () => thread.clone({ newThreadId: "t2", options: { messageLimit: 1 } }));
await call("MastraClient.getWorkingMemory", () => client.getWorkingMemory(place));
await call("MastraClient.updateWorkingMemory", () => client.updateWorkingMemory({ ...place, workingMemory: "- **Name**: Ann" }));
await call("MastraClient.getWorkingMemory: written", () => client.getWorkingMemory(place));
await call("MemoryThread.transfer", () => thread.transfer({ resourceId: "u2" }));
await call("MemoryThread.delete", () => thread.delete());
await call("MemoryThread.delete: none", () => nowhere.delete());
await call("MastraClient.deleteThread", () => client.deleteThread("t2", { agentId }));

const asked = { agent_id: "mem-agent", input: "hi", store: true };
const created = await call("Responses.create", () => client.responses.create(asked));
await call("Responses.create: none", () => client.responses.create({ ...asked, agent_id: "nope" }));
await call("Responses.retrieve", () => client.responses.retrieve(created.id));
await call("Responses.stream", () => chunks(client.responses.stream(asked)));
await call("Responses.delete", () => client.responses.delete(created.id));
await call("Responses.retrieve: none", () => client.responses.retrieve("nope"));

const opened = await call("Conversations.create", () =>
  client.conversations.create({ agent_id: "mem-agent", title: "T", metadata: { k: 1 } }));
await call("Conversations.create: no memory", () => client.conversations.create({ agent_id: "echo-agent" }));
await call("Conversations.create: none", () => client.conversations.create({ agent_id: "nope" }));
const placed = { conversation_id: "c1", resource_id: "u7" };
await call("Conversations.create: given", () => client.conversations.create({ agent_id: "mem-agent", ...placed }));
const said = await call("Responses.create: in a conversation", () =>
  client.responses.create({ ...asked, conversation_id: "c1", input: "one" }));
await call("Responses.create: after a response", () =>
  client.responses.create({ ...asked, input: "two", previous_response_id: said.id }));
await call("Responses.create: no conversation", () => client.responses.create({ ...asked, conversation_id: "nope" }));
await call("Responses.create: bad conversation", () =>
  client.responses.create({ ...asked, conversation_id: opened.id, previous_response_id: said.id }));
await call("Conversations.retrieve", () => client.conversations.retrieve("c1"));
await call("Conversations.retrieve: none", () => client.conversations.retrieve("nope"));
await call("ConversationItems.list", () => client.conversations.items.list("c1"));
await call("ConversationItems.list: empty", () => client.conversations.items.list(opened.id));
await call("ConversationItems.list: none", () => client.conversations.items.list("nope"));
await call("Conversations.delete", () => client.conversations.delete("c1"));
await call("Conversations.delete: none", () => client.conversations.delete("c1"));
await call("Agent.sendMessage", () => keeper.sendMessage({ message: "hi", threadId: "m9", resourceId: "u9" }));
await call("Agent.abortThread", () => keeper.abortThread({ threadId: "nope", resourceId: "u9" }));
await call("MastraClient.listLogTransports", () => client.listLogTransports());
await call("MastraClient.listScorers", () => client.listScorers());
await call("MastraClient.listVectors", () => client.listVectors());
await call("MastraClient.listProcessors", () => client.listProcessors());
await call("MastraClient.getMcpServers", () => client.getMcpServers());
await call("MastraClient.getMcpServerDetails", () => client.getMcpServerDetails("mastra"));
await call("MastraClient.getMcpServerDetails: none", () => client.getMcpServerDetails("nope"));
await call("MastraClient.getMcpServerTools", async () => {
  const { tools } = await client.getMcpServerTools("mastra");
  return tools.filter(({ name }) => name === "addTool" || name === "failTool");
});
await call("MastraClient.getMcpServerTools: none", () => client.getMcpServerTools("nope"));
const adding = client.getMcpServerTool("mastra", "addTool");
await call("MCPTool.details", () => adding.details());
await call("MCPTool.details: none", () => client.getMcpServerTool("mastra", "nope").details());
await call("MCPTool.details: no server", () => client.getMcpServerTool("nope", "addTool").details());
await call("MCPTool.execute", () => adding.execute({ data: { a: 1, b: 2 } }));
await call("MCPTool.execute: bad input", () => adding.execute({ data: { a: "q", b: 2 } }));
await call("MCPTool.execute: fails", () => client.getMcpServerTool("mastra", "failTool").execute({ data: { a: 1 } }));
await call("MCPTool.execute: none", () => client.getMcpServerTool("mastra", "nope").execute({ data: {} }));
await call("MastraClient.getMcpServerResources", () => client.getMcpServerResources("mastra"));

// A2A, in both versions of the protocol.
const say = (text, more) => ({
  message: { kind: "message", messageId: "m1", role: "user", parts: [{ kind: "text", text }], ...more },
});
const say1 = (text, more) => ({
  message: { messageId: "m1", role: 1, parts: [{ content: { $case: "text", value: text } }], ...more },
});
const [a2a, a2aPay, a2a1] = [client.getA2A("echo-agent"), client.getA2A("pay-agent"), client.getA2AV1("echo-agent")];
await call("A2A.getAgentCard", () => a2a.getAgentCard());
await call("A2A.getAgentCard: none", () => client.getA2A("nope").getAgentCard());
const { result: ended } = await call("A2A.sendMessage", () => a2a.sendMessage(say("hi there", { contextId: "c1" })));
await call("A2A.sendMessage: a tool", () => a2a.sendMessage(say("add")));
await call("A2A.sendMessage: a model that fails", () => a2a.sendMessage(say("boom")));
await call("A2A.sendMessage: no task", () => a2a.sendMessage(say("hi", { taskId: "nope" })));
await call("A2A.sendMessage: a final task", () => a2a.sendMessage(say("hi", { taskId: ended.id })));
await call("A2A.sendMessage: none", () => client.getA2A("nope").sendMessage(say("hi")));
await call("A2A.sendMessage: bad params", () => a2a.sendMessage({}));
const { result: asked1 } = await call("A2A.sendMessage: waits", () => a2aPay.sendMessage(say("pay")));
await call("A2A.sendMessage: approves", () => a2aPay.sendMessage(say("yes", { taskId: asked1.id })));
const { result: asked2 } = await a2aPay.sendMessage(say("pay"));
await call("A2A.cancelTask", () => a2aPay.cancelTask({ id: asked2.id }));
await call("A2A.cancelTask: a final task", () => a2aPay.cancelTask({ id: asked2.id }));
await call("A2A.cancelTask: none", () => a2a.cancelTask({ id: "nope" }));
await call("A2A.getTask", () => a2a.getTask({ id: ended.id }));
await call("A2A.getTask: none", () => a2a.getTask({ id: "nope" }));
await call("A2A.sendMessageStream", () => chunks(a2a.sendMessageStream(say("hi there"))));
await call("A2A.sendMessageStream: a tool", () => chunks(a2a.sendMessageStream(say("add"))));
await call("A2A.sendMessageStream: a model that fails", () => chunks(a2a.sendMessageStream(say("boom"))));
const waiting = await call("A2A.sendMessageStream: waits", () => chunks(a2aPay.sendMessageStream(say("pay"))));
await call("A2A.sendMessageStream: approves", () =>
  chunks(a2aPay.sendMessageStream(say("yes", { taskId: waiting.at(-1).taskId }))));
await call("A2A.resubscribeTask", () => chunks(a2a.resubscribeTask({ id: ended.id })));
await call("A2A.getExtendedAgentCard", () => a2a.getExtendedAgentCard());
await call("A2A.setTaskPushNotificationConfig", () =>
  a2a.setTaskPushNotificationConfig({ taskId: ended.id, pushNotificationConfig: { url: "https://example.com" } }));
await call("A2AV1.getAgentCard", () => a2a1.getAgentCard());
const sent1 = await call("A2AV1.sendMessage", () => a2a1.sendMessage(say1("hi there", { contextId: "v1" })));
await call("A2AV1.getTask", () => a2a1.getTask({ id: sent1.payload.value.id }));
await call("A2AV1.getTask: none", () => a2a1.getTask({ id: "nope" }));
await call("A2AV1.listTasks", () => a2a1.listTasks({ contextId: "v1" }));
await call("A2AV1.cancelTask: a final task", () => a2a1.cancelTask({ id: sent1.payload.value.id }));
await call("A2AV1.sendMessageStream", () => chunks(a2a1.sendMessageStream(say1("hi there"))));
await call("A2AV1.resubscribeTask", () => chunks(a2a1.resubscribeTask({ id: sent1.payload.value.id })));
await call("MastraClient.readMcpServerResource", () => client.readMcpServerResource("mastra", "ui://terms"));
await call("MastraClient.readMcpServerResource: no server", () => client.readMcpServerResource("nope", "ui://terms"));
await call("MastraClient.readMcpServerResource: none", () => client.readMcpServerResource("mastra", "file:///x"));

// Call every method that is not used above with meaningless arguments: is there a route?
// A method without a request creates another object of the client. memory.mjs calls searchMemory.
const rest = {};
const inside = /^(request|searchMemory|get.*(Param|RunKey|ThreadKey|RuntimeOptions|QueryString)|(set|delete)(Latest)?Signal.*|prepareSignal.*|requestSignal.*|process.*Response.*|createCancellableStream|basePath|create.*Transform.*|transformWorkflowResult)$/;
for (const [kind, instance] of Object.entries(found))
  for (const name of methods(instance)) {
    if (used.has(`${kind}.${name}`) || inside.test(name)) continue;
    [current, failures] = [`${kind}.${name}`, 0];
    try {
      const answer = await soon(instance[name]("x", "x", "x"));
      if (answer instanceof Response) rest[`${kind}.${name}`] = answer.status;
      else if ([Object, Array].includes(answer?.constructor)) rest[`${kind}.${name}`] = 200;
    } catch (error) {
      rest[`${kind}.${name}`] = error.status ?? error.message;
    }
  }

process.stdout.write(`${JSON.stringify({ calls, rest, repeated, errors })}\n`, () => process.exit(0));
