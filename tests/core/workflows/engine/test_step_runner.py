"""Retries and timeouts of steps."""

import asyncio
import threading
import time

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import ConfigError
from mastra_core.workflows import Retry, as_step
from mastra_core.workflows.engine.run_events import StepRetried, StepWaiting
from tests.core.workflows.sample_steps import (
    add_one,
    ask,
    run_workflow,
    start_and_wait,
    wait_forever,
    wait_until,
)


def create_failing_step(times, error=OSError, **options):
    """Return a step that fails ``times`` times, and the list of its attempts."""
    seen = []

    @step(**options)
    async def shaky(n: int, context: StepContext) -> int:
        seen.append(context.attempt)
        if len(seen) <= times:
            raise error("not yet")
        return n

    return shaky, seen


def test_failing_step_is_retried(engine):
    shaky, seen = create_failing_step(2, retry=2)
    record = run_workflow(engine, Workflow("w").then(shaky), 5)
    assert (record.result, seen) == (5, [1, 2, 3])
    assert record.steps["shaky"].retries == 2


def test_retries_stop_at_the_count(engine):
    shaky, seen = create_failing_step(9, retry=Retry(count=1))
    record = run_workflow(engine, Workflow("w").then(shaky), 5)
    assert (record.status, record.error.message, seen) == ("failed", "not yet", [1, 2])


def test_retry_after_listed_exceptions_only(engine):
    shaky, seen = create_failing_step(9, ValueError, retry=Retry(on=(OSError,)))
    assert run_workflow(engine, Workflow("w").then(shaky), 5).error.name == "ValueError"
    assert seen == [1]


def test_invalid_input_is_not_retried(engine):
    shaky, seen = create_failing_step(0, retry=5)
    workflow = Workflow("w", input=dict).map(lambda value: value["n"]).then(shaky)
    record = run_workflow(engine, workflow, {"n": "x"})
    assert (record.error.name, record.steps["shaky"].retries, seen) == ("InvalidInput", 0, [])


def test_step_policy_overrides_workflow_policy(engine):
    shaky, seen = create_failing_step(2)
    assert run_workflow(engine, Workflow("w", retry=2).then(shaky), 5).status == "success"
    shaky, seen = create_failing_step(2, retry=0)
    assert run_workflow(engine, Workflow("w", retry=2).then(shaky), 5).status == "failed"
    assert seen == [1]


def test_retry_delay_grows(engine):
    policy = Retry(count=9, delay=0.5, factor=3, max_delay=10)
    assert [policy.get_delay(attempt) for attempt in (1, 2, 3, 4)] == [0.5, 1.5, 4.5, 10]

    async def run_scenario():
        shaky, _ = create_failing_step(2, retry=Retry(count=2, delay=0.02, factor=2))
        run = await start_and_wait(engine, Workflow("w").then(shaky), 5)
        events = [event async for event in run.iter_events()]
        waits = [event.wakes_at - event.at for event in events if isinstance(event, StepWaiting)]
        errors = [event.error.message for event in events if isinstance(event, StepRetried)]
        taken = run.record.updated_at - run.record.created_at
        return waits, errors, taken

    waits, errors, taken = asyncio.run(run_scenario())
    assert waits == [pytest.approx(20, abs=2), pytest.approx(40, abs=2)]
    assert errors == ["not yet", "not yet"]
    assert taken >= 55


def test_attempts_start_again_after_a_suspend(engine):
    shaky, seen = create_failing_step(1, retry=1)

    @step(retry=1, resume=int)
    async def asks(n: int, context: StepContext) -> int:
        if context.resume_data is None:
            context.suspend()
        return await shaky.function(n, context)

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(asks), 1)
        await engine.resume(run, 1)
        return await run.wait()

    assert asyncio.run(run_scenario()).status == "success"
    assert seen == [1, 2]


def test_retry_delay_has_a_maximum_after_hundreds_of_attempts():
    assert Retry(count=5000, delay=0.001, max_delay=7).get_delay(5000) == 7
    assert Retry(count=5000).get_delay(5000) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": -1},
        {"count": 1.5},
        {"delay": "1"},
        {"delay": float("nan")},
        {"factor": None},
        {"on": [OSError]},
    ],
)
def test_invalid_retry_policy_is_refused(arguments):
    with pytest.raises(ConfigError) as caught:
        Retry(**arguments)
    assert next(iter(arguments)) in caught.value.message


def test_step_timeout(engine):
    workflow = Workflow("w").then(as_step(wait_forever, timeout=0.02))
    record = run_workflow(engine, workflow, 1)
    assert (record.status, record.error.name) == ("failed", "TimeoutError")
    assert record.error.message == "The step 'wait_forever' took longer than 0.02 s."


def test_step_timeout_is_retried(engine):
    calls = []

    @step(timeout=0.02, retry=1)
    async def slow_once(n: int) -> int:
        calls.append(n)
        await asyncio.sleep(1 if len(calls) == 1 else 0)
        return n

    assert run_workflow(engine, Workflow("w").then(slow_once), 1).result == 1


def test_step_timeout_in_a_thread(engine):
    seen = threading.Event()

    @step(timeout=0.02)
    def thread(context: StepContext) -> int:
        until = time.monotonic() + 5
        while not context.canceled and time.monotonic() < until:
            time.sleep(0.001)
        seen.set()
        return 1

    begun = time.monotonic()
    record = run_workflow(engine, Workflow("w").then(thread))
    assert record.error.name == "TimeoutError"
    assert time.monotonic() - begun < 4  # the function would take five seconds
    assert seen.wait(1)


@pytest.mark.parametrize("item", [wait_forever, ask])
def test_workflow_timeout(engine, item):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w", timeout=0.02).then(add_one).then(item), 1)
        if getattr(
            run, "awaits_execution", False
        ):  # has no timer: the next resume notices the timeout
            await asyncio.sleep(0.05)
            await engine.resume(run, {"go": True})
        await wait_until(lambda: run.record.is_finished)  # time spent waiting for a person counts
        return run.record

    record = asyncio.run(run_scenario())
    assert (record.status, record.error.name) == ("failed", "TimeoutError")
    assert record.error.message == "The workflow 'w' took longer than 0.02 s."
    assert record.steps[item.id].status == "canceled"


def test_nested_workflow_timeout(engine):
    inner = Workflow("inner", timeout=0.02).then(wait_forever)
    record = run_workflow(engine, Workflow("w").then(inner), 1)
    assert record.error.message == "The workflow 'inner' took longer than 0.02 s."
    assert record.steps["inner"].status == "failed"


def test_workflow_within_its_timeout(engine):
    assert run_workflow(engine, Workflow("w", timeout=5).then(add_one), 1).result == 2
