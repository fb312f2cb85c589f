// Calls every workflow method of Mastra's client; prints the results as JSON.
import { client, failing } from "./client.mjs";

const got = {};

async function chunks(stream) {
  const all = [];
  for await (const chunk of stream) all.push(chunk);
  return all;
}

async function settled(workflow, runId) {
  for (;;) {
    const run = await workflow.runById(runId);
    if (!["pending", "running", "waiting"].includes(run.status)) return run;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const names = ["line", "asking", "nested", "each", "sleepy", "sleeping", "loops", "endless", "picky", "bailing", "made"];
const wf = Object.fromEntries(names.map((name) => [name, client.getWorkflow(name)]));

got.listed = await client.listWorkflows();
got.partial = await client.listWorkflows(undefined, true);
got.nested = await wf.nested.details();
got.schema = await wf.line.getSchema();

let run = await wf.line.createRun({ resourceId: "ann" });
got.state = await run.startAsync({ inputData: 3, initialState: { count: 41 } });
got.stateRun = await wf.line.runById(run.runId);
got.badState = await failing(async () => (await wf.line.createRun()).startAsync({ inputData: 3, initialState: { count: "x" } }));
got.badStart = await failing(async () => (await wf.line.createRun()).start({ inputData: "x" }));
got.badStream = await chunks(await (await wf.line.createRun()).stream({ inputData: "x" }));

run = await wf.line.createRun();
got.lineStream = await chunks(await run.stream({ inputData: 1 }));
got.observed = await chunks(await run.observe());
got.observedRest = await chunks(await run.observe({ offset: 3 }));
got.observedMissing = await failing(() => client.getWorkflow("asking").createRun().then((other) => { other.runId = "nope"; return other.observe(); }));

got.travelled = await run.timeTravelAsync({ step: "increase", inputData: 10 });
got.travelledAs = await run.timeTravelAsync({ step: ["increase"], context: { double: { status: "success", output: 50 } } });
got.travelStream = await chunks(await run.timeTravelStream({ step: "double" }));
got.travelStarted = await run.timeTravel({ step: "increase", inputData: 7 });
got.travelEnded = await settled(wf.line, run.runId);
got.travelNowhere = await failing(() => run.timeTravelAsync({ step: "nothing", inputData: 1 }));

run = await wf.line.createRun();
got.perStep = await run.startAsync({ inputData: 3, perStep: true });
got.perStepOn = await run.timeTravelAsync({ step: "increase", perStep: true });
run = await wf.line.createRun();
got.perStepStream = await chunks(await run.stream({ inputData: 3, perStep: true }));

run = await wf.asking.createRun();
got.asking = await run.startAsync({ inputData: 1 });
got.askingRun = await wf.asking.runById(run.runId);
got.counts = await client.listWorkflowRunCounts();
got.unnamed = await failing(() => run.resumeAsync({ resumeData: 1 }));
got.badResume = await failing(() => run.resumeAsync({ step: "ask", resumeData: "x" }));
got.wrongStep = await failing(() => run.resumeAsync({ step: "nothing", resumeData: 1 }));
got.resumedOne = await run.resumeAsync({ step: "ask2", resumeData: 5 });
got.noWait = await run.resumeNoWait({ step: ["ask"], resumeData: 6 });
got.noWaitEnded = await settled(wf.asking, run.runId);
got.notSuspended = await failing(() => run.resumeNoWait({ step: "ask", resumeData: 6 }));

run = await wf.asking.createRun();
const open = await run.stream({ inputData: 1, closeOnSuspend: false });
const whole = chunks(open);
await settled(wf.asking, run.runId);
await run.resumeAsync({ step: "ask", resumeData: 1 });
await run.resumeAsync({ step: "ask2", resumeData: 2 });
got.openStream = await whole;

run = await wf.nested.createRun();
got.nestedStream = await chunks(await run.stream({ inputData: 1 }));
got.nestedRun = await wf.nested.runById(run.runId);
got.nestedShort = await wf.nested.runById(run.runId, { withNestedWorkflows: false, fields: ["steps"] });
got.nestedResumed = await run.resumeAsync({ step: ["inner", "confirm"], resumeData: 1 });
got.nestedTravel = await run.timeTravelAsync({ step: "inner.confirm", nestedStepsContext: { inner: { double: { output: 100 } } }, resumeData: 1 });

run = await wf.each.createRun();
got.eachStream = await chunks(await run.stream({ inputData: [1, 2] }));
got.eachRun = await wf.each.runById(run.runId);
got.eachOne = await run.resumeAsync({ step: "ask", resumeData: 10, forEachIndex: 1 });
got.eachRest = await run.resumeAsync({ step: "ask", resumeData: 20 });
run = await wf.each.createRun();
await run.startAsync({ inputData: [1, 2] });
got.eachAll = await chunks(await run.resumeStream({ step: "ask", resumeData: 1 }));
got.eachAgain = await failing(() => run.resumeAsync({ step: "ask", resumeData: 1, forEachIndex: 7 }));

// A durable engine starts a run a moment after its answer.
async function readWhen(workflow, condition) {
  for (;;) {
    const read = await workflow.runById(run.runId);
    if (condition(read)) return read;
    await new Promise((done) => setTimeout(done, 5));
  }
}

run = await wf.sleeping.createRun();
await run.start({ inputData: 4 });
got.sleeping = await readWhen(wf.sleeping, (each) => each.status === "waiting");
await run.cancel();
run = await wf.sleepy.createRun();
await run.start({ inputData: 4 });
got.sleepyStream = await chunks(await run.observe());
got.loops = await (await wf.loops.createRun()).startAsync({ inputData: 1 });
got.made = await (await wf.made.createRun()).startAsync({ inputData: "abc" });
run = await wf.bailing.createRun();
got.bailed = await run.startAsync({ inputData: 4 });
got.bailedRun = await wf.bailing.runById(run.runId);
run = await wf.bailing.createRun();
got.bailedStream = await chunks(await run.stream({ inputData: 4 }));

run = await wf.endless.createRun();
await run.start({ inputData: 1 });
got.endless = await readWhen(wf.endless, (each) => each.activeStepsPath.endless);
got.tooSoon = await failing(() => run.timeTravelAsync({ step: "endless", inputData: 1 }));
const watching = run.observe().then(chunks);
got.cancelled = await run.cancel();
got.cancelledStream = await watching;
got.restarted = await run.restart({});
got.restartedRun = await readWhen(wf.endless, (each) => each.activeStepsPath.endless);
await run.cancel();

run = await wf.picky.createRun();
got.picky = await run.startAsync({ inputData: 1 });
got.pickyAgain = await run.restartAsync();
run = await wf.line.createRun();
await run.startAsync({ inputData: 1 });
got.restartDone = await failing(() => run.restartAsync({}));

got.page = await wf.line.runs({ page: 0, perPage: 2 });
got.page2 = await wf.line.runs({ page: 1, perPage: 2 });
got.limit = await wf.line.runs({ limit: 1, offset: 1 });
got.ann = await wf.line.runs({ resourceId: "ann" });
got.failedRuns = await wf.picky.runs({ status: "failed" });
got.future = await wf.line.runs({ fromDate: new Date(Date.now() + 60000) });

console.log(JSON.stringify(got));
