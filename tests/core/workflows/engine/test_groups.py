"""Loops, lists, maps and sleeps."""

import asyncio
import datetime as dt
import time

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import ConfigError
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import Point, double, plus_one, record_of, settled, until


def test_each_item_of_a_list(engine):
    record = record_of(engine, Workflow("w").foreach(plus_one).foreach(double), [1, 2, 3])
    assert record.result == [4, 6, 8]
    assert record.steps["plus_one"].output == [2, 3, 4]
    assert record.steps["double[2]"].payload == 4
    assert record_of(engine, Workflow("w").foreach(plus_one, concurrency=3), []).result == []


def test_as_many_items_at_a_time_as_asked_for(engine):
    under_way = most = 0

    @step
    async def count(n: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001 * (5 - n))
        under_way -= 1
        return n * n

    for concurrency in (1, 3):
        most = 0
        workflow = Workflow("w").foreach(count, concurrency=concurrency)
        assert record_of(engine, workflow, [1, 2, 3, 4]).result == [1, 4, 9, 16]
        assert most == concurrency


def test_each_item_of_something_that_is_no_list(engine):
    workflow = Workflow("w", input=dict).map(lambda n: n["x"]).foreach(plus_one)
    record = record_of(engine, workflow, {"x": 3})
    assert (record.status, record.error.name) == ("failed", "InvalidInput")
    assert "The foreach step 'plus_one' needs a list, and its input is 3" in record.error.message


def test_an_item_that_fails(engine):
    @step
    async def picky(n: int) -> int:
        return 1 // n

    for concurrency in (1, 2):
        workflow = Workflow("w").foreach(picky, concurrency=concurrency)
        record = record_of(engine, workflow, [1, 0, 2])
        assert (record.status, record.error.name) == ("failed", "ZeroDivisionError")
        assert record.steps["picky[1]"].status == record.steps["picky"].status == "failed"


def test_while_and_until(engine):
    workflow = Workflow("w").dowhile(plus_one, lambda n: n < 10).dountil(double, lambda n: n > 50)
    record = record_of(engine, workflow, 0)
    assert record.result == 80
    assert record.path == ["plus_one"] * 10 + ["double"] * 3
    assert record.steps["double"].payload == 40


def test_a_loop_executes_its_step_at_least_once(engine):
    workflow = Workflow("w").dowhile(plus_one, lambda n: False).dountil(double, lambda n: True)
    assert record_of(engine, workflow, 0).result == 2


def test_a_loop_knows_how_often_it_went_round(engine):
    seen = []

    @step
    async def look(n: int, context: StepContext) -> int:
        seen.append((context.iteration, context.path))
        return n

    async def enough(context: StepContext) -> bool:
        return context.iteration == 3

    record_of(engine, Workflow("w").dountil(look, enough), 0)
    assert seen == [(1, "look"), (2, "look"), (3, "look")]


def test_a_loop_does_not_stop_the_world(engine):
    @step
    async def again(n: int) -> int:
        return n

    async def story():
        run = await engine.create(Workflow("w").dowhile(again, lambda n: True))
        await engine.start(run, 1)
        await asyncio.sleep(0.01)
        await engine.cancel(run)
        return await run.settled()

    assert asyncio.run(story()).status == "canceled"


def test_a_map_by_a_function(engine):
    def far(point: Point) -> int:
        return point.x + 1

    async def later(n, context):
        return {"n": n, "was": context.init_data["x"]}

    record = record_of(engine, Workflow("w").map(far).then(double).map(later), {"x": 3})
    assert record.result == {"n": 8, "was": 3}
    assert list(record.steps) == ["mapping_1", "double", "mapping_2"]


def test_a_map_field_by_field(engine):
    workflow = (
        Workflow("w", input=dict, state=dict)
        .map({"n": {"input": "order.items.1"}, "all": {"input": ""}}, id="first")
        .map(lambda it: it["n"])
        .then(plus_one)
        .map({
            "step": plus_one,
            "path": {"step": "first", "path": "all.order.id"},
            "value": {"value": "constant"},
            "function": lambda n: n * 100,
            "user": {"request_context": "user.name"},
            "state": {"state": "language"},
        })
    )  # fmt: skip
    value = {"order": {"id": "o1", "items": [5, 6]}}
    context, state = {"user": {"name": "Ann"}}, {"language": "de"}
    assert record_of(engine, workflow, value, context=context, state=state).result == {
        "step": 7,
        "path": "o1",
        "value": "constant",
        "function": 700,
        "user": "Ann",
        "state": "de",
    }


@pytest.mark.parametrize("source", [{"input": "a.b"}, {"step": "nobody"}, {"input": "list.7"}])
def test_a_map_of_what_is_not_there(engine, source):
    workflow = Workflow("w", input=dict).map({"x": source})
    record = record_of(engine, workflow, {"a": 1, "list": []})
    assert (record.status, record.error.name) == ("failed", "NotFound")


@pytest.mark.parametrize("source", [{"stp": "a"}, 3, {"step": "a", "value": 1}, {}, None])
def test_a_map_of_what_means_nothing(source):
    with pytest.raises(ConfigError) as caught:
        Workflow("w").map({"field": source})
    assert "'field'" in caught.value.message
    assert caught.value.hint


def test_sleep(engine):
    async def story():
        run = await engine.create(Workflow("w").then(plus_one).sleep(0.05).then(double))
        await engine.start(run, 1)
        await until(lambda: run.record.status == "waiting")
        step_record = run.record.steps["sleep_1"]
        assert step_record.status == "waiting"
        assert 0 <= step_record.wakes_at - step_record.started_at <= 60
        begun = time.monotonic()
        record = await run.settled()
        assert 0.01 < time.monotonic() - begun < 1
        return record

    record = asyncio.run(story())
    assert (record.result, record.steps["sleep_1"].output) == (4, 2)


def test_sleep_as_long_as_a_function_says(engine):
    def moment(n: int) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=n)

    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    workflow = Workflow("w").sleep(lambda n: n / 1000).sleep_until(moment).sleep_until(past)
    record = record_of(engine, workflow, 20)
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
def test_a_sleep_that_nobody_can_sleep(engine, workflow):
    record = record_of(engine, workflow, 1)
    assert record.status == record.steps["sleep_1"].status == "failed"


def test_what_a_later_step_sees(engine):
    @step
    async def look(context: StepContext) -> list:
        point = context.output(make)
        return [point.x, context.output("make"), context.init_data]

    @step
    async def make(n: int) -> Point:
        return Point(n)

    workflow = Workflow("w").then(make).parallel(look, as_step(look, id="too")).map({"all": look})
    assert record_of(engine, workflow, 5).result == {"all": [5, {"x": 5}, 5]}


def test_a_step_may_change_what_it_is_given(engine):
    @step
    async def spoil(value: list) -> int:
        value.append(1)
        return len(value)

    async def story():
        workflow = Workflow("w", input=list).parallel(spoil, as_step(spoil, id="too"))
        return (await settled(engine, workflow, [0])).record

    record = asyncio.run(story())
    assert (record.input, record.result) == ([0], {"spoil": 2, "too": 2})
