// Runs the modules of a bundle as Cloudflare runs a Python Worker: node worker_host.mjs OPTIONS-FILE
//
// The options are JSON: pyodide (directory of the npm package), modules (directory), main, host,
// port, portFile, variables (values by name), bindings (a configuration for wrangler's local
// bindings, or null), wrangler (the directory of the package, or null), check (import only, and
// print a report).

import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { WebSocketPair, connectSocket } from './websocket_pair.mjs';

const ROOT = '/session/metadata';
const VENDOR = `${ROOT}/python_modules`;
const HERE = path.dirname(fileURLToPath(import.meta.url));
const SCHEDULED = '/cdn-cgi/handler/scheduled';
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer',
  'transfer-encoding', 'upgrade', 'expect']);

// Node would print the source of the failed line, which is all of Pyodide.
process.on('uncaughtException', (error) => {
  fs.writeSync(2, `${error.stack ?? error}\n`);
  process.exit(1);
});
const options = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
fs.unlinkSync(process.argv[2]); // the values of variables stay in memory only

// A preview that was killed leaves no process.
if (options.parent) {
  setInterval(() => { if (process.ppid !== options.parent) process.exit(0); }, 500).unref();
}

// Node has neither WebSocketPair nor responses with the status 101.
globalThis.WebSocketPair = WebSocketPair;
globalThis.Response = class Response extends globalThis.Response {
  constructor(body, init) {
    super(body, init?.status === 101 ? { ...init, status: 200 } : init);
    if (init?.status === 101) this.webSocket = init.webSocket;
  }
};

const entropy = { module: null, address: 0, refused: [] }; // the module is set during the import
guardRandomness();

const env = { ...options.variables, ...(await openBindings()) };
const python = await startPython();
const report = importMain(python);
if (options.check) {
  fs.writeSync(1, JSON.stringify(report) + '\n');
  process.exit(0);
}
if (report.error || report.randomness.length) {
  const refused = report.randomness.map((stack) => `Randomness is not allowed during the import:\n${stack}`);
  fs.writeSync(2, report.error || refused.join('\n'));
  process.exit(1);
}
serve();

// ---------------------------------------------------------------------------------------------
// Python

async function startPython() {
  const { loadPyodide } = await import(pathToFileURL(path.join(options.pyodide, 'pyodide.mjs')));
  const pyodide = await loadPyodide({
    indexURL: options.pyodide + path.sep,
    env: { HOME: '/session', PYTHONDONTWRITEBYTECODE: '1', TZ: 'UTC' },
    stdout: (text) => fs.writeSync(1, text + '\n'),
    stderr: printError,
  });
  pyodide.FS.mkdirTree(ROOT);
  copyDirectory(pyodide.FS, options.modules, ROOT);
  installHostModules(pyodide);
  pyodide.runPython(`
import sys, os, site
position = next(n for n, item in enumerate(sys.path) if item.endswith("site-packages"))
sys.path.insert(position, ${JSON.stringify(VENDOR)})
sys.path.append(${JSON.stringify(ROOT)})
os.chdir("/")
from _cloudflare.allow_entropy import refuse_entropy
from _cloudflare.import_patch_manager import install_finder
refuse_entropy()
install_finder()
site.addsitedir(${JSON.stringify(VENDOR)})
`);
  return pyodide;
}

function installHostModules(pyodide) {
  const packages = `${pyodide.runPython('import sysconfig; sysconfig.get_path("purelib")')}/_cloudflare`;
  pyodide.FS.mkdirTree(packages);
  const files = {
    '__init__.py': null,
    'allow_entropy.py': 'entropy_child.py',
    'import_patch_manager.py': 'import_patches_child.py',
  };
  for (const [name, source] of Object.entries(files)) {
    pyodide.FS.writeFile(`${packages}/${name}`, source ? fs.readFileSync(path.join(HERE, source)) : '');
  }
  const workers = { env, waitUntil: (promise) => current.waitUntil(promise) };
  pyodide.registerJsModule('_pyodide_entrypoint_helper', {
    cloudflareWorkersModule: workers,
    cloudflareSocketsModule: {},
    doAnImport: (name) => import(pathToFileURL(path.join(options.modules, name))),
    patchWaitUntil: () => {},
  });
  pyodide.registerJsModule('_cloudflare_compat_flags', {
    python_workflows_implicit_dependencies: true,
    python_request_headers_preserve_commas: true,
  });
}

function copyDirectory(FS, source, target) {
  for (const entry of fs.readdirSync(source, { withFileTypes: true })) {
    const from = path.join(source, entry.name);
    const to = `${target}/${entry.name}`;
    if (entry.isDirectory()) {
      FS.mkdir(to);
      copyDirectory(FS, from, to);
    } else {
      FS.writeFile(to, fs.readFileSync(from), { canOwn: true });
      FS.chmod(to, 0o444);
    }
  }
  FS.chmod(target, 0o555);
}

// Returns a report: how long the import took, and why it failed.
function importMain(pyodide) {
  const rules = pyodide.pyimport('_cloudflare.allow_entropy');
  entropy.address = rules.get_address();
  entropy.module = pyodide._module;
  const restore = restrictImport();
  const before = process.cpuUsage();
  const result = { error: '', milliseconds: 0, randomness: [], modules: 0 };
  try {
    pyodide.pyimport(options.main.replace(/\.py$/, ''));
  } catch (error) {
    result.error = String(error.message ?? error);
  }
  restore();
  pyodide.runPython('import sys; sys.stderr.flush()');
  const used = process.cpuUsage(before);
  result.milliseconds = Math.round((used.user + used.system) / 1000);
  result.randomness = entropy.refused;
  entropy.refused = [];
  result.modules = pyodide.runPython('len(sys.modules)');
  entropy.module = null;
  return result;
}

// Applies the rules for the clock, timers and requests. Returns a function that ends the rules.
function restrictImport() {
  let isImporting = true;
  const { now } = Date;
  const started = now();
  Date.now = () => (isImporting ? now() - started : now()); // the clock begins in 1970
  for (const name of ['fetch', 'setInterval', 'setTimeout']) {
    const original = globalThis[name];
    globalThis[name] = (...values) => { // the app may keep it for its requests
      if (isImporting) throw new Error(`${name} is not allowed during the import.`);
      return original(...values);
    };
  }
  return () => { isImporting = false; };
}

// Python and compiled code ask Node for randomness. Python's own call is refused by
// entropy_child.py. Here, compiled code is found that asks without permission.
function guardRandomness() {
  const original = crypto.randomFillSync;
  crypto.randomFillSync = (array, ...rest) => {
    if (entropy.module === null) return original(array, ...rest);
    const { HEAP8 } = entropy.module;
    if (HEAP8[entropy.address] > 0) HEAP8[entropy.address] -= 1;
    else if (HEAP8[entropy.address] === 0) entropy.module._dump_traceback(); // see printError
    return array.fill(43);
  };
}

// Lines of stderr during the import: the stacks of refused calls are kept, and the rest is printed.
function printError(text) {
  const isStack = text.startsWith('Stack (most recent call first)');
  if (entropy.module !== null && isStack) entropy.refused.push('');
  else if (entropy.refused.length && text.startsWith('  File "')) {
    entropy.refused[entropy.refused.length - 1] += `${text}\n`;
  } else fs.writeSync(2, text + '\n');
}

// ---------------------------------------------------------------------------------------------
// Bindings

async function openBindings() {
  if (!options.wrangler || !options.bindings) return {};
  const require = createRequire(path.join(options.wrangler, 'package.json'));
  const { getPlatformProxy } = await import(pathToFileURL(require.resolve('wrangler')));
  const proxy = await getPlatformProxy(options.bindings);
  const stop = async () => { await proxy.dispose(); process.exit(0); };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return proxy.env;
}

// ---------------------------------------------------------------------------------------------
// Requests

let current = null; // the execution context of the request whose code runs first

function serve() {
  const main = python.pyimport(options.main.replace(/\.py$/, ''));
  const worker = { Default: main.Default, Request: python.pyimport('workers').Request };
  const server = http.createServer(async (incoming, outgoing) => {
    outgoing.on('error', () => {}); // of a client that has left; it would end the preview
    prepareFirstRequest();
    try {
      const isTrigger = incoming.url.startsWith(SCHEDULED);
      await (isTrigger ? runTrigger(worker, incoming, outgoing) : answer(worker, incoming, outgoing));
    } catch (error) {
      fs.writeSync(2, `${error.message ?? error}\n`);
      if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'text/plain' });
      outgoing.end('error code: 1101');
    }
  });
  server.on('upgrade', async (incoming, socket, head) => {
    socket.on('error', () => {}); // as above
    socket.unshift(head); // what the client sent before the answer
    prepareFirstRequest();
    try {
      await openWebSocket(worker, incoming, socket);
    } catch (error) {
      fs.writeSync(2, `${error.message ?? error}\n`);
      socket.end('HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n');
    }
  });
  server.requestTimeout = 0;
  server.listen(options.port, options.host, () => {
    fs.writeFileSync(`${options.portFile}.new`, String(server.address().port));
    fs.renameSync(`${options.portFile}.new`, options.portFile);
  });
  server.on('error', (error) => { fs.writeSync(2, `${error.message}\n`); process.exit(98); });
}

let isReady = false;

function prepareFirstRequest() {
  if (isReady) return;
  isReady = true;
  python.runPython(`
from _cloudflare.allow_entropy import restore_entropy
from _cloudflare.import_patch_manager import prepare_first_request
restore_entropy()
prepare_first_request()
`);
}

function createContext() {
  current = {
    waitUntil: (promise) => { Promise.resolve(promise).catch(() => {}); },
    passThroughOnException: () => {},
    props: {},
  };
  return current;
}

async function call(worker, incoming) {
  const instance = worker.Default(createContext(), env);
  const result = await instance.fetch(worker.Request(buildRequest(incoming)));
  return result?.js_object ?? result;
}

async function answer(worker, incoming, outgoing) {
  await send(await call(worker, incoming), incoming, outgoing);
}

// Runs a cron trigger, at the address that `wrangler dev` has for it.
async function runTrigger(worker, incoming, outgoing) {
  const query = new URL(incoming.url, 'http://localhost').searchParams;
  const controller = {
    cron: query.get('cron') ?? '* * * * *',
    scheduledTime: Number(query.get('time') ?? Date.now()),
  };
  const context = createContext();
  await worker.Default(context, env).scheduled(controller, env, context);
  outgoing.end('ok');
}

async function openWebSocket(worker, incoming, socket) {
  const response = await call(worker, incoming);
  if (response.webSocket === undefined) {
    socket.end(`HTTP/1.1 ${response.status} \r\nConnection: close\r\n\r\n`);
    return;
  }
  const protocol = response.headers.get('sec-websocket-protocol');
  connectSocket(socket, incoming.headers['sec-websocket-key'], response.webSocket, protocol);
}

function buildRequest(incoming) {
  const headers = new Headers();
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index].toLowerCase();
    if ((!HOP_BY_HOP.has(name) || name === 'upgrade') && !name.startsWith('cf-')) {
      headers.append(name, incoming.rawHeaders[index + 1]);
    }
  }
  const address = incoming.socket.remoteAddress;
  headers.set('cf-connecting-ip', address);
  headers.set('x-real-ip', address);
  headers.set('x-forwarded-proto', 'http');
  const hasBody = !['GET', 'HEAD'].includes(incoming.method)
    && (incoming.headers['transfer-encoding'] || Number(incoming.headers['content-length']) > 0);
  return new Request(`http://${incoming.headers.host ?? 'localhost'}${incoming.url}`, {
    method: incoming.method,
    headers,
    redirect: 'manual',
    ...(hasBody ? { body: streamBody(incoming), duplex: 'half' } : {}),
  });
}

// The rest of a body that the Worker does not read is dropped, so that the client reads the response.
function streamBody(incoming) {
  let isDropped = false;
  const drop = () => { isDropped = true; incoming.resume(); };
  incoming.once('answered', drop);
  return new ReadableStream({
    start(controller) {
      incoming.on('data', (data) => {
        if (isDropped) return;
        controller.enqueue(new Uint8Array(data));
        if (controller.desiredSize <= 0) incoming.pause();
      });
      incoming.on('end', () => { if (!isDropped) controller.close(); });
      incoming.on('error', (error) => { if (!isDropped) controller.error(error); });
      incoming.pause();
    },
    pull() { incoming.resume(); },
    cancel() { drop(); },
  });
}

async function send(response, incoming, outgoing) {
  const headers = [];
  for (const [name, value] of response.headers) headers.push(name, value);
  outgoing.writeHead(response.status, headers);
  incoming.emit('answered');
  if (!response.body || incoming.method === 'HEAD') {
    response.body?.cancel().catch(() => {});
    outgoing.end();
    return;
  }
  const reader = response.body.getReader();
  outgoing.on('close', () => { reader.cancel(new Error('The client has left.')).catch(() => {}); });
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (outgoing.destroyed) break;
      if (!outgoing.write(part.value)) {
        await new Promise((resolve) => { outgoing.once('drain', resolve); outgoing.once('close', resolve); });
      }
    }
    outgoing.end();
  } catch (error) {
    fs.writeSync(2, `The response to ${incoming.method} ${incoming.url} is incomplete: ${error.message ?? error}\n`);
    outgoing.destroy();
  }
}
