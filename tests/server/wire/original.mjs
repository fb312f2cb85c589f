// The application of application.py for the TypeScript original, whose responses are recorded.
import { Mastra } from "@mastra/core";
import { Agent } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import { createStep, createWorkflow } from "@mastra/core/workflows";
import { createNodeServer } from "@mastra/deployer/server";
import { LibSQLStore } from "@mastra/libsql";
import { MCPServer } from "@mastra/mcp";
import { Memory } from "@mastra/memory";
import { z } from "zod";

const storage = new LibSQLStore({ id: "storage", url: ":memory:" });
const usage = { inputTokens: 7, outputTokens: 3, totalTokens: 10 };
const number = z.object({ n: z.number() });
const text = z.object({ v: z.string() });

// The arguments of calls that the tool refuses.
const badCalls = {
  "bad arguments": '{"a":"q","b":3}',
  "bad arguments always": '{"a":"q","b":3}',
  "arguments that are no JSON": '{"a":',
};
// The JSON that the model writes as its structured answer.
const answers = {
  object: '{"city":"Oslo"}',
  cities: '{"elements":[{"city":"Oslo"},{"city":"Bergen"}]}',
  numbers: '{"elements":[1,2.5]}',
  colour: '{"result":"green"}',
  amount: "42",
  either: '{"n":1}',
  wrong: '{"city":12}',
};

// The next message of the model, as parts of its stream.
function chooseContent(prompt) {
  const last = prompt.at(-1);
  const words = prompt.filter((each) => each.role === "user").at(-1).content[0].text;
  if (words === "boom") throw new Error("model exploded");
  if (last.role !== "tool" && words === "add")
    return [{ type: "tool-call", toolCallId: "call-1", toolName: "add", input: '{"a":2,"b":3}' }];
  if (last.role !== "tool" && words === "pay")
    return [{ type: "tool-call", toolCallId: "call-1", toolName: "pay", input: '{"amount":3}' }];
  if (last.role !== "tool" && words === "fail")
    return [{ type: "tool-call", toolCallId: "call-1", toolName: "fail", input: '{"a":1}' }];
  if (words === "think" && last.role !== "tool")
    return [
      { type: "reasoning", text: "I need a sum." },
      { type: "tool-call", toolCallId: "call-1", toolName: "add", input: '{"a":2,"b":3}' },
    ];
  if (words === "think") return [{ type: "reasoning", text: "It is 5." }, { type: "text", text: "Five." }];
  if (words in badCalls && (last.role !== "tool" || words.endsWith("always")))
    return [{ type: "tool-call", toolCallId: `call-${prompt.length}`, toolName: "add", input: badCalls[words] }];
  if (words in answers) return [{ type: "text", text: answers[words] }];
  return [{ type: "text", text: `echo: ${words}` }];
}

function streamPart(part) {
  if (part.type === "tool-call") {
    const { toolCallId: id, toolName, input } = part;
    return [
      { type: "tool-input-start", id, toolName },
      { type: "tool-input-delta", id, delta: input },
      { type: "tool-input-end", id },
      part,
    ];
  }
  const { type, text } = part;
  const deltas = text.split(/(?<= )/).map((delta) => ({ type: `${type}-delta`, id: "t1", delta }));
  return [{ type: `${type}-start`, id: "t1" }, ...deltas, { type: `${type}-end`, id: "t1" }];
}

const model = {
  specificationVersion: "v2",
  provider: "function",
  modelId: "echo",
  supportedUrls: {},
  async doGenerate({ prompt }) {
    const content = chooseContent(prompt);
    const finishReason = content.at(-1).type === "text" ? "stop" : "tool-calls";
    return { content, finishReason, usage, warnings: [] };
  },
  async doStream({ prompt }) {
    const content = chooseContent(prompt);
    const finishReason = content.at(-1).type === "text" ? "stop" : "tool-calls";
    const parts = [
      { type: "stream-start", warnings: [] },
      ...content.flatMap(streamPart),
      { type: "finish", finishReason, usage },
    ];
    return { stream: ReadableStream.from(parts) };
  },
};

const add = createTool({
  id: "add",
  description: "Adds two numbers.",
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  outputSchema: z.object({ sum: z.number() }),
  execute: async ({ a, b }) => ({ sum: a + b }),
});
const fail = createTool({
  id: "fail",
  description: "Fails.",
  inputSchema: z.object({ a: z.number() }),
  execute: async () => {
    throw new Error("tool exploded");
  },
});
const pay = createTool({
  id: "pay",
  description: "Pays.",
  inputSchema: z.object({ amount: z.number() }),
  requireApproval: true,
  execute: async ({ amount }) => `paid ${amount}`,
});

const agent = (id, more) => new Agent({ id, name: id, instructions: "You echo.", model, ...more });
const memory = new Memory({
  storage,
  options: { lastMessages: 10, workingMemory: { enabled: true, template: "- **Name**:" } },
});

const later = (delay, value) => new Promise((resolve) => setTimeout(resolve, delay, value));
const step = (id, inputSchema, outputSchema, execute, more) =>
  createStep({ id, inputSchema, outputSchema, execute, ...more });
const workflow = (id, inputSchema, outputSchema) => createWorkflow({ id, inputSchema, outputSchema });
const approval = z.object({ ok: z.boolean() });
const topic = z.object({ topic: z.string() });
const done = z.object({ done: z.string() });
const double = step("double", number, number, async ({ inputData: { n } }) => ({ n: n * 2 }));
const inc = step("inc", number, number, async ({ inputData: { n } }) => ({ n: n + 1 }));
const ask = step(
  "ask",
  topic,
  approval,
  async ({ inputData, resumeData, suspend }) =>
    resumeData ?? (await suspend({ reason: `approve ${inputData.topic}?` })),
  { resumeSchema: approval, suspendSchema: z.object({ reason: z.string() }) },
);
const fin = step("fin", approval, done, async ({ inputData }) => ({ done: inputData.ok ? "yes" : "no" }));
const bad = step("bad", number, number, async () => {
  throw new Error("step exploded");
});
const slow = step("slow", number, number, async ({ inputData, writer }) => {
  await writer.write({ hello: 1 });
  return later(inputData.n, inputData);
});
const sideA = step("side_a", number, text, () => later(10, { v: "a" }));
const sideB = step("side_b", number, text, () => later(40, { v: "b" }));
const sides = z.object({ side_a: text, side_b: text });

const offered = new MCPServer({
  id: "mastra",
  name: "mastra",
  version: "0",
  tools: { addTool: add, failTool: fail },
  appResources: { "ui://terms": { name: "terms", description: "The terms.", html: "<p>Be nice." } },
});

const mastra = new Mastra({
  storage,
  logger: false,
  agents: {
    echoAgent: agent("echo-agent", { description: "Echoes.", tools: { add } }),
    payAgent: agent("pay-agent", { tools: { pay } }),
    memAgent: agent("mem-agent", { memory }),
    thinkAgent: agent("think-agent", { memory: new Memory({ storage }), tools: { add, fail } }),
  },
  workflows: {
    pureWorkflow: workflow("pure-workflow", number, number).then(double).then(inc).commit(),
    approveWorkflow: workflow("approve-workflow", topic, done).then(ask).then(fin).commit(),
    badWorkflow: workflow("bad-workflow", number, number).then(bad).commit(),
    slowWorkflow: workflow("slow-workflow", number, sides).then(slow).parallel([sideA, sideB]).commit(),
  },
  tools: { addTool: add, failTool: fail },
  mcpServers: { mastra: offered },
  server: { host: "127.0.0.1", port: Number(process.argv[2]) },
});

await createNodeServer(mastra, { tools: {} });
