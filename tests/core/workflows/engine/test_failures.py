"""Failures of steps and conditions."""

import asyncio

import msgspec
import pytest

from mastra_core import Workflow, step
from mastra_core.workflows.engine.run_events import StepEnded
from tests.core.workflows.sample_steps import (
    add_one,
    ask,
    fail,
    run_workflow,
    start_and_wait,
    wait_forever,
)


@pytest.mark.parametrize(
    "workflow",
    [
        Workflow("w").then(fail),
        Workflow("w").parallel(fail, wait_forever),
        Workflow("w").parallel(fail, ask),
        Workflow("w").parallel(fail, step(id="fail_too")(fail.function)),
        Workflow("w").branch((lambda n: True, fail), (lambda n: True, wait_forever)),
    ],
)
def test_failing_step_ends_the_run(engine, workflow):
    record = run_workflow(engine, workflow, 3)
    assert record.status == "failed"
    assert (record.error.message, record.error.name) == ("no row 3", "LookupError")
    assert record.steps["fail"].status == "failed"
    assert record.steps["fail"].error == record.error
    assert {item.status for item in record.steps.values()} <= {"failed", "canceled"}
    assert "Traceback" not in str(msgspec.to_builtins(record))


def test_failing_condition_ends_the_run(engine):
    workflow = Workflow("w").branch((lambda n: n / 0, add_one))
    record = run_workflow(engine, workflow, 3)
    assert (record.status, record.error.name) == ("failed", "ZeroDivisionError")


def test_output_of_the_wrong_type_fails_the_next_step(engine):
    @step
    def text(n: int) -> int:
        return "three"

    record = run_workflow(engine, Workflow("w").then(text).then(add_one), 3)
    assert (record.status, record.error.name) == ("failed", "InvalidInput")


def test_end_of_failed_step_has_its_error(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(fail), 3)
        return [event async for event in run.iter_events() if isinstance(event, StepEnded)]

    (end,) = asyncio.run(run_scenario())
    assert end.error.message == "no row 3"


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300])
def test_sleep_without_an_end_fails(engine, seconds):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").sleep(lambda: seconds), 1)
        return run.record.error

    error = asyncio.run(run_scenario())
    assert (error.name, error.message) == (
        "InvalidInput",
        f"{seconds!r} is not a valid number of seconds.",
    )
