"""Compare runs of random workflows with a plain evaluation."""

import asyncio
import logging

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastra_core.workflows import RunRecord
from mastra_core.workflows.engine.interpreter import interpret
from mastra_core.workflows.engine.run_options import RunOptions
from mastra_core.workflows.engine.step_runner import StepFailed
from tests.core.workflows.json_journal import JsonJournal
from tests.core.workflows.random_workflows import RandomWorkflow, workflow_parts

RANDOM = settings(
    max_examples=100,
    derandomize=True,  # the same workflows on every machine
    deadline=None,
    suppress_health_check=[*HealthCheck],
)


@pytest.fixture(autouse=True)
def silent_logger():
    logger = logging.getLogger("mastra.workflows")
    logger.disabled = True
    yield
    logger.disabled = False


async def answer_all(engine, run, data):
    """Resume the suspended steps of a run in random order until it has finished."""
    record = await run.wait()
    while record.suspended_steps:
        path = data.draw(st.sampled_from(record.suspended_steps), label="resume")
        await engine.resume(
            run, RandomWorkflow.compute_answer(record.steps[path].suspend_payload), step=path
        )
        record = await run.wait()
    return record


def run_and_close(engine, run_scenario):
    if engine is None:
        return

    async def run():
        try:
            await run_scenario(engine)
        finally:
            await engine.close()

    asyncio.run(run())


def check_record(random_workflow, record, value):
    expected = random_workflow.compute_expected(value)
    assert record.status == ("failed" if expected is None else "success"), record.error
    assert record.result == expected
    assert record.open == {}
    statuses = {item.status for item in record.steps.values()}
    assert statuses <= {"success", "failed", "canceled", "bailed"}, record.steps


@RANDOM
@given(parts=workflow_parts, value=st.integers(0, 9), data=st.data())
def test_run_has_the_expected_result(make_engine, parts, value, data):
    async def run_scenario(engine):
        random_workflow = RandomWorkflow(parts)
        run = await engine.create(random_workflow.workflow)
        await engine.start(run, value)
        record = await answer_all(engine, run, data)
        check_record(random_workflow, record, value)
        events = [event async for event in run.iter_events()]
        assert len(events) == run.position
        again = RunRecord(run_id=record.run_id, workflow_id="whole", created_at=record.created_at)
        for event in events:
            again.apply(event)
        assert again == record

    run_and_close(make_engine(), run_scenario)


@RANDOM
@given(parts=workflow_parts, value=st.integers(0, 9), data=st.data())
def test_restart_does_not_repeat_finished_steps(make_engine, parts, value, data):
    async def run_scenario(engine):
        random_workflow = RandomWorkflow(parts)
        run = await engine.create(random_workflow.workflow)
        await engine.start(run, value)
        record = await answer_all(engine, run, data)
        done = {path for path, item in record.steps.items() if item.status == "success"}
        if record.status == "failed":
            random_workflow.is_repaired = True
            before = random_workflow.calls.copy()
            await engine.restart(run)
            check_record(random_workflow, await answer_all(engine, run, data), value)
            again = {path for path, _, _ in random_workflow.calls - before}
            assert not {path for path in again & done if path.count(".") == 0 and "[" not in path}

    run_and_close(make_engine(), run_scenario)


@RANDOM
@given(parts=workflow_parts, value=st.integers(0, 9), ticks=st.integers(0, 30))
def test_cancelled_run_has_ended(make_engine, parts, value, ticks):
    async def run_scenario(engine):
        random_workflow = RandomWorkflow(parts)
        run = await engine.create(random_workflow.workflow)
        await engine.start(run, value)
        for _ in range(ticks):
            await asyncio.sleep(0)
        await engine.cancel(run)
        record = await run.wait()
        assert record.is_finished
        assert record.open == {}
        position = run.position
        await asyncio.sleep(0.002)
        assert run.position == position

    run_and_close(make_engine(), run_scenario)


@RANDOM
@given(parts=workflow_parts, value=st.integers(0, 9))
def test_replay_calls_nothing_and_has_the_same_result(parts, value):
    random_workflow = RandomWorkflow(parts)

    def get_resume_data(key):
        events = [event for event in journal.events.values() if f'"{key}"'.encode() in event]
        (event,) = [msgspec.json.decode(event) for event in events]
        return RandomWorkflow.compute_answer(event["payload"])

    async def run_once():
        try:
            state = {}
            result = await interpret(
                random_workflow.workflow, value, journal, RunOptions(state=state)
            )
        except StepFailed as failed:
            return None, failed.error
        return result, state

    journal = JsonJournal(get_resume_data)
    first = asyncio.run(run_once())
    assert first[0] == random_workflow.compute_expected(value)
    if first[0] is not None:  # calls that a failure cancelled may be repeated
        events, journal.calls = collect_events(journal), 0
        assert asyncio.run(run_once()) == first
        assert journal.calls == 0
        assert collect_events(journal) == events


def collect_events(journal):
    """What happened; that for a ticks nothing did depends on what ran first."""
    return {key: event for key, event in journal.events.items() if not key.startswith("idle:")}
