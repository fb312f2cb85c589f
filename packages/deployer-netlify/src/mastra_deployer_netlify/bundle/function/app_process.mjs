// Starts the carried Python once per instance.
import { spawn } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { facts } from "./facts.mjs";

const here = import.meta.dirname;
const LONG_PATH = 80; // bytes; the path of a Unix socket has at most 107
const MAX_HEAD = 262_144; // bytes of the headers of a response
const CERTIFICATES = [
  join(here, "vendor/certifi/cacert.pem"),
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/certs/ca-certificates.crt",
];

let current; // the promise of the app that answers the next request
let child; // the newest Python
let program; // what is executed: the loader of Python, or a Python without one

// AWS Lambda sends this signal to an instance that has extensions, and the preview to its instance.
process.once("SIGTERM", () => {
  const end = () => process.exit(143);
  if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return end();
  child.ref();
  child.once("exit", end);
  child.stdin.destroy();
});

// Return the running app: how to connect to it, and the variables that it has.
export function startApp() {
  if (!current) {
    const starting = spawnApp();
    starting.catch(() => forget(starting)); // the next request tries again
    current = starting;
  }
  return current;
}

// Give up an app that accepts no connections; the next request starts another one. Returns a promise
// of its end, before which the app hands back its runs.
export function discardApp(app) {
  forget(app.starting);
  app.end();
  return app.ended;
}

function forget(starting) {
  if (current === starting) current = undefined;
}

function spawnApp() {
  const parent = tmpdir().length > LONG_PATH ? "/tmp" : tmpdir();
  const directory = mkdtempSync(join(parent, "mastra-"));
  const address = join(directory, "app.sock");
  const environment = { ...process.env };
  const [command, ...options] = buildCommand();
  const python = spawn(command, [...options, join(here, "host.py"), address], {
    argv0: facts.loader ? command : join(here, facts.python), // Python finds its files by it
    env: { ...environment, ...findCertificates(), ...nameRole(), LANG: "C.UTF-8" },
    stdio: ["pipe", "inherit", "inherit", "pipe"], // a closed stdin ends the child
    detached: true, // a process group of its own, which it ends with all its processes
  });
  child = python;
  const ended = new Promise((resolve) => python.once("exit", resolve));
  const starting = new Promise((resolve, reject) => {
    python.once("error", reject);
    python.once("exit", (code, signal) => {
      forget(starting);
      endGroup(python.pid);
      rmSync(directory, { recursive: true, force: true });
      reject(new Error(`Python ended while it started (${signal ?? code}).`));
    });
    python.stdio[3].once("data", async () => {
      const { Agent } = await import("node:http"); // Python starts before Node loads it
      for (const handle of [python, python.stdin, python.stdio[3]]) handle.unref();
      const agent = new Agent({ keepAlive: true });
      const end = () => python.stdin.destroy();
      const connection = { agent, socketPath: address, maxHeaderSize: MAX_HEAD };
      resolve({ connection, environment, starting, end, ended });
    });
  });
  python.stdin.on("error", () => undefined); // it ended, which "exit" tells
  return starting;
}

// End what a killed Python could not end: the processes that the app started.
function endGroup(id) {
  try {
    process.kill(-id, "SIGKILL");
  } catch {
    // none is left
  }
}

function buildCommand() {
  const python = join(here, facts.python);
  const options = ["-s", "-B", "-u"];
  program ??= prepareProgram(facts.loader ? join(here, facts.loader) : python);
  if (!facts.loader) return [program, ...options];
  const libraries = join(here, facts.libraries);
  return [program, "--library-path", libraries, "--argv0", python, python, ...options];
}

// Return a program that can be executed: a copy, where the function was unpacked without modes.
function prepareProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    const directory = mkdtempSync(join(tmpdir(), "mastra-program-"));
    const copy = join(directory, basename(path));
    copyFileSync(path, copy);
    chmodSync(copy, 0o755);
    process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
    return copy;
  }
}

// The app leaves long runs to the background function, or is in this function.
function nameRole() {
  return facts.role ? { MASTRA_BACKGROUND_ROLE: facts.role } : {};
}

// The carried OpenSSL looks for certificates where the machine that built it has them.
function findCertificates() {
  const file = process.env.SSL_CERT_FILE ?? CERTIFICATES.find((path) => existsSync(path));
  return file ? { SSL_CERT_FILE: file } : {};
}
