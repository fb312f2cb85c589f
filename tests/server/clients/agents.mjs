// Calls agents through Mastra's client; prints the results as JSON.
import { client, failing } from "./client.mjs";

const shop = client.getAgent("shop");
const got = {};

async function chunksOf(response) {
  const chunks = [];
  await (await response).processDataStream({ onChunk: async (chunk) => chunks.push(chunk) });
  return chunks;
}

got.thought = await chunksOf(shop.stream("think"));
got.thoughtWhole = await shop.generate("think");
got.drawn = await shop.generate("draw");
got.worked = await chunksOf(shop.stream("work"));
got.failed = await chunksOf(shop.stream("fail"));
got.failedWhole = await shop.generate("fail");
got.delegated = await chunksOf(shop.stream("delegate"));
got.details = await shop.details();
got.until = await chunksOf(shop.streamUntilIdle("hi"));

got.greeted = await client.getAgent("greeter").generate("hi", { requestContext: { name: "Ann" } });
got.ungreeted = await failing(() => client.getAgent("greeter").generate("hi"));
got.instructed = await shop.generate("hi", { instructions: "Be brief.", system: "Ann is 8." });
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
got.object = await shop.generate("object", { structuredOutput: { schema } });
got.objectStream = await chunksOf(shop.stream("object", { structuredOutput: { schema } }));
const town = { ...schema, required: ["town"], properties: { town: { type: "string" } } };
got.objectFails = await failing(() => shop.generate("object", { structuredOutput: { schema: town } }));
const fallbackValue = { town: "nowhere" };
got.fallback = await shop.generate("object", {
  structuredOutput: { schema: town, errorStrategy: "fallback", fallbackValue },
});
got.warned = await shop.generate("object", { structuredOutput: { schema: town, errorStrategy: "warn" } });
got.stopped = await shop.generate("work", { maxSteps: 1 });
got.inactive = await shop.generate("work", { activeTools: ["pay"] });

// Approval, both forms.
got.pay = await chunksOf(shop.stream("pay", { runId: "run-pay" }));
got.waiting = await shop.listSuspendedRuns();
got.wrongCall = await failing(() => shop.approveToolCall({ runId: "run-pay", toolCallId: "no" }));
got.wrongRun = await failing(() => shop.approveToolCall({ runId: "no", toolCallId: "pay-0" }));
got.approved = await chunksOf(shop.approveToolCall({ runId: "run-pay", toolCallId: "pay-0" }));
got.approvedTwice = await failing(() => shop.approveToolCall({ runId: "run-pay", toolCallId: "pay-0" }));
await chunksOf(shop.stream("pay", { runId: "run-no" }));
got.declined = await chunksOf(shop.declineToolCall({ runId: "run-no", toolCallId: "pay-0", reason: "Too much." }));
got.payWhole = await shop.generate("pay");
got.approvedWhole = await shop.approveToolCallGenerate({ runId: got.payWhole.runId, toolCallId: "pay-0" });
got.payAgain = await shop.generate("pay");
got.declinedWhole = await shop.declineToolCallGenerate({ runId: got.payAgain.runId, toolCallId: "pay-0" });
got.payTwice = await chunksOf(shop.stream("pay twice", { runId: "run-two" }));
got.oneOfTwo = await chunksOf(shop.approveToolCall({ runId: "run-two", toolCallId: "pay-twice-1" }));
got.twoOfTwo = await chunksOf(shop.approveToolCall({ runId: "run-two", toolCallId: "pay-twice-0" }));
got.everything = await shop.generate("work", { requireToolApproval: true });
got.everythingElse = await shop.approveToolCallGenerate({ runId: got.everything.runId, toolCallId: "work-0" });

// A tool that waits for data.
got.asked = await chunksOf(shop.stream("ask", { runId: "run-ask" }));
got.observed = await chunksOf(shop.observe({ runId: "run-ask" }));
got.wrongAnswer = await failing(() => shop.resumeStream({ answer: 8 }, { runId: "run-ask", toolCallId: "ask-0" }));
got.answered = await chunksOf(shop.resumeStream({ answer: "at eight" }, { runId: "run-ask", toolCallId: "ask-0" }));
await chunksOf(shop.stream("ask", { runId: "run-ask-2" }));
got.answeredIdle = await chunksOf(shop.resumeStreamUntilIdle({ answer: "at nine" }, { runId: "run-ask-2" }));
got.waitingInTheEnd = await shop.listSuspendedRuns({ page: 0, perPage: 1 });

// Tools that the client has, and calls.
const located = [];
const clientTools = {
  locate: {
    id: "locate",
    description: "Where the user is.",
    inputSchema: { type: "object", properties: { fine: { type: "boolean" } } },
    execute: async (input) => {
      located.push(input);
      return { city: "Oslo" };
    },
  },
};
got.located = await shop.generate("locate", { clientTools });
got.locatedStream = await chunksOf(shop.stream([{ role: "user", content: "locate" }], { clientTools }));
got.locatedWith = located;

console.log(JSON.stringify(got));
