"""What happens when a step fails."""

import asyncio

import msgspec
import pytest

from mastra_core import Workflow, step
from mastra_core.workflows.engine.run_events import StepEnded
from tests.core.workflows.sample_steps import ask, broken, endless, plus_one, record_of, settled


@pytest.mark.parametrize(
    "workflow",
    [
        Workflow("w").then(broken),
        Workflow("w").parallel(broken, endless),
        Workflow("w").parallel(broken, ask),
        Workflow("w").parallel(broken, step(id="broken2")(broken.function)),
        Workflow("w").branch((lambda n: True, broken), (lambda n: True, endless)),
    ],
)
def test_a_failing_step_ends_the_run(engine, workflow):
    record = record_of(engine, workflow, 3)
    assert record.status == "failed"
    assert (record.error.message, record.error.name) == ("no row 3", "LookupError")
    assert record.steps["broken"].status == "failed"
    assert record.steps["broken"].error == record.error
    assert {item.status for item in record.steps.values()} <= {"failed", "canceled"}
    assert "Traceback" not in str(msgspec.to_builtins(record))


def test_a_condition_that_fails(engine):
    workflow = Workflow("w").branch((lambda n: n / 0, plus_one))
    record = record_of(engine, workflow, 3)
    assert (record.status, record.error.name) == ("failed", "ZeroDivisionError")


def test_output_of_the_wrong_type_fails_the_next_step(engine):
    @step
    def text(n: int) -> int:
        return "three"

    record = record_of(engine, Workflow("w").then(text).then(plus_one), 3)
    assert (record.status, record.error.name) == ("failed", "InvalidInput")


def test_a_failed_step_ends_with_its_error(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(broken), 3)
        return [event async for event in run.events() if isinstance(event, StepEnded)]

    (ended,) = asyncio.run(story())
    assert ended.error.message == "no row 3"
