// Serves a Worker with local D1 databases over HTTP, so that tests in CPython can use them.
import { readFileSync } from "node:fs";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";

const [script, ...databases] = process.argv.slice(2);
const options = convertV4MiniflareOptions({
  modules: true,
  script: readFileSync(script, "utf-8"),
  compatibilityDate: "2026-11-17",
  d1Databases: databases,
  resourcePersistencePath: "resources",
  host: "127.0.0.1",
  port: 0,
});
const miniflare = new Miniflare(options);
console.log((await miniflare.ready).port);

process.stdin.resume();
process.stdin.on("end", async () => {
  await miniflare.dispose();
  process.exit(0);
});
