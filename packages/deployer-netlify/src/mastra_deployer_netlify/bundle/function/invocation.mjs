// Knows when the present invocation must end: at the platform's deadline, or when its client left.
import { AsyncLocalStorage } from "node:async_hooks";
import { facts } from "./facts.mjs";

export const CLIENT_LEFT = 499;
const LATE = 504;
// Milliseconds before the deadline: for the end of the response, or for handing back runs.
const MARGIN = facts.role === "worker" ? 10_000 : 500;
const invocations = new AsyncLocalStorage();

class InvocationEnd extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// Call a function whose `watchInvocation` watches this stream and this context of AWS Lambda.
export function runInvocation(invocation, call) {
  return invocations.run(invocation, call);
}

// Return whether the time of the present invocation is over.
export function isTimeOver() {
  return invocations.getStore()?.isOver === true;
}

// Call `end` with the reason once the invocation must end. Returns a function that stops watching.
export function watchInvocation(end) {
  const invocation = invocations.getStore() ?? {};
  const { stream, context } = invocation;
  const left = context?.getRemainingTimeInMillis?.();
  const stop = () => {
    invocation.isOver = true;
    end(new InvocationEnd("The time of the request is over.", LATE));
  };
  const timer = left && setTimeout(stop, left - MARGIN);
  const leave = () => end(new InvocationEnd("The client left.", CLIENT_LEFT));
  stream?.once?.("close", leave);
  return () => {
    clearTimeout(timer);
    stream?.off?.("close", leave);
  };
}
