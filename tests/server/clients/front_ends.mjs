// Runs the code of docs/front-ends.md in a page, and uses the hooks of @mastra/react and AG-UI.
// Arguments: the server of the page, the server of the shop, and a file with the page's blocks.
import { readFileSync, writeFileSync } from "node:fs";
import { JSDOM } from "jsdom";
import { transform } from "sucrase";

const [page, shop, file] = process.argv.slice(2);
const { window } = new JSDOM("<main></main>", { url: page, pretendToBeVisual: true });
for (const name of ["document", "HTMLElement", "HTMLIFrameElement", "FormData", "Event"])
  globalThis[name] = window[name];
globalThis.window = window;
const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { MastraReactProvider, useChat } = await import("@mastra/react");
const { MastraClient } = await import("@mastra/client-js");
const { MastraAgent } = await import("@ag-ui/mastra");

const main = document.querySelector("main");
const got = {};

async function until(what, check) {
  for (let tries = 0; tries < 500; tries++) {
    const value = await check();
    if (value) return value;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`${what}: ${main.textContent}`);
}

function mount(element) {
  const root = createRoot(main);
  root.render(element);
  return () => root.unmount();
}

// The blocks of the page.
async function importBlock(code, index) {
  const options = { transforms: ["jsx"], jsxRuntime: "automatic", production: true };
  const target = new URL(`page-${process.pid}-${index}.mjs`, import.meta.url);
  writeFileSync(target, transform(code, options).code);
  return import(target);
}

async function say(text) {
  const input = await until("input", () => main.querySelector("input[name=text]"));
  input.value = text;
  input.form.requestSubmit();
}

const press = async (name) =>
  (await until(name, () => [...main.querySelectorAll("button")].find((each) => each.textContent === name))).click();
const shown = (text) => until(text, () => main.textContent.includes(text) && main.textContent);

const [aiSdk, mastraReact, agUi] = JSON.parse(readFileSync(file, "utf8"));
{
  const { Chat } = await importBlock(aiSdk, 0);
  const unmount = mount(createElement(Chat));
  await say("hello");
  got["page ai"] = await shown("You said hello.");
  unmount();
}
{
  const { Chat } = await importBlock(mastraReact, 1);
  let unmount = mount(createElement(Chat));
  await say("buy");
  await shown("Approve");
  unmount();
  unmount = mount(createElement(Chat)); // as after a reload
  await press("Approve");
  got["page react"] = await shown("paid");
  unmount();
}
{
  const { newMessages } = await importBlock(agUi, 2);
  got["page ag-ui"] = newMessages;
}

// The hooks of @mastra/react.
const client = new MastraClient({ baseUrl: shop });
const list = async (threadId) =>
  (await client.getMemoryThread({ threadId, agentId: "shop" }).listMessages()).messages;

async function open(threadId, initialMessages) {
  const chat = {};
  const Chat = () => {
    Object.assign(chat, useChat({ agentId: "shop", resourceId: "ann", threadId, initialMessages }));
    return null;
  };
  const unmount = mount(createElement(MastraReactProvider, { baseUrl: shop }, createElement(Chat)));
  await until("hook", () => chat.sendMessage);
  return { chat, unmount };
}

async function ask(threadId, mode, ...texts) {
  const { chat, unmount } = await open(threadId);
  for (const message of texts) await chat.sendMessage({ message, mode, threadId });
  await until("end", () => !chat.isRunning);
  const { messages } = chat;
  unmount();
  return messages;
}

for (const mode of ["stream", "generate"])
  got[`react ${mode}`] = await ask(`react-${mode}`, mode, "hi", "work", "think", "fail");
got["react stored"] = await list("react-stream");

for (const decision of ["approve", "decline"]) {
  const thread = `react-${decision}`;
  const before = await open(thread);
  await before.chat.sendMessage({ message: "pay", mode: "stream", threadId: thread });
  await until("approval", () => before.chat.isAwaitingToolApproval);
  before.unmount();
  const { chat, unmount } = await open(thread, await list(thread));
  await until("approval after a reload", () => chat.isAwaitingToolApproval);
  await chat[`${decision}ToolCall`]("pay-0");
  await until("answer", () => JSON.stringify(chat.messages).includes("Then: ") && !chat.isRunning);
  got[`react ${decision}`] = { shown: chat.messages, stored: await list(thread) };
  unmount();
}

// AG-UI.
async function runAgUi(threadId, ...texts) {
  const agent = new MastraAgent({ agentId: "shop", agent: client.getAgent("shop"), resourceId: "ann", threadId });
  const events = [];
  for (const content of texts) {
    agent.addMessage({ id: `${threadId}-${content}`, role: "user", content });
    await agent.runAgent({}, { onEvent: ({ event }) => void events.push(event) });
  }
  return { agent, events, messages: agent.messages, stored: await list(threadId) };
}

const talked = await runAgUi("ag-ui", "hi", "work", "think", "fail");
got["ag-ui"] = { ...talked, agent: undefined };
const paused = await runAgUi("ag-ui-ask", "ask");
const [interrupt] = paused.events.find((each) => each.type === "RUN_FINISHED").outcome?.interrupts ?? [];
got["ag-ui interrupt"] = interrupt ?? paused.events;
if (interrupt) {
  const events = [];
  const resume = [{ interruptId: interrupt.id, status: "resolved", payload: { answer: "At noon" } }];
  await paused.agent.runAgent({ resume }, { onEvent: ({ event }) => void events.push(event) });
  got["ag-ui resumed"] = { messages: paused.agent.messages, stored: await list("ag-ui-ask") };
}

console.log(JSON.stringify(got));
process.exit(0); // subscriptions of threads stay open
