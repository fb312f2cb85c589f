"""Steps that are tried again, and limits of time."""

import asyncio
import threading
import time

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import ConfigError
from mastra_core.workflows import Retry, as_step
from mastra_core.workflows.engine.run_events import StepRetried, StepWaiting
from tests.core.workflows.sample_steps import ask, endless, plus_one, record_of, settled, until


def failing(times, error=OSError, **options):
    """A step that fails some times, and what it saw of its attempts."""
    seen = []

    @step(**options)
    async def shaky(n: int, context: StepContext) -> int:
        seen.append(context.attempt)
        if len(seen) <= times:
            raise error("not yet")
        return n

    return shaky, seen


def test_a_step_is_tried_again(engine):
    shaky, seen = failing(2, retry=2)
    record = record_of(engine, Workflow("w").then(shaky), 5)
    assert (record.result, seen) == (5, [1, 2, 3])
    assert record.steps["shaky"].retries == 2


def test_no_more_often_than_asked_for(engine):
    shaky, seen = failing(9, retry=Retry(count=1))
    record = record_of(engine, Workflow("w").then(shaky), 5)
    assert (record.status, record.error.message, seen) == ("failed", "not yet", [1, 2])


def test_only_after_some_exceptions(engine):
    shaky, seen = failing(9, ValueError, retry=Retry(on=(OSError,)))
    assert record_of(engine, Workflow("w").then(shaky), 5).error.name == "ValueError"
    assert seen == [1]


def test_never_after_input_that_does_not_fit(engine):
    shaky, seen = failing(0, retry=5)
    workflow = Workflow("w", input=dict).map(lambda value: value["n"]).then(shaky)
    record = record_of(engine, workflow, {"n": "x"})
    assert (record.error.name, record.steps["shaky"].retries, seen) == ("InvalidInput", 0, [])


def test_the_policy_of_the_workflow_unless_the_step_has_one(engine):
    shaky, seen = failing(2)
    assert record_of(engine, Workflow("w", retry=2).then(shaky), 5).status == "success"
    shaky, seen = failing(2, retry=0)
    assert record_of(engine, Workflow("w", retry=2).then(shaky), 5).status == "failed"
    assert seen == [1]


def test_longer_and_longer_between_tries(engine):
    policy = Retry(count=9, delay=0.5, factor=3, longest=10)
    assert [policy.wait(attempt) for attempt in (1, 2, 3, 4)] == [0.5, 1.5, 4.5, 10]

    async def story():
        shaky, _ = failing(2, retry=Retry(count=2, delay=0.02, factor=2))
        run = await settled(engine, Workflow("w").then(shaky), 5)
        events = [event async for event in run.events()]
        waits = [event.wakes_at - event.at for event in events if isinstance(event, StepWaiting)]
        errors = [event.error.message for event in events if isinstance(event, StepRetried)]
        taken = run.record.updated_at - run.record.created_at
        return waits, errors, taken

    waits, errors, taken = asyncio.run(story())
    assert waits == [pytest.approx(20, abs=2), pytest.approx(40, abs=2)]
    assert errors == ["not yet", "not yet"]
    assert taken >= 55


def test_a_suspended_step_has_all_its_tries_again(engine):
    shaky, seen = failing(1, retry=1)

    @step(retry=1, resume=int)
    async def asks(n: int, context: StepContext) -> int:
        if context.resume_data is None:
            context.suspend()
        return await shaky.function(n, context)

    async def story():
        run = await settled(engine, Workflow("w").then(asks), 1)
        await engine.resume(run, 1)
        return await run.settled()

    assert asyncio.run(story()).status == "success"
    assert seen == [1, 2]


@pytest.mark.parametrize("made", [{"count": -1}, {"delay": "1"}, {"factor": None}])
def test_a_policy_that_makes_no_sense(made):
    with pytest.raises(ConfigError) as caught:
        Retry(**made)
    assert next(iter(made)) in caught.value.message


def test_a_step_that_takes_too_long(engine):
    workflow = Workflow("w").then(as_step(endless, timeout=0.02))
    record = record_of(engine, workflow, 1)
    assert (record.status, record.error.name) == ("failed", "TimeoutError")
    assert record.error.message == "The step 'endless' took longer than 0.02 s."


def test_a_step_that_takes_too_long_is_tried_again(engine):
    calls = []

    @step(timeout=0.02, retry=1)
    async def slow_once(n: int) -> int:
        calls.append(n)
        await asyncio.sleep(1 if len(calls) == 1 else 0)
        return n

    assert record_of(engine, Workflow("w").then(slow_once), 1).result == 1


def test_a_thread_that_takes_too_long(engine):
    seen = threading.Event()

    @step(timeout=0.02)
    def thread(context: StepContext) -> int:
        until = time.monotonic() + 5
        while not context.canceled and time.monotonic() < until:
            time.sleep(0.001)
        seen.set()
        return 1

    begun = time.monotonic()
    record = record_of(engine, Workflow("w").then(thread))
    assert record.error.name == "TimeoutError"
    assert time.monotonic() - begun < 1
    assert seen.wait(1)


@pytest.mark.parametrize("item", [endless, ask])
def test_a_workflow_that_takes_too_long(engine, item):
    async def story():
        run = await settled(engine, Workflow("w", timeout=0.02).then(plus_one).then(item), 1)
        await until(lambda: run.record.is_finished)  # time spent waiting for a person counts
        return run.record

    record = asyncio.run(story())
    assert (record.status, record.error.name) == ("failed", "TimeoutError")
    assert record.error.message == "The workflow 'w' took longer than 0.02 s."
    assert record.steps[item.id].status == "canceled"


def test_a_nested_workflow_that_takes_too_long(engine):
    inner = Workflow("inner", timeout=0.02).then(endless)
    record = record_of(engine, Workflow("w").then(inner), 1)
    assert record.error.message == "The workflow 'inner' took longer than 0.02 s."
    assert record.steps["inner"].status == "failed"


def test_a_workflow_with_a_limit_that_is_not_reached(engine):
    assert record_of(engine, Workflow("w", timeout=5).then(plus_one), 1).result == 2
