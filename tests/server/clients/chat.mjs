// Uses the chat of the AI SDK's React package with its defaults; prints the messages as JSON.
import { Chat } from "@ai-sdk/react";
import {
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
} from "ai";

const host = process.argv[2];
const got = {};

function open(path, id, { memory, headers, ...options } = {}) {
  const body = {
    ...(memory ? { memory: { thread: id, resource: "ann" } } : {}),
    clientTools: { locate: { description: "Where the user is.", inputSchema: { type: "object" } } },
  };
  const transport = new DefaultChatTransport({ api: `${host}${path}`, body, headers });
  return new Chat({ id, transport, ...options });
}

async function settle(chat) {
  while (chat.status === "submitted" || chat.status === "streaming")
    await new Promise((done) => setTimeout(done, 10));
  await new Promise((done) => setTimeout(done, 50)); // a message that is sent automatically
  if (chat.status === "submitted" || chat.status === "streaming") await settle(chat);
}

function show(chat) {
  return { messages: chat.messages, status: chat.status, error: chat.error?.message };
}

async function talk(path, id, options, ...texts) {
  const chat = open(path, id, options);
  for (const text of texts) {
    await chat.sendMessage(typeof text === "string" ? { text } : text);
    await settle(chat);
  }
  return chat;
}

const text = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");
const until = async (check) => {
  for (let tries = 0; tries < 400 && !check(); tries++) await new Promise((done) => setTimeout(done, 10));
};

for (const [name, path] of [["chat", "/chat/shop"], ["ui", "/api/agents/shop/stream/ui"]]) {
  const file = { type: "file", mediaType: "text/plain", filename: "a.txt", url: "data:text/plain;base64,aGk=" };
  got[`${name} history`] = show(await talk(path, `${name}-history`, { memory: true },
    { text: "one", files: [file] }, "two", "work"));

  const automatic = { sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls };
  for (const memory of [true, false]) {
    let chat;
    const onToolCall = ({ toolCall }) =>
      void chat.addToolOutput({ tool: toolCall.toolName, toolCallId: toolCall.toolCallId, output: "Oslo" });
    chat = open(path, `${name}-tool-${memory}`, { memory, onToolCall, ...automatic });
    await chat.sendMessage({ text: "locate" });
    await settle(chat);
    await until(() => chat.messages.length > 1 && text(chat.messages.at(-1)));
    got[`${name} browser tool ${memory}`] = show(chat);
  }

  for (const approved of [true, false]) {
    const id = `${name}-approval-${approved}`;
    const options = { memory: true, sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses };
    const chat = await talk(path, id, options, "pay");
    const asked = chat.messages.at(-1).parts.find((part) => part.type === "tool-pay");
    const state = asked.state;
    await chat.addToolApprovalResponse({ id: asked.approval.id, approved });
    await until(() => text(chat.messages.at(-1)));
    await settle(chat);
    await chat.sendMessage({ text: "after" });
    await settle(chat);
    got[`${name} approval ${approved}`] = { ...show(chat), state };
  }
}

const stopped = open("/chat/ticking", "stopped", { memory: true });
void stopped.sendMessage({ text: "tick" });
await until(() => stopped.messages.length > 1 && text(stopped.messages[1]));
await stopped.stop();
got.stopped = show(stopped);

const headers = { "x-mastra-abort-on-disconnect": "false" };
const left = open("/chat/ticking", "left", { headers });
void left.sendMessage({ text: "kept" });
await until(() => left.messages.length > 1 && text(left.messages[1]));
await left.stop();
const returned = open("/chat/ticking", "left");
await returned.resumeStream();
await settle(returned);
got.resumed = show(returned);
await returned.resumeStream();
got.resumedTwice = show(returned);

got.failed = show(await talk("/chat/broken", "failed", {}, "x"));
got.unknown = show(await talk("/chat/nobody", "unknown", {}, "x"));
got.fixed = show(await talk("/support", "fixed", {}, "hello"));

console.log(JSON.stringify(got));
