// Passes each request on to the carried Python over a Unix socket.
import http from "node:http";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { discardApp, startApp } from "./app_process.mjs";
import { BACKGROUND, callBackground, removePrefix } from "./background.mjs";
import { facts } from "./facts.mjs";
import { CLIENT_LEFT, isTimeOver, watchInvocation } from "./invocation.mjs";

const WITHOUT_BODY = new Set([204, 205, 304]);
const UNREACHABLE = new Set(["ECONNREFUSED", "ENOENT"]);
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
const ATTEMPTS = 3; // by a kept connection, by a new one, and by a new Python
const ENDING = 250; // milliseconds in which Python ends after it has broken a connection
const LARGE_BODY = 65_536; // bytes
const BUFFER = 65_536; // bytes of a response that wait for the client
const MESSAGES = {
  500: "The application cannot start.",
  502: "The application ended before it answered.",
  504: "The application did not answer in time.",
};
const HOP_BY_HOP = new Set(
  ["connection", "expect", "keep-alive", "te", "transfer-encoding", "upgrade"],
);
// Headers by which a client could forge its address; what the platform knows replaces them.
const FORGEABLE = /^(?:forwarded|x-forwarded-.*|x-real-ip)$/;
// Netlify sets some variables with each request only, such as NETLIFY_DB_URL.
const ENVIRONMENT = "x-mastra-environment";
// Python answers a request with this header without the app.
const WARM_UP = "x-mastra-warm-up";
const REPLACED = new Set(["host", "content-length", ENVIRONMENT, WARM_UP]);

export default async function handle(request, context) {
  const response = await respond(request, context);
  const path = response.headers.get(BACKGROUND);
  if (!path || !facts.role) return response;
  if (facts.role === "worker") return finishInBackground(response, path, request.url);
  response.headers.delete(BACKGROUND);
  await callBackground(path, request.url);
  return response;
}

// Wait until the runs of the background function rest. Where its time is over before, the app hands
// them back, and another invocation continues them.
async function finishInBackground(response, path, url) {
  const reading = response.body?.pipeTo(new WritableStream()) ?? Promise.resolve();
  const isComplete = await reading.then(() => true, () => false);
  if (!isComplete && isTimeOver()) {
    await discardApp(await startApp());
    await callBackground(path, url);
  }
  return new Response(null, { status: response.status });
}

async function respond(request, context) {
  const body = await readBody(request);
  // Python may have ended while the instance was frozen. Node learns it before this continues.
  await new Promise(setImmediate);
  let isFirst = true;
  for (let left = ATTEMPTS; ; left -= 1) {
    try {
      return await forward(await startApp(), request, context, { body, reuse: isFirst });
    } catch (error) {
      if (!error.isUnsent || left === 1) {
        // The next request must not reach the Python that is ending.
        if (error.code === "ECONNRESET") await Promise.race([error.app.ended, wait(ENDING)]);
        return refuse(error);
      }
      if (UNREACHABLE.has(error.code)) discardApp(error.app);
      isFirst = false;
    }
  }
}

// Send a request without the app, so that the first request of a client finds the code loaded.
export async function warmUp() {
  const starting = startApp();
  const request = new Request("https://localhost"); // Node loads much for it, while Python starts
  const options = { body: null, reuse: true, headers: [[WARM_UP, "1"]] };
  const response = await forward(await starting, request, undefined, options);
  await response.arrayBuffer();
}

// Return the whole body where it is small, so that it can be sent again, and `null` without one.
async function readBody(request) {
  const size = Number(request.headers.get("content-length") ?? NaN);
  if (!request.body) return null;
  return size < LARGE_BODY ? Buffer.from(await request.arrayBuffer()) : request.body;
}

// Answer without the app. The cause is for the log only.
function refuse(error) {
  if (error.status !== CLIENT_LEFT) console.error(String(error.message ?? error));
  const status = error.status ?? (error.app ? 502 : 500);
  const headers = { "cache-control": "no-store" };
  return Response.json({ error: MESSAGES[status] ?? "" }, { status, headers });
}

function forward(app, request, context, { body, reuse, headers = [] }) {
  const environment = { ...process.env };
  const changes = findChanges(app.environment, environment);
  if (changes) headers.push([ENVIRONMENT, changes]);
  const head = buildHead(request, context, headers);
  const connection = reuse ? app.connection : { ...app.connection, agent: false };
  const isLarge = body !== null && !Buffer.isBuffer(body);
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ ...connection, ...head }, (incoming) => {
      app.environment = environment; // Python has it
      incoming.on("error", () => undefined); // the stream of the response reports it
      incoming.once("close", () => outgoing.destroy()); // also where the body was not sent
      resolve(toResponse(incoming, request.method));
    });
    const unwatch = watchInvocation((error) => outgoing.destroy(error));
    outgoing.once("close", unwatch);
    let isBegun = false;
    outgoing.once("continue", () => {
      isBegun = true;
      Readable.fromWeb(body).pipe(outgoing);
    });
    outgoing.on("error", (error) => {
      reject(Object.assign(error, { app, isUnsent: !isBegun && isUnsent(error, outgoing) }));
    });
    request.signal?.addEventListener("abort", () => outgoing.destroy(request.signal.reason));
    if (!isLarge) outgoing.end(body);
  });
}

// Return whether Python has not begun with a request, so that it can be sent again.
function isUnsent(error, outgoing) {
  if (UNREACHABLE.has(error.code)) return true;
  if (!outgoing.reusedSocket) return false;
  // Python closed the connection after its last response. Only the first error proves that no byte
  // of this request has reached it.
  return error.code === "EPIPE" || (error.code === "ECONNRESET" && SAFE.has(outgoing.method));
}

function buildHead(request, context, added) {
  const url = new URL(request.url);
  const headers = [...request.headers].filter(([name]) => !isHidden(name)).concat(added);
  headers.push(["host", url.host], ["x-forwarded-proto", url.protocol.slice(0, -1)]);
  if (context?.ip) headers.push(["x-forwarded-for", context.ip]);
  if (request.body) headers.push(...buildFraming(request.headers.get("content-length")));
  const path = removePrefix(url.pathname) + url.search;
  return { method: request.method, path, headers: headers.flat() };
}

// Node does not frame the body of DELETE and OPTIONS by itself.
function buildFraming(size) {
  const framing = size ? ["content-length", size] : ["transfer-encoding", "chunked"];
  // An app that refuses a large body answers without reading it. The connection would break while
  // the body is sent, and the answer would be lost.
  const asksFirst = !size || Number(size) >= LARGE_BODY;
  return asksFirst ? [framing, ["expect", "100-continue"]] : [framing];
}

// Return the variables that Python does not have yet, encoded; `null` removes one.
function findChanges(before, after) {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...names].filter((name) => after[name] !== before[name]);
  if (changed.length === 0) return undefined;
  const changes = Object.fromEntries(changed.map((name) => [name, after[name] ?? null]));
  return Buffer.from(JSON.stringify(changes)).toString("base64");
}

function isHidden(name) {
  return REPLACED.has(name) || HOP_BY_HOP.has(name) || FORGEABLE.test(name);
}

function toResponse(incoming, method) {
  const headers = new Headers();
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index];
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.append(name, incoming.rawHeaders[index + 1]);
  }
  const status = incoming.statusCode;
  const isEmpty = method === "HEAD" || WITHOUT_BODY.has(status);
  if (isEmpty) incoming.resume();
  const strategy = new ByteLengthQueuingStrategy({ highWaterMark: BUFFER });
  return new Response(isEmpty ? null : Readable.toWeb(incoming, { strategy }), { status, headers });
}
