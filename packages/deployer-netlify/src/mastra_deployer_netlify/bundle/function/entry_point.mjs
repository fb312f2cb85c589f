// The entry point that Netlify runs. Importing the handler starts the app while AWS Lambda
// initializes the instance.
import { getLambdaHandler } from "./___netlify-bootstrap.mjs";
import { startApp } from "./handler.mjs";

await startApp().catch(() => undefined); // the first request tries again, and reports the error

export const handler = getLambdaHandler("./handler.mjs");
