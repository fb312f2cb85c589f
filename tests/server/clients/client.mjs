// A client for the server under test, and the outcome of a call that may fail.
import { MastraClient } from "@mastra/client-js";

// It repeats a request whose response is a 5xx, as by default.
export const client = new MastraClient({ baseUrl: process.argv[2], backoffMs: 1, maxBackoffMs: 1 });

// Sends each request once.
export const single = new MastraClient({ baseUrl: process.argv[2], retries: 0 });

export async function failing(call) {
  try {
    return { value: await call() };
  } catch (error) {
    return { status: error.status, message: error.message };
  }
}
