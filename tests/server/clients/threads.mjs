// Sends messages into threads and subscribes to them through Mastra's client; prints JSON.
import { client, failing } from "./client.mjs";

const got = {};

// The chunks that a subscriber receives, until `enough` of them arrived.
async function listening(agent, threadId, enough, act) {
  const heard = [];
  const subscription = await client.getAgent(agent).subscribeToThread({ resourceId: "ann", threadId });
  const end = new Promise((resolve) => {
    subscription.processDataStream({
      onChunk: async (chunk) => {
        heard.push(chunk);
        if (enough(heard)) resolve();
      },
    });
  });
  await act(subscription, heard);
  await end;
  subscription.unsubscribe();
  return heard;
}

const count = (heard, type) => heard.filter((chunk) => chunk.type === type).length;
const place = (threadId) => ({ resourceId: "ann", threadId });
const shop = client.getAgent("shop");

const message = { contents: "hi", metadata: { clientMessageId: "c1" } };
got.heard = await listening("shop", "t1", (heard) => count(heard, "finish") === 1, async () => {
  got.sent = await shop.sendMessage({ message, ...place("t1"), ifIdle: { streamOptions: { instructions: "Be brief." } } });
});
got.stored = await client.listThreadMessages("t1", { agentId: "shop", resourceId: "ann" });

got.turns = await listening("shop", "t2", (heard) => count(heard, "finish") === 3, async () => {
  await shop.sendMessage({ message: "slow one", ...place("t2") });
  await shop.queueMessage({ message: "two", ...place("t2") });
  await shop.sendMessage({ message: [{ type: "text", text: "three" }], ...place("t2") });
});

got.others = await listening("shop", "t3", (heard) => count(heard, "finish") === 1, async () => {
  await shop.sendMessage({ message: "elsewhere", resourceId: "ann", threadId: "t4" });
  const response = await shop.stream("streamed", { memory: { thread: "t3", resource: "ann" } });
  await response.processDataStream({ onChunk: async () => {} });
});

got.approved = await listening("shop", "t5", (heard) => count(heard, "finish") === 1, async (_, heard) => {
  await shop.sendMessage({ message: "pay", ...place("t5") });
  while (!count(heard, "tool-call-approval")) await new Promise((resolve) => setTimeout(resolve, 20));
  const call = { ...place("t5"), toolCallId: "pay-0" };
  got.notThere = await failing(() => shop.sendToolApproval({ ...call, toolCallId: "no", approved: true }));
  got.elsewhere = await failing(() => shop.sendToolApproval({ ...call, threadId: "t1", approved: true }));
  got.decision = await shop.sendToolApproval({ ...call, approved: true });
});

got.aborted = await listening("shop", "t6", (heard) => count(heard, "abort") === 1, async (subscription, heard) => {
  await shop.sendMessage({ message: "slow end", ...place("t6") });
  while (!count(heard, "start")) await new Promise((resolve) => setTimeout(resolve, 20));
  got.wrongRun = await shop.abortThread({ ...place("t6"), expectedRunId: "other" });
  got.abort = await subscription.abort();
});
got.abortIdle = await shop.abortThread(place("t6"));

const add = {
  id: "add", description: "Adds.", inputSchema: { type: "object", properties: {} },
  execute: async () => ({ sum: 5 }),
};
got.clientTool = await listening("shop", "t7", (heard) => count(heard, "finish") === 2, async () => {
  await shop.sendMessage({ message: "locate", ...place("t7"), ifIdle: { streamOptions: { clientTools: { locate: { ...add, id: "locate" } } } } });
});

got.foreign = await failing(() => shop.sendMessage({ message: "x", resourceId: "bob", threadId: "t1" }));
got.noThread = await failing(() => shop.sendMessage({ message: "x", resourceId: "ann" }));
got.persist = await failing(() => shop.sendMessage({ message: "x", ...place("t1"), ifIdle: { behavior: "persist" } }));
got.badOption = await failing(() => shop.sendMessage({ message: "x", ...place("t1"), ifIdle: { streamOptions: { maxSteps: 0 } } }));
got.badMessage = await failing(() => shop.sendMessage({ message: [1], ...place("t1") }));
got.missing = await failing(() => client.getAgent("nope").sendMessage({ message: "x", ...place("t1") }));
got.signal = await failing(() => shop.sendSignal({ signal: { type: "reactive", contents: "x" }, ...place("t1") }));
console.log(JSON.stringify(got));
process.exit(0);
