// Talks in a conversation with OpenAI's client; prints what it received as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/api/v1`, apiKey: "none" });
const { id } = await client.conversations.create({ metadata: { k: "v" } });
await client.responses.create({ model: "shop", input: "hello", conversation: id });
let streamed = "";
const stream = await client.responses.create({ model: "shop", input: "bye", conversation: id, stream: true });
for await (const event of stream) if (event.type === "response.output_text.delta") streamed += event.delta;
const texts = [];
for await (const item of client.conversations.items.list(id, { limit: 1 })) texts.push(item.content[0].text);
const { deleted } = await client.conversations.delete(id);
const status = await client.conversations.retrieve(id).catch((error) => error.status);
console.log(JSON.stringify({ texts, streamed, deleted, status }));
