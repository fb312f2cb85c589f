// Calls the memory API through Mastra's client; prints the results as JSON.
import { client, failing } from "./client.mjs";

const agentId = "mem-agent";
const got = {};

got.status = await client.getMemoryStatus(agentId);
got.statusNone = await client.getMemoryStatus("echo-agent");
got.statusMissing = await failing(() => client.getMemoryStatus("nope"));
got.created = await client.createMemoryThread({
  agentId, resourceId: "u1", title: "T", threadId: "t1", metadata: { k: 1 },
});
got.createdTwice = await failing(() =>
  client.createMemoryThread({ agentId, resourceId: "u1", threadId: "t1" }));
got.createdBad = await failing(() => client.createMemoryThread({ agentId, title: "T" }));
got.createdLong = await failing(() =>
  client.createMemoryThread({ agentId, resourceId: "u1", threadId: "t".repeat(513) }));

const agent = client.getAgent(agentId);
got.details = await agent.details();
const memory = { thread: "t1", resource: "u1" };
got.generated = await agent.generate("remember me", { memory });
const chunks = [];
const response = await agent.stream("and me", { memory });
await response.processDataStream({ onChunk: async (chunk) => chunks.push(chunk) });
got.streamed = chunks;
got.generatedByOthers = await failing(() =>
  agent.generate("mine?", { memory: { thread: "t1", resource: "u2" } }));
got.streamedByOthers = await failing(async () => {
  const response = await agent.stream("mine?", { memory: { thread: "t1", resource: "u2" } });
  await response.processDataStream({ onChunk: async () => {} });
});
got.generatedWithoutResource = await failing(() =>
  agent.generate("whose?", { memory: { thread: "t1" } }));
const told = { id: "t9", title: "Nine", metadata: { k: 9 } };
got.longNamed = await failing(() =>
  agent.generate("x", { memory: { thread: "t".repeat(513), resource: "u9" } }));
got.withoutId = await failing(() => agent.generate("x", { memory: { thread: {}, resource: "u9" } }));
await agent.generate("new", { memory: { thread: told, resource: "u9" } });
got.told = await client.getMemoryThread({ threadId: "t9", agentId }).get();
got.recalled = {};
for (const lastMessages of [false, 2, undefined])
  got.recalled[lastMessages] = (await agent.generate("count", {
    memory: { thread: "t9", resource: "u9", options: { lastMessages } },
  })).text;
got.readOnly = await agent.generate("forget me", { memory: { ...memory, options: { readOnly: true } } });

got.listed = await client.listMemoryThreads({ resourceId: "u1", agentId });
got.listedByMetadata = await client.listMemoryThreads({ agentId, metadata: { k: 1 } });
got.listedNone = await client.listMemoryThreads({ agentId, metadata: { k: 2 } });
const thread = client.getMemoryThread({ threadId: "t1", agentId });
got.thread = await thread.get();
got.updated = await thread.update({ title: "T2", metadata: { z: 1 }, resourceId: "u1" });
got.messages = await thread.listMessages();
got.page = await thread.listMessages({
  page: 1, perPage: 1, orderBy: { field: "createdAt", direction: "DESC" },
});
got.users = await thread.listMessages({ filter: { roles: ["user"] } });
got.included = await thread.listMessages({
  perPage: 0, include: [{ id: got.messages.messages[1].id, withPreviousMessages: 1 }],
});
got.threadMessages = await client.listThreadMessages("t1", { agentId });

const saved = {
  role: "user", content: { format: 2, parts: [{ type: "text", text: "yo" }, { type: "data-x", data: 1 }] },
  id: "m1", threadId: "t1", resourceId: "u1", createdAt: new Date(), type: "text",
};
got.saved = await client.saveMessageToMemory({ agentId, messages: [saved] });
got.savedListed = (await thread.listMessages()).messages.at(-1);
got.savedByOthers = await failing(() =>
  client.saveMessageToMemory({ agentId, messages: [{ ...saved, resourceId: "u2" }] }));
got.savedBad = await failing(() =>
  client.saveMessageToMemory({ agentId, messages: [{ ...saved, role: "nobody" }] }));
got.deletedMessage = await thread.deleteMessages("m1");
got.deletedMessages = await thread.deleteMessages([{ id: "none" }]);
got.cloned = await thread.clone({ newThreadId: "t2" });
got.clonedSome = await thread.clone({ options: { messageLimit: 1 }, title: "Some" });
got.clonedTwice = await failing(() => thread.clone({ newThreadId: "t2" }));

got.notes = await client.getWorkingMemory({ agentId, threadId: "t1", resourceId: "u1" });
got.noted = await client.updateWorkingMemory({
  agentId, threadId: "t1", resourceId: "u1", workingMemory: "- **Name**: Ann",
});
got.notesAfter = await client.getWorkingMemory({ agentId, threadId: "t1", resourceId: "u1" });
got.notesOfOthers = await failing(() =>
  client.getWorkingMemory({ agentId, threadId: "t1", resourceId: "u2" }));
got.config = await client.getMemoryConfig({ agentId });
got.search = await failing(() =>
  client.searchMemory({ agentId, resourceId: "u1", threadId: "t1", searchQuery: "x" }));
got.searchNothing = await failing(() =>
  client.searchMemory({ agentId, resourceId: "nobody", searchQuery: "x" }));
got.searchByOthers = await failing(() =>
  client.searchMemory({ agentId, resourceId: "u2", threadId: "t1", searchQuery: "x" }));
got.observations = await failing(() => client.getObservationalMemory({ agentId, threadId: "t1" }));
got.observed = await failing(() => client.awaitBufferStatus({ agentId, threadId: "t1" }));

got.deleted = await thread.delete();
got.threadMissing = await failing(() => thread.get());
got.messagesMissing = await failing(() => thread.listMessages());
got.noMemory = await failing(() => client.getMemoryThread({ threadId: "t2", agentId: "echo-agent" }).get());

console.log(JSON.stringify(got));
