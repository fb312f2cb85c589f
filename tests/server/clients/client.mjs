// A client for the server under test, and the outcome of a call that may fail.
import { MastraClient } from "@mastra/client-js";

export const client = new MastraClient({ baseUrl: process.argv[2], retries: 0 });

export async function failing(call) {
  try {
    return { value: await call() };
  } catch (error) {
    return { status: error.status, message: error.message };
  }
}
