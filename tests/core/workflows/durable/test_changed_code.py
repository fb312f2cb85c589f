"""A run continues in a process whose code has changed since the run started."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow, as_child, step
from mastra_core.workflows import Retry, as_step
from tests.core.workflows.sample_steps import ask_too

RETRY = Retry(count=1)


def is_settled(record):
    return record.is_settled


def has_failed_step(record):
    return any(each.status in ("failed", "waiting") for each in record.steps.values())


@pytest.fixture
def continue_run(tmp_path):
    """A function that begins a run of one version, and continues the run with another version."""
    url = f"sqlite:///{tmp_path}/runs.db"

    async def begin(workflow, value, is_resting):
        engine = DurableEngine(url, release_after=0)
        run = await engine.create(workflow, "r1")
        await engine.start(run, value)
        async with asyncio.timeout(10):
            while not is_resting(run.record):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.01)
        await engine.close()

    async def finish(workflow, data):
        engine = DurableEngine(url, release_after=0)
        await engine.open([workflow])
        run = await engine.get(workflow, "r1")
        if data is not None:
            await engine.resume(run, data)
        record = await asyncio.wait_for(run.wait(), 10)
        await engine.close()
        return record

    def run_versions(old, new, value=1, data=None, is_resting=is_settled):
        assert old.fingerprint == new.fingerprint
        asyncio.run(begin(old, value, is_resting))
        return asyncio.run(finish(new, data))

    return run_versions


def build_flaky_step():
    """Return a step whose first call fails."""
    calls = []

    @step(id="flaky")
    async def flaky(number: int) -> int:
        calls.append(number)
        if len(calls) == 1:
            raise ValueError("down")
        return number + 1

    return flaky


def use_step(flaky, retry):
    return as_step(flaky, retry=retry)


def use_nested(flaky, retry):
    return as_step(Workflow("inner").then(flaky), retry=retry)


def use_child(flaky, retry):
    return as_step(as_child(Workflow("inner").then(flaky)), retry=retry)


@pytest.mark.parametrize("use", [use_step, use_nested, use_child])
@pytest.mark.parametrize("retry", [None, 0])
def test_repeated_step_without_its_retry(continue_run, use, retry):
    """The step has succeeded after a retry, so its success counts in a version without retries."""
    old = Workflow("w").then(use(build_flaky_step(), RETRY)).then(ask_too)
    new = Workflow("w").then(use(build_flaky_step(), retry)).then(ask_too)
    record = continue_run(old, new, data=7)
    assert (record.status, record.error, record.result) == ("success", None, 7)


@pytest.mark.parametrize("use", [use_step, use_nested])
def test_waiting_step_without_its_retry(continue_run, use):
    """A version without retries fails the step with the error of the step."""
    old = Workflow("w").then(use(build_flaky_step(), Retry(count=1, delay=60)))
    new = Workflow("w").then(use(build_flaky_step(), None))
    record = continue_run(old, new, is_resting=has_failed_step)
    assert (record.status, record.error.name, record.error.message) == (
        "failed",
        "ValueError",
        "down",
    )
