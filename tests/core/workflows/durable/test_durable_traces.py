"""Test that a durable run stays in its trace when another process executes it."""

import os
import subprocess
import sys

from tests.repository import ROOT

SCRIPT = """
import asyncio, sys
from opentelemetry import baggage, context
from mastra_core import Workflow, step
from mastra_core.workflows.durable import DurableEngine
from mastra_core.telemetry import add_listener, start_span

@step(resume=int)
async def wait(n: int, context) -> int:
    if context.resume_data is None:
        context.suspend({"n": n})
    print("baggage", *sorted(f"{key}={value}" for key, value in baggage.get_all().items()))
    return n + context.resume_data

class Listener:
    def on_start(self, span):
        pass
    def on_annotate(self, span, attributes):
        pass
    def on_end(self, span):
        links = [f"{link.context.trace_id:032x}" for link in span.links]
        print(span.name, f"{span.context.trace_id:032x}", *links)

async def main():
    engine = DurableEngine(f"sqlite:///{sys.argv[2]}", lease=1)
    workflow = Workflow("flow").then(wait)
    add_listener(Listener())
    if sys.argv[1] == "start":
        with start_span("request"):
            context.attach(baggage.set_baggage("customer", "c7"))
            run = await engine.create(workflow, run_id="r1")
            await engine.start(run, 1)
        while run.record.status != "suspended":
            await asyncio.sleep(0.05)
    else:
        run = await engine.get(workflow, "r1")
        with start_span("resume"):
            context.attach(baggage.set_baggage("shop", "south"))
            await engine.resume(run, 5)
        record = await asyncio.wait_for(run.wait(), 20)
        assert record.result == 6, record
    await engine.close()

asyncio.run(main())
"""


def run_process(what, database):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, what, str(database)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_another_process_continues_the_trace(tmp_path):
    database = tmp_path / "runs.db"
    first = {name: ids for name, *ids in run_process("start", database)}
    spans = run_process("resume", database)
    runs = [line for line in spans if line[0] == "invoke_workflow"]
    assert [line[2] for line in runs] == first["request"]
    assert {line[2] for line in spans if line[0] == "workflow_step"} == {runs[0][2]}
    assert ["baggage", "customer=c7", "shop=south"] in spans


FOREIGN = """
import asyncio, os, sys
os.environ["VERCEL"] = "1"
from opentelemetry import baggage, context
from mastra_core import Telemetry, Workflow, as_child, step
from mastra_core.telemetry import add_listener
from mastra_core.workflows.durable import DurableEngine

@step
async def show(n: int) -> int:
    print(*sorted(baggage.get_all().items()))
    return n

class Listener:
    def on_start(self, span):
        pass
    on_annotate = on_end = lambda *arguments: None

async def start(database):
    context.attach(baggage.set_baggage("customer", "c7"))
    engine = DurableEngine(database, max_concurrency=0)
    await engine.open([parent])
    await engine.start(await engine.create(parent, run_id="r1"), 1)
    await engine.close()

async def continue_run(database):
    context.attach(baggage.set_baggage("customer", "c8"))
    engine = DurableEngine(database)
    await engine.open([parent])
    await engine.continue_runs()
    run = await engine.get(parent, "r1")
    await asyncio.wait_for(run.wait(), 20)
    await engine.close()

async def main():
    await asyncio.create_task(start(sys.argv[1]))
    await asyncio.create_task(continue_run(sys.argv[1]))

parent = Workflow("parent").then(show).then(as_child(Workflow("child").then(show)))
add_listener(Listener(), Telemetry())
asyncio.run(main())
"""


def test_a_run_has_the_baggage_of_its_own_caller(tmp_path):
    """A request of another caller continues the run, and its child run."""
    command = [sys.executable, "-c", FOREIGN, f"sqlite:///{tmp_path}/runs.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["('customer', 'c7')", "('customer', 'c7')", ""]
