// Mastra's own client for the server under test, and what a call that may fail came to.
import { MastraClient } from "@mastra/client-js";

export const client = new MastraClient({ baseUrl: process.argv[2], retries: 0 });

export async function failing(call) {
  try {
    return { value: await call() };
  } catch (error) {
    return { status: error.status, message: error.message };
  }
}
