// Runs a script in Pyodide, and prints the result of its function `run_requests`, which gets the
// local D1 databases as a Worker does.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { getPlatformProxy } from "wrangler";

const [settings, pyodide, bundle, script] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(pyodide));
const options = { configPath: settings, persist: false, remoteBindings: false, envFiles: [] };
const proxy = await getPlatformProxy(options);
const python = await loadPyodide();
python.FS.mkdirTree("/bundle");
python.FS.mount(python.FS.filesystems.NODEFS, { root: bundle }, "/bundle");
python.runPython("import sys; sys.path.insert(0, '/bundle/vendor')");
python.runPython(readFileSync(script, "utf-8"));
console.log(await python.globals.get("run_requests")(proxy.env));
await proxy.dispose();
process.exit(0);
