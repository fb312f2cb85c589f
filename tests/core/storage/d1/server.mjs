// Serves the local D1 databases of a Worker over HTTP, so that tests in CPython can use them.
//
// A request has { database, statements: [{ sql, values }] }, and is executed with prepare, bind and
// batch. Bytes are { base64 }. The response has the results of batch, or the error's message.
import { createServer } from "node:http";
import { getPlatformProxy } from "wrangler";

const proxy = await getPlatformProxy({
  configPath: process.argv[2],
  persist: false,
  remoteBindings: false,
  envFiles: [],
});

const decode = (value) =>
  value?.base64 === undefined ? value : new Uint8Array(Buffer.from(value.base64, "base64"));

async function execute({ database, statements }) {
  const binding = proxy.env[database];
  const batch = statements.map(({ sql, values }) => {
    const statement = binding.prepare(sql);
    return values.length ? statement.bind(...values.map(decode)) : statement;
  });
  return binding.batch(batch);
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let result;
  try {
    result = { results: await execute(JSON.parse(Buffer.concat(chunks).toString())) };
  } catch (error) {
    result = { error: String(error.message) };
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(result));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));

process.stdin.resume();
process.stdin.on("end", async () => {
  server.close();
  server.closeAllConnections();
  await proxy.dispose();
  process.exit(0);
});
