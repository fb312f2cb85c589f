// Measure requests through a function's handler and directly on the socket of its Python, in turns:
//   TMPDIR=... node bridge.mjs FUNCTION COUNT PATH STREAM-PATH STREAM-BODY
// Prints JSON: the milliseconds of `request` and of the `first` chunk of a stream, by side.
import { readdirSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { PassThrough } from "node:stream";

const [directory, count, path, streamPath, streamBody] = process.argv.slice(2);
process.env.LAMBDA_TASK_ROOT = directory;
globalThis.awslambda = {
  streamifyResponse: (handler) => handler,
  HttpResponseStream: { from: (stream) => stream },
};
const { handler } = await import(join(directory, "___netlify-entry-point.mjs"));
const temporary = process.env.TMPDIR;
const names = readdirSync(temporary).map((name) => join(temporary, name));
const home = names.find((name) => readdirSync(name).includes("app.sock"));
const agent = new http.Agent({ keepAlive: true });
const HEADERS = { host: "shop.netlify.app", "content-type": "application/json" };

function callHandler(target, body) {
  const stream = new PassThrough();
  const event = {
    rawUrl: `https://shop.netlify.app${target}`,
    httpMethod: body ? "POST" : "GET",
    headers: body ? { ...HEADERS, "content-length": String(body.length) } : HEADERS,
    body,
    route: "/*",
    flags: {},
  };
  const context = { awsRequestId: "1", getRemainingTimeInMillis: () => 60_000 };
  handler(event, stream, context);
  return readStream(stream);
}

function callSocket(target, body) {
  return new Promise((resolve, reject) => {
    const method = body ? "POST" : "GET";
    const options = { socketPath: join(home, "app.sock"), agent, path: target, method };
    const request = http.request({ ...options, headers: HEADERS }, (incoming) => {
      readStream(incoming).then(resolve, reject);
    });
    request.on("error", reject).end(body);
  });
}

async function readStream(stream) {
  let first;
  for await (const _ of stream) first ??= performance.now();
  return { first, end: performance.now() };
}

const samples = { request: { bridge: [], socket: [] }, first: { bridge: [], socket: [] } };
for (let number = 0; number < Number(count); number += 1) {
  for (const [side, call] of [["bridge", callHandler], ["socket", callSocket]]) {
    const start = performance.now();
    samples.request[side].push((await call(path)).end - start);
    const streamStart = performance.now();
    samples.first[side].push((await call(streamPath, streamBody)).first - streamStart);
  }
}
console.log(JSON.stringify(samples));
process.exit(0);
