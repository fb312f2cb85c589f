"""Random workflows of every kind of node, against a plain evaluation."""

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
from tests.core.workflows.json_journal import Recorded
from tests.core.workflows.random_workflows import Graph, graphs

RANDOM = settings(
    max_examples=100,
    derandomize=True,  # the same graphs on every machine
    deadline=None,
    suppress_health_check=[*HealthCheck],
)


@pytest.fixture(autouse=True)
def silent():
    logger = logging.getLogger("mastra.workflows")
    logger.disabled = True
    yield
    logger.disabled = False


async def driven(engine, run, data):
    """Answer whatever a run asks, in random order, until it is over."""
    record = await run.settled()
    while record.suspended:
        path = data.draw(st.sampled_from(record.suspended), label="resume")
        await engine.resume(run, Graph.answer(record.steps[path].suspend_payload), step=path)
        record = await run.settled()
    return record


def checked(graph, record, value):
    expected = graph.expected(value)
    assert record.status == ("failed" if expected is None else "success"), record.error
    assert record.result == expected
    assert record.open == {}
    doing = {item.status for item in record.steps.values()}
    assert doing <= {"success", "failed", "canceled", "bailed"}, record.steps


@RANDOM
@given(parts=graphs, value=st.integers(0, 9), data=st.data())
def test_a_run_comes_to_what_it_must(make_engine, parts, value, data):
    async def story():
        engine, graph = make_engine(), Graph(parts)
        run = await engine.create(graph.workflow)
        await engine.start(run, value)
        record = await driven(engine, run, data)
        checked(graph, record, value)
        events = [event async for event in run.events()]
        assert len(events) == run.position
        again = RunRecord(run_id=record.run_id, workflow_id="whole", created_at=record.created_at)
        for event in events:
            again.apply(event)
        assert again == record

    asyncio.run(story())


@RANDOM
@given(parts=graphs, value=st.integers(0, 9), data=st.data())
def test_a_failed_run_that_is_restarted_repeats_nothing(make_engine, parts, value, data):
    async def story():
        engine, graph = make_engine(), Graph(parts)
        run = await engine.create(graph.workflow)
        await engine.start(run, value)
        record = await driven(engine, run, data)
        done = {path for path, item in record.steps.items() if item.status == "success"}
        if record.status == "failed":
            graph.repaired = True
            before = graph.calls.copy()
            await engine.restart(run)
            checked(graph, await driven(engine, run, data), value)
            again = {path for path, _, _ in graph.calls - before}
            assert not {path for path in again & done if path.count(".") == 0 and "[" not in path}

    asyncio.run(story())


@RANDOM
@given(parts=graphs, value=st.integers(0, 9), moment=st.integers(0, 30))
def test_a_run_that_is_cancelled_is_over(make_engine, parts, value, moment):
    async def story():
        engine, graph = make_engine(), Graph(parts)
        run = await engine.create(graph.workflow)
        await engine.start(run, value)
        for _ in range(moment):
            await asyncio.sleep(0)
        await engine.cancel(run)
        record = await run.settled()
        assert record.is_finished
        assert record.open == {}
        position = run.position
        await asyncio.sleep(0.002)
        assert run.position == position

    asyncio.run(story())


@RANDOM
@given(parts=graphs, value=st.integers(0, 9))
def test_a_replay_calls_nothing_and_gives_the_same(parts, value):
    graph = Graph(parts)

    def answer(key):
        events = [event for event in journal.events.values() if f'"{key}"'.encode() in event]
        (event,) = [msgspec.json.decode(event) for event in events]
        return Graph.answer(event["payload"])

    async def once():
        try:
            state = {}
            result = await interpret(graph.workflow, value, journal, RunOptions(state=state))
        except StepFailed as failed:
            return None, failed.error
        return result, state

    journal = Recorded(answer)
    first = asyncio.run(once())
    assert first[0] == graph.expected(value)
    if first[0] is not None:  # what a failure cut off may be called anew
        events, journal.calls = told(journal), 0
        assert asyncio.run(once()) == first
        assert journal.calls == 0
        assert told(journal) == events


def told(journal):
    """What happened; that for a moment nothing did depends on what ran first."""
    return {key: event for key, event in journal.events.items() if not key.startswith("idle:")}
