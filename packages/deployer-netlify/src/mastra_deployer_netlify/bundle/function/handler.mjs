// Starts the carried Python once per instance, and passes each request on to it over a Unix socket.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const facts = JSON.parse(readFileSync(join(here, "mastra.json"), "utf8"));
const WITHOUT_BODY = new Set([204, 205, 304]);
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade"]);
// Headers that a client may send to forge its address; the platform's own replaces them.
const FORGEABLE = new Set(["forwarded", "x-forwarded-for", "x-real-ip", "content-length"]);

let app;

export function startApp() {
  app ??= spawnApp();
  return app.catch((error) => {
    app = undefined;
    throw error;
  });
}

export default async function handle(request, context) {
  let address;
  try {
    ({ address } = await startApp());
  } catch (error) {
    console.error(String(error.message ?? error));
    return new Response('{"error":"The application cannot start."}', {
      status: 500,
      headers: { "content-type": "application/json", "cache-control": "no-store" },
    });
  }
  return forward(address, request, context);
}

function spawnApp() {
  const directory = mkdtempSync(join(tmpdir(), "mastra-"));
  const address = join(directory, "app.sock");
  const python = join(here, facts.python);
  const run = [join(here, "host.py"), address];
  const loader = facts.loader && join(here, facts.loader);
  const [command, ...options] = loader
    ? [loader, "--library-path", join(here, facts.libraries), "--argv0", python, python, "-s", "-B"]
    : [python, "-s", "-B"];
  const child = spawn(command, [...options, ...run], {
    env: {
      ...process.env,
      LANG: "C.UTF-8",
      PYTHONHOME: join(here, facts.home),
      PYTHONUNBUFFERED: "1",
    },
    stdio: ["pipe", "inherit", "inherit", "pipe"], // a closed stdin ends the child
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      rmSync(directory, { recursive: true, force: true });
      app = undefined; // the next request starts another child
      reject(new Error(`Python ended while it started (${signal ?? code}).`));
    });
    child.stdio[3].once("data", () => resolve({ address, child }));
    child.unref();
    child.stdin.unref();
    child.stdio[3].unref();
  });
}

function forward(address, request, context) {
  const url = new URL(request.url);
  const headers = [...request.headers].filter(([name]) => !isHidden(name));
  headers.push(["host", url.host], ["x-forwarded-proto", url.protocol.slice(0, -1)]);
  if (context?.ip) headers.push(["x-forwarded-for", context.ip]);
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        socketPath: address,
        agent: false,
        method: request.method,
        path: url.pathname + url.search,
        headers: headers.flat(),
      },
      (incoming) => resolve(toResponse(incoming, request.method)),
    );
    outgoing.on("error", reject);
    request.signal?.addEventListener("abort", () => outgoing.destroy());
    if (request.body) Readable.fromWeb(request.body).pipe(outgoing);
    else outgoing.end();
  });
}

function isHidden(name) {
  return HOP_BY_HOP.has(name) || FORGEABLE.has(name) || name === "host";
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
