// Starts the carried Python once per instance, and passes each request on to it over a Unix socket.
import { spawn } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const facts = JSON.parse(readFileSync(join(here, "mastra.json"), "utf8"));
const WITHOUT_BODY = new Set([204, 205, 304]);
const UNSENT = new Set(["ECONNREFUSED", "ENOENT"]);
const LARGE_BODY = 65_536; // bytes
const HOP_BY_HOP = new Set(
  ["connection", "expect", "keep-alive", "te", "transfer-encoding", "upgrade"],
);
// Headers by which a client could forge its address; what the platform knows replaces them.
const FORGEABLE = /^(?:forwarded|x-forwarded-.*|x-real-ip)$/;
// Netlify sets some variables with each request only, such as NETLIFY_DB_URL.
const ENVIRONMENT = "x-mastra-environment";
const CERTIFICATES = [
  join(here, "vendor/certifi/cacert.pem"),
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/certs/ca-certificates.crt",
];

let app;

export function startApp() {
  app ??= spawnApp();
  return app.catch((error) => {
    app = undefined;
    throw error;
  });
}

export default async function handle(request, context) {
  let started;
  try {
    started = await startApp();
  } catch (error) {
    console.error(String(error.message ?? error));
    return new Response('{"error":"The application cannot start."}', {
      status: 500,
      headers: { "content-type": "application/json", "cache-control": "no-store" },
    });
  }
  try {
    return await forward(started, request, context);
  } catch (error) {
    if (!UNSENT.has(error.code)) throw error;
    app = undefined; // Python ended, and nothing of the request was sent
    return forward(await startApp(), request, context);
  }
}

function spawnApp() {
  const directory = mkdtempSync(join(tmpdir(), "mastra-"));
  const address = join(directory, "app.sock");
  const python = join(here, facts.python);
  const run = [join(here, "host.py"), address];
  const loader = facts.loader && prepareLoader(join(here, facts.loader), directory);
  const [command, ...options] = loader
    ? [loader, "--library-path", join(here, facts.libraries), "--argv0", python, python, "-s", "-B"]
    : [python, "-s", "-B"];
  const child = spawn(command, [...options, ...run], {
    env: {
      ...process.env,
      ...findCertificates(),
      FORWARDED_ALLOW_IPS: "*", // only this process can open the socket
      LANG: "C.UTF-8",
      PYTHONHOME: join(here, facts.home),
      PYTHONUNBUFFERED: "1",
    },
    stdio: ["pipe", "inherit", "inherit", "pipe"], // a closed stdin ends the child
  });
  const starting = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      rmSync(directory, { recursive: true, force: true });
      if (app === starting) app = undefined; // the next request starts another child
      reject(new Error(`Python ended while it started (${signal ?? code}).`));
    });
    child.stdio[3].once("data", () => {
      for (const handle of [child, child.stdin, child.stdio[3]]) handle.unref();
      resolve({ address, environment: { ...process.env } });
    });
  });
  return starting;
}

// Return a loader that can be executed: a copy, where the function was unpacked without modes.
function prepareLoader(loader, directory) {
  try {
    accessSync(loader, constants.X_OK);
    return loader;
  } catch {
    const copy = join(directory, "loader");
    copyFileSync(loader, copy);
    chmodSync(copy, 0o755);
    return copy;
  }
}

// The carried OpenSSL looks for certificates where the machine that built it has them.
function findCertificates() {
  const file = process.env.SSL_CERT_FILE ?? CERTIFICATES.find((path) => existsSync(path));
  return file ? { SSL_CERT_FILE: file } : {};
}

// Return the variables that changed since the app got them; `null` removes one.
function takeChanges(started) {
  const names = new Set([...Object.keys(process.env), ...Object.keys(started.environment)]);
  const changes = [...names].filter((name) => process.env[name] !== started.environment[name]);
  started.environment = { ...process.env };
  return Object.fromEntries(changes.map((name) => [name, process.env[name] ?? null]));
}

function forward(started, request, context) {
  const url = new URL(request.url);
  const headers = [...request.headers].filter(([name]) => !isHidden(name));
  headers.push(["host", url.host], ["x-forwarded-proto", url.protocol.slice(0, -1)]);
  const changes = JSON.stringify(takeChanges(started));
  if (changes !== "{}") headers.push([ENVIRONMENT, Buffer.from(changes).toString("base64")]);
  if (context?.ip) headers.push(["x-forwarded-for", context.ip]);
  // Node does not frame the body of DELETE and OPTIONS by itself.
  const size = request.headers.get("content-length");
  const framing = size ? ["content-length", size] : ["transfer-encoding", "chunked"];
  if (request.body) headers.push(framing);
  // An app that refuses a large body answers without reading it. The connection would break while
  // the body is sent, and the answer would be lost.
  const asksFirst = request.body && (!size || Number(size) >= LARGE_BODY);
  if (asksFirst) headers.push(["expect", "100-continue"]);
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        socketPath: started.address,
        agent: false,
        method: request.method,
        path: url.pathname + url.search,
        headers: headers.flat(),
      },
      (incoming) => {
        incoming.once("close", () => outgoing.destroy()); // also where the body was not sent
        resolve(toResponse(incoming, request.method));
      },
    );
    outgoing.on("error", reject);
    request.signal?.addEventListener("abort", () => outgoing.destroy());
    if (!request.body) return outgoing.end();
    const send = () => Readable.fromWeb(request.body).pipe(outgoing);
    if (asksFirst) outgoing.once("continue", send);
    else outgoing.once("socket", (socket) => socket.once("connect", send));
  });
}

function isHidden(name) {
  const isReplaced = name === "host" || name === "content-length" || name === ENVIRONMENT;
  return isReplaced || HOP_BY_HOP.has(name) || FORGEABLE.test(name);
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
  return new Response(isEmpty ? null : Readable.toWeb(incoming), { status, headers });
}
