"""What is executed in which order, and on what."""

import asyncio
import threading
from typing import Any

import msgspec
import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import InvalidInput, NotFound
from tests.core.workflows.sample_steps import (
    Person,
    Point,
    ask,
    double,
    plus_one,
    record_of,
    text_of,
)


def test_steps_in_order(engine):
    record = record_of(engine, Workflow("w").then(plus_one).then(double), 3)
    assert (record.status, record.input, record.result) == ("success", 3, 8)
    assert list(record.steps) == ["plus_one", "double"]
    first = record.steps["plus_one"]
    assert (first.status, first.payload, first.output) == ("success", 3, 4)
    assert record.created_at <= first.started_at <= first.ended_at <= record.updated_at
    assert msgspec.json.decode(msgspec.json.encode(record))["result"] == 8


def test_steps_side_by_side_are_under_way_at_once(engine):
    meeting = asyncio.Barrier(2)

    async def left(n: int) -> int:
        await meeting.wait()
        return n

    async def right(n: int) -> int:
        await meeting.wait()
        return -n

    workflow = Workflow("w").parallel(left, right).then(text_of)
    assert record_of(engine, workflow, 3).result == "left=3, right=-3"
    assert Workflow("w").parallel([left, right]).nodes == workflow.nodes[:1]


def test_every_branch_whose_condition_holds(engine):
    async def slow_condition(n: int) -> bool:
        return n > 5

    workflow = Workflow("w").branch(
        (lambda n: n > 0, plus_one), (slow_condition, double), (lambda n: n < 0, ask)
    )
    assert record_of(engine, workflow, 3).result == {"plus_one": 4}
    assert record_of(engine, workflow, 10).result == {"plus_one": 11, "double": 20}
    assert record_of(engine, workflow, 0).result == {}


def test_a_condition_gets_the_type_it_asks_for(engine):
    def far(point: Point) -> bool:
        return point.x > 10

    @step
    def name(point: Point) -> str:
        return f"at {point.x}"

    workflow = Workflow("w").branch((far, name))
    assert record_of(engine, workflow, {"x": 11}).result == {"name": "at 11"}
    assert record_of(engine, workflow, {"x": 1}).result == {}


@pytest.mark.parametrize("value", [{"name": "Ann"}, Person(name="Ann")])
def test_types_of_pydantic(engine, value):
    @step
    def greet(person: Person) -> Person:
        return Person(name=f"hello {person.name}")

    workflow = Workflow("w").then(greet)
    assert workflow.input_schema["properties"]["name"]["type"] == "string"
    assert record_of(engine, workflow, value).result == {"name": "hello Ann"}


def test_a_step_of_nothing_and_of_the_context_alone(engine):
    @step
    def nothing() -> int:
        return 1

    @step
    async def who(context: StepContext) -> str:
        return f"{context.workflow_id} {context.step_id} {context.request_context['user']}"

    record = record_of(
        engine, Workflow("w").then(nothing).then(who), {"any": 1}, context={"user": "ann"}
    )
    assert record.result == "w who ann"
    assert "ann" not in repr(msgspec.structs.replace(record, result=None, steps={}))


def test_a_plain_function_does_not_block_the_loop(engine):
    @step
    def thread() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert record_of(engine, Workflow("w").then(thread)).result is False


def test_a_beginning_may_be_shared(engine):
    beginning = Workflow("w").then(plus_one)
    assert record_of(engine, beginning.then(double), 1).result == 4
    assert record_of(engine, beginning, 1).result == 2
    assert [item.id for item in beginning.then(double).steps()] == ["plus_one", "double"]
    assert beginning.step("plus_one") is plus_one
    with pytest.raises(KeyError):
        beginning.step("nothing")


def test_input_that_does_not_fit(engine):
    async def story():
        workflow = Workflow("w").then(plus_one)
        run = await engine.create(workflow, "r1")
        with pytest.raises(InvalidInput, match="Invalid input data: root: Expected `int`"):
            await engine.start(run, "x")
        with pytest.raises(NotFound):
            await engine.get(workflow, "r1")
        assert await engine.list(workflow) == []

    asyncio.run(story())


def test_the_input_type_of_a_workflow_comes_first(engine):
    @step
    def free(value: Any) -> Any:
        return value

    workflow = Workflow("w", input=Point, output=Point).then(free)
    assert workflow.input_schema["properties"]["x"]["type"] == "integer"
    assert workflow.output_schema == workflow.input_schema
    with pytest.raises(InvalidInput, match="x: Expected `int`"):
        record_of(engine, workflow, {"x": "1"})


def test_a_result_that_is_not_what_the_workflow_says(engine):
    workflow = Workflow("w", output=Point).map(lambda n: {"x": n, "more": 1})
    assert record_of(engine, workflow, 3).result == {"x": 3}
    record = record_of(engine, workflow, "far")
    assert (record.status, record.error.name) == ("failed", "InvalidInput")
    record = record_of(engine, Workflow("outer").then(workflow), "far")
    assert record.steps["w"].status == "failed"
