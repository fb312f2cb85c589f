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
