// Calls the background function, whose invocations may take 15 minutes.
import { facts } from "./facts.mjs";

// The app names the path that continues its runs in this header of a response.
export const BACKGROUND = "x-mastra-background";
const PREFIX = "/_background"; // of the paths that Netlify sends to the background function
const TIMEOUT = 5_000; // milliseconds; Netlify responds before the function runs

// Let the background function request a path of the app. Returns before the app responds.
export async function callBackground(path, url) {
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(new URL(PREFIX + path, url), { signal, redirect: "manual" });
    await response.body?.cancel();
    if (response.status !== 202) throw new Error(`Netlify responded with status ${response.status}.`);
  } catch (error) {
    const cause = error.cause?.message ?? error.message;
    console.error(`Runs wait for the next request, because the background function failed: ${cause}`);
  }
}

// Return the path of a request as the app knows it.
export function removePrefix(path) {
  const isPrefixed = facts.role === "worker" && path.startsWith(`${PREFIX}/`);
  return isPrefixed ? path.slice(PREFIX.length) : path;
}
