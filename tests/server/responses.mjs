// Drives the Responses API of the server under test by Mastra's own client.
import { MastraClient } from "@mastra/client-js";

const client = new MastraClient({ baseUrl: process.argv[2], retries: 0 });
const got = { events: [] };

got.created = await client.responses.create({ agent_id: "shop", input: "hi" });
got.retrieved = await client.responses.retrieve(got.created.id);
for await (const event of await client.responses.stream({ agent_id: "shop", input: "hi" })) {
  got.events.push(event.type);
}
got.deleted = await client.responses.delete(got.created.id);
got.missing = await client.responses.retrieve(got.created.id).catch((error) => error.status);

console.log(JSON.stringify(got));
