// Calls the example application through Mastra's client; prints what it received as JSON.
import { MastraClient } from "@mastra/client-js";

const [baseUrl, key, limit] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}` };
const client = new MastraClient({ baseUrl, headers, retries: 0 });
const got = {};

async function failing(call) {
  try {
    return { value: await call() };
  } catch (error) {
    return { status: error.status, message: error.message };
  }
}

async function readChunks(response) {
  const chunks = [];
  const onChunk = async (chunk) => chunks.push({ ...chunk, at: performance.now() });
  await (await response).processDataStream({ onChunk });
  return chunks;
}

got.agents = Object.keys(await client.listAgents()).sort();
got.generated = (await client.getAgent("echo").generate("hi")).text;
got.calculated = await readChunks(client.getAgent("calculate").stream("2 and 3"));
got.ticked = await readChunks(client.getAgent("tick").stream("s"));
got.tool = await client.getTool("add").execute({ data: { a: 2, b: 3 } });

const workflow = client.getWorkflow("double-and-increment");
got.run = await (await workflow.createRun()).startAsync({ inputData: 20 });
got.streamed = [];
for await (const chunk of await (await workflow.createRun()).stream({ inputData: 20 })) {
  got.streamed.push(chunk.type);
}
const approval = (await failing(() => client.getWorkflow("approval").createRun())).value;
got.suspended = await failing(() => approval.startAsync({ inputData: "tea" }));
got.resumed = await failing(() => approval.resumeAsync({ step: "ask", resumeData: { approved: true } }));

got.unknown = await failing(() => client.getAgent("nobody").generate("x"));
got.broken = await failing(() => client.getAgent("broken").generate("x"));
const stranger = new MastraClient({ baseUrl, retries: 0 });
got.stranger = await failing(() => stranger.listAgents());
const measure = (size) => client.getTool("measure").execute({ data: { text: "x".repeat(size) } });
got.large = await measure(Number(limit) - 1024);
got.tooLarge = await failing(() => measure(Number(limit) + 1024));

const leaving = new AbortController();
const impatient = new MastraClient({ baseUrl, headers, retries: 0, abortSignal: leaving.signal });
got.left = await failing(async () => {
  const response = await impatient.getAgent("tick").stream("leaving");
  await response.processDataStream({ onChunk: async () => leaving.abort() });
});
got.afterwards = (await client.getAgent("echo").generate("still here")).text;

console.log(JSON.stringify(got));
process.exit(0);
