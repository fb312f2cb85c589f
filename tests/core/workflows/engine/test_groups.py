"""The nodes foreach, loop, map and sleep."""

import asyncio
import datetime as dt
import time

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import ConfigError
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import (
    Point,
    add_one,
    double,
    run_workflow,
    start_and_wait,
    wait_until,
)


def test_foreach(engine):
    record = run_workflow(engine, Workflow("w").foreach(add_one).foreach(double), [1, 2, 3])
    assert record.result == [4, 6, 8]
    assert record.steps["add_one"].output == [2, 3, 4]
    assert record.steps["double[2]"].payload == 4
    assert run_workflow(engine, Workflow("w").foreach(add_one, concurrency=3), []).result == []


def test_foreach_concurrency(engine):
    running = most_running = 0

    @step
    async def count(n: int) -> int:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        await asyncio.sleep(0.001 * (5 - n))
        running -= 1
        return n * n

    for concurrency in (1, 3):
        most_running = 0
        workflow = Workflow("w").foreach(count, concurrency=concurrency)
        assert run_workflow(engine, workflow, [1, 2, 3, 4]).result == [1, 4, 9, 16]
        assert most_running == concurrency


def test_foreach_over_an_input_that_is_not_a_list(engine):
    workflow = Workflow("w", input=dict).map(lambda n: n["x"]).foreach(add_one)
    record = run_workflow(engine, workflow, {"x": 3})
    assert (record.status, record.error.name) == ("failed", "InvalidInput")
    assert "The foreach step 'add_one' needs a list, but its input is 3" in record.error.message


def test_foreach_with_a_failing_item(engine):
    @step
    async def picky(n: int) -> int:
        return 1 // n

    for concurrency in (1, 2):
        workflow = Workflow("w").foreach(picky, concurrency=concurrency)
        record = run_workflow(engine, workflow, [1, 0, 2])
        assert (record.status, record.error.name) == ("failed", "ZeroDivisionError")
        assert record.steps["picky[1]"].status == record.steps["picky"].status == "failed"


def test_dowhile_and_dountil(engine):
    workflow = Workflow("w").dowhile(add_one, lambda n: n < 10).dountil(double, lambda n: n > 50)
    record = run_workflow(engine, workflow, 0)
    assert record.result == 80
    assert record.path == ["add_one"] * 10 + ["double"] * 3
    assert record.steps["double"].payload == 40


def test_loop_executes_its_step_at_least_once(engine):
    workflow = Workflow("w").dowhile(add_one, lambda n: False).dountil(double, lambda n: True)
    assert run_workflow(engine, workflow, 0).result == 2


def test_loop_counts_its_iterations(engine):
    seen = []

    @step
    async def record_iteration(n: int, context: StepContext) -> int:
        seen.append((context.iteration, context.path))
        return n

    async def is_third(context: StepContext) -> bool:
        return context.iteration == 3

    run_workflow(engine, Workflow("w").dountil(record_iteration, is_third), 0)
    assert seen == [(1, "record_iteration"), (2, "record_iteration"), (3, "record_iteration")]


def test_loop_does_not_block_the_event_loop(engine):
    @step
    async def again(n: int) -> int:
        return n

    async def run_scenario():
        run = await engine.create(Workflow("w").dowhile(again, lambda n: True))
        await engine.start(run, 1)
        await asyncio.sleep(0.01)
        await engine.cancel(run)
        return await run.wait()

    assert asyncio.run(run_scenario()).status == "canceled"


def test_map_with_a_function(engine):
    def read_x(point: Point) -> int:
        return point.x + 1

    async def build_result(n, context):
        return {"n": n, "was": context.init_data["x"]}

    record = run_workflow(
        engine, Workflow("w").map(read_x).then(double).map(build_result), {"x": 3}
    )
    assert record.result == {"n": 8, "was": 3}
    assert list(record.steps) == ["mapping_1", "double", "mapping_2"]


def test_map_with_fields(engine):
    workflow = (
        Workflow("w", input=dict, state=dict)
        .map({"n": {"input": "order.items.1"}, "all": {"input": ""}}, id="first")
        .map(lambda it: it["n"])
        .then(add_one)
        .map({
            "step": add_one,
            "path": {"step": "first", "path": "all.order.id"},
            "value": {"value": "constant"},
            "function": lambda n: n * 100,
            "user": {"request_context": "user.name"},
            "state": {"state": "language"},
        })
    )  # fmt: skip
    value = {"order": {"id": "o1", "items": [5, 6]}}
    context, state = {"user": {"name": "Ann"}}, {"language": "de"}
    assert run_workflow(engine, workflow, value, context=context, state=state).result == {
        "step": 7,
        "path": "o1",
        "value": "constant",
        "function": 700,
        "user": "Ann",
        "state": "de",
    }


@pytest.mark.parametrize("source", [{"input": "a.b"}, {"step": "nobody"}, {"input": "list.7"}])
def test_map_of_a_missing_value(engine, source):
    workflow = Workflow("w", input=dict).map({"x": source})
    record = run_workflow(engine, workflow, {"a": 1, "list": []})
    assert (record.status, record.error.name) == ("failed", "NotFound")


@pytest.mark.parametrize("source", [{"stp": "a"}, 3, {"step": "a", "value": 1}, {}, None])
def test_invalid_map_source_is_refused(source):
    with pytest.raises(ConfigError) as caught:
        Workflow("w").map({"field": source})
    assert "'field'" in caught.value.message
    assert caught.value.hint


def test_sleep(engine):
    async def run_scenario():
        run = await engine.create(Workflow("w").then(add_one).sleep(0.05).then(double))
        await engine.start(run, 1)
        await wait_until(lambda: run.record.status == "waiting")
        step_record = run.record.steps["sleep_1"]
        assert step_record.status == "waiting"
        assert 0 <= step_record.wakes_at - step_record.started_at <= 60
        start = time.monotonic()
        record = await run.wait()
        assert time.monotonic() - start > 0.01
        return record

    record = asyncio.run(run_scenario())
    assert (record.result, record.steps["sleep_1"].output) == (4, 2)


def test_sleep_with_a_function(engine):
    def compute_time(n: int) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=n)

    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    workflow = Workflow("w").sleep(lambda n: n / 1000).sleep_until(compute_time).sleep_until(past)
    record = run_workflow(engine, workflow, 20)
    assert record.result == 20
    first, second, third = record.steps.values()
    assert first.ended_at - first.started_at >= 19
    assert second.ended_at - second.started_at >= 19
    assert third.ended_at - third.started_at < 15


@pytest.mark.parametrize(
    "workflow",
    [
        Workflow("w").sleep(lambda n: "soon"),
        Workflow("w").sleep_until(lambda n: dt.datetime(2020, 1, 1)),  # noqa: DTZ001  # the mistake
        Workflow("w").sleep_until(lambda n: 1 / 0),
    ],
)
def test_invalid_sleep_fails_the_run(engine, workflow):
    record = run_workflow(engine, workflow, 1)
    assert record.status == record.steps["sleep_1"].status == "failed"


def test_later_step_reads_earlier_outputs(engine):
    @step
    async def read_outputs(context: StepContext) -> list:
        point = context.output(make)
        return [point.x, context.output("make"), context.init_data]

    @step
    async def make(n: int) -> Point:
        return Point(n)

    workflow = (
        Workflow("w")
        .then(make)
        .parallel(read_outputs, as_step(read_outputs, id="too"))
        .map({"all": read_outputs})
    )
    assert run_workflow(engine, workflow, 5).result == {"all": [5, {"x": 5}, 5]}


def test_step_gets_its_own_copy_of_the_input(engine):
    @step
    async def append_one(value: list) -> int:
        value.append(1)
        return len(value)

    async def run_scenario():
        workflow = Workflow("w", input=list).parallel(append_one, as_step(append_one, id="too"))
        return (await start_and_wait(engine, workflow, [0])).record

    record = asyncio.run(run_scenario())
    assert (record.input, record.result) == ([0], {"append_one": 2, "too": 2})
