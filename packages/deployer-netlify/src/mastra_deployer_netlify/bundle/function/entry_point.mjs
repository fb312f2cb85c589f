// The entry point that Netlify runs. The app starts while AWS Lambda initializes the instance.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { startApp } from "./app_process.mjs";
import { runInvocation } from "./invocation.mjs";

const INITIALIZATION = 8_000; // milliseconds; AWS Lambda ends an initialization after 10 seconds
// Variables in this file can be read with the first request only, so the app starts with it.
const ENCRYPTED = join(process.env.LAMBDA_TASK_ROOT ?? import.meta.dirname, "___netlify-env.json.enc");
const startsEarly = !existsSync(ENCRYPTED);

// Python starts while Node loads the rest, which takes about 50 milliseconds.
if (startsEarly) startApp().catch(() => undefined);
const { getLambdaHandler } = await import("./___netlify-bootstrap.mjs");
const { warmUp } = await import("./handler.mjs");

// Netlify's handler knows neither the time that is left nor whether the client has left.
const platform = globalThis.awslambda;
globalThis.awslambda = {
  ...platform,
  streamifyResponse: (handle, ...options) => {
    const run = (event, stream, context) =>
      runInvocation({ stream, context }, () => handle(event, stream, context));
    return platform.streamifyResponse(run, ...options);
  },
};
export const handler = getLambdaHandler("./handler.mjs");
globalThis.awslambda = platform;

if (startsEarly) {
  let timer;
  const starting = warmUp();
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, INITIALIZATION);
  });
  // Where the app cannot start, the first request tries again, and reports the error.
  await Promise.race([starting.catch(() => undefined), limit]);
  clearTimeout(timer);
}
