// What the bundler knows about this function.
import { readFileSync } from "node:fs";
import { join } from "node:path";

// `role` is "caller" or "worker" where the deployment has a background function: the caller handles
// requests, and the worker is the background function.
export const facts = JSON.parse(readFileSync(join(import.meta.dirname, "mastra.json"), "utf8"));
