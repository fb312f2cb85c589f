// Stands in for AWS Lambda: runs one instance of an unpacked function, and serves it over HTTP.
//   node lambda_stand_in.mjs SETTINGS
// SETTINGS is JSON:
//   directory   the unpacked function
//   portFile    a new file, which gets the port once the function is initialized
//   scheme      scheme of the addresses that the function sees
//   timeout     seconds that a request may take
//   request     bytes that the body of a request may have; in base64, unless it is text
//   response    bytes that a response may have
//   client      address of the client; if it is missing, the one in the request's header
//   eventFile   a JSON file with further fields of the events, read at each request
//   background  the port of the stand-in that runs the background function, if there is one
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { PassThrough, Transform } from "node:stream";

const settings = JSON.parse(process.argv[2]);
const TEXT = /^(?:text\/|application\/(?:json|xml|javascript|x-www-form-urlencoded|[^;]*\+json))/;
const CLIENT = "x-nf-client-connection-ip";
const BACKGROUND = "/_background/"; // the prefix of the paths of the background function

process.env.LAMBDA_TASK_ROOT = settings.directory;
globalThis.awslambda = {
  streamifyResponse: (handler) => handler,
  HttpResponseStream: {
    from(stream, head) {
      stream.setHead(head);
      return stream;
    },
  },
};
const { handler } = await import(join(settings.directory, "___netlify-entry-point.mjs"));

async function invoke(request, response) {
  const body = await readBody(request);
  const isText = TEXT.test(request.headers["content-type"] ?? "");
  const size = isText ? body.length : Math.ceil(body.length / 3) * 4;
  if (size > settings.request) return fail(response, 413, `The request has ${size} bytes.`);
  if (settings.background && request.url.startsWith(BACKGROUND)) {
    startInBackground(request, body);
    return response.writeHead(202).end();
  }
  const stream = new PassThrough();
  stream.setHead = ({ statusCode, headers, multiValueHeaders }) =>
    response.writeHead(statusCode, multiValueHeaders ?? headers).flushHeaders();
  stream.pipe(limitSize(response)).pipe(response);
  response.on("close", () => stream.destroy()); // the client left, or has everything
  const end = Date.now() + settings.timeout * 1000;
  const timer = setTimeout(() => {
    fail(response, 504, `The request timed out after ${settings.timeout} seconds.`);
  }, settings.timeout * 1000);
  const context = { awsRequestId: "1", getRemainingTimeInMillis: () => end - Date.now() };
  try {
    await handler(buildEvent(request, body), stream, context);
  } finally {
    clearTimeout(timer);
  }
}

// Pass a request to the background function, whose response nobody gets.
function startInBackground({ method, url, headers }, body) {
  const target = { host: "127.0.0.1", port: settings.background, method, path: url, headers };
  const outgoing = http.request({ ...target, agent: false }, (incoming) => incoming.resume());
  outgoing.on("error", (error) => console.error(`The background function ended: ${error.message}`));
  outgoing.end(body);
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

// Cut a response off where Netlify does.
function limitSize(response) {
  let left = settings.response;
  return new Transform({
    transform(chunk, _, done) {
      left -= chunk.length;
      if (left >= 0) return done(null, chunk);
      return fail(response, 502, `The response has more than ${settings.response} bytes.`);
    },
  });
}

function fail(response, status, message) {
  console.error(`${message} Netlify allows no more.`);
  if (response.headersSent) return response.destroy();
  const content = JSON.stringify({ errorMessage: message });
  return response.writeHead(status, { "content-type": "application/json" }).end(content);
}

function buildEvent(request, body) {
  const url = new URL(request.url, `${settings.scheme}://${request.headers.host}`);
  const client = settings.client ?? request.headers[CLIENT];
  const extra = settings.eventFile ? JSON.parse(readFileSync(settings.eventFile, "utf8")) : {};
  return {
    rawUrl: url.href,
    path: url.pathname,
    httpMethod: request.method,
    headers: { ...request.headers, ...(client ? { [CLIENT]: client } : {}) },
    body: body.toString("base64"),
    isBase64Encoded: true,
    route: "/*",
    flags: {},
    invocationMetadata: { function_name: "api", branch: "main", account_tier: "pro" },
    ...extra,
  };
}

// A preview that is killed cannot end this process.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGTERM");
}, 1000).unref();

const server = http.createServer((request, response) => {
  invoke(request, response).catch((error) => {
    if (!response.destroyed) console.error(error);
    response.destroy();
  });
});
server.listen(0, "127.0.0.1", () => {
  writeFileSync(`${settings.portFile}.new`, String(server.address().port));
  renameSync(`${settings.portFile}.new`, settings.portFile);
});
