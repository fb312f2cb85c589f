// Knows when the present invocation must end: at the platform's deadline, or when its client left.
import { AsyncLocalStorage } from "node:async_hooks";

export const CLIENT_LEFT = 499;
const LATE = 504;
const MARGIN = 500; // milliseconds before the deadline, for the end of the response
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

// Call `end` with the reason once the invocation must end. Returns a function that stops watching.
export function watchInvocation(end) {
  const { stream, context } = invocations.getStore() ?? {};
  const left = context?.getRemainingTimeInMillis?.();
  const stop = () => end(new InvocationEnd("The time of the request is over.", LATE));
  const timer = left && setTimeout(stop, left - MARGIN);
  const leave = () => end(new InvocationEnd("The client left.", CLIENT_LEFT));
  stream?.once?.("close", leave);
  return () => {
    clearTimeout(timer);
    stream?.off?.("close", leave);
  };
}
