// Calls agents like a chat made with the AI SDK; prints the messages as JSON.
import { DefaultChatTransport, readUIMessageStream } from "ai";

const api = `${process.argv[2]}/api/agents/shop/stream/ui?version=v5`;
const prepareSendMessagesRequest = ({ messages }) => ({ body: { messages } });
const transport = new DefaultChatTransport({ api, prepareSendMessagesRequest });
const got = {};

async function chat(...messages) {
  const options = { chatId: "c", trigger: "submit-message", messageId: undefined };
  const stream = await transport.sendMessages({ ...options, messages });
  let last;
  const errors = [];
  const onError = (error) => errors.push(error.message);
  for await (const message of readUIMessageStream({ stream, onError })) last = message;
  return { message: last, errors };
}

async function listParts(text) {
  const options = { chatId: "c", trigger: "submit-message", messageId: undefined };
  const stream = await transport.sendMessages({ ...options, messages: [user(text)] });
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

const user = (text) => ({ id: text, role: "user", parts: [{ type: "text", text }] });

for (const words of ["hi", "think", "work", "pay", "delegate", "fail"]) got[words] = await chat(user(words));
got.pieces = await listParts("pay");
got.again = await chat(user("work"), got.work.message, user("and now"));

console.log(JSON.stringify(got));
