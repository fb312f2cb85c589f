"""The order of steps, and their inputs and outputs."""

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
    add_one,
    ask,
    double,
    format_groups,
    run_workflow,
)


def test_sequential_steps(engine):
    record = run_workflow(engine, Workflow("w").then(add_one).then(double), 3)
    assert (record.status, record.input, record.result) == ("success", 3, 8)
    assert list(record.steps) == ["add_one", "double"]
    first = record.steps["add_one"]
    assert (first.status, first.payload, first.output) == ("success", 3, 4)
    assert record.created_at <= first.started_at <= first.ended_at <= record.updated_at
    assert msgspec.json.decode(msgspec.json.encode(record))["result"] == 8


def test_parallel_steps_run_concurrently(engine):
    barrier = asyncio.Barrier(2)

    async def left(n: int) -> int:
        await barrier.wait()
        return n

    async def right(n: int) -> int:
        await barrier.wait()
        return -n

    workflow = Workflow("w").parallel(left, right).then(format_groups)
    assert run_workflow(engine, workflow, 3).result == "left=3, right=-3"
    assert Workflow("w").parallel([left, right]).nodes == workflow.nodes[:1]


def test_branch_executes_each_step_whose_condition_is_true(engine):
    async def slow_condition(n: int) -> bool:
        return n > 5

    workflow = Workflow("w").branch(
        (lambda n: n > 0, add_one), (slow_condition, double), (lambda n: n < 0, ask)
    )
    assert run_workflow(engine, workflow, 3).result == {"add_one": 4}
    assert run_workflow(engine, workflow, 10).result == {"add_one": 11, "double": 20}
    assert run_workflow(engine, workflow, 0).result == {}


def test_condition_gets_the_type_of_its_parameter(engine):
    def is_far(point: Point) -> bool:
        return point.x > 10

    @step
    def name(point: Point) -> str:
        return f"at {point.x}"

    workflow = Workflow("w").branch((is_far, name))
    assert run_workflow(engine, workflow, {"x": 11}).result == {"name": "at 11"}
    assert run_workflow(engine, workflow, {"x": 1}).result == {}


@pytest.mark.parametrize("value", [{"name": "Ann"}, Person(name="Ann")])
def test_pydantic_types(engine, value):
    @step
    def greet(person: Person) -> Person:
        return Person(name=f"hello {person.name}")

    workflow = Workflow("w").then(greet)
    assert workflow.input_schema["properties"]["name"]["type"] == "string"
    assert run_workflow(engine, workflow, value).result == {"name": "hello Ann"}


def test_step_without_input(engine):
    @step
    def return_one() -> int:
        return 1

    @step
    async def identify(context: StepContext) -> str:
        return f"{context.workflow_id} {context.step_id} {context.request_context['user']}"

    record = run_workflow(
        engine, Workflow("w").then(return_one).then(identify), {"any": 1}, context={"user": "ann"}
    )
    assert record.result == "w identify ann"
    assert "ann" not in repr(msgspec.structs.replace(record, result=None, steps={}))


def test_plain_function_runs_in_a_thread(engine):
    @step
    def is_main_thread() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert run_workflow(engine, Workflow("w").then(is_main_thread)).result is False


def test_workflows_share_a_beginning(engine):
    shared = Workflow("w").then(add_one)
    assert run_workflow(engine, shared.then(double), 1).result == 4
    assert run_workflow(engine, shared, 1).result == 2
    assert [item.id for item in shared.then(double).iter_steps()] == ["add_one", "double"]
    assert shared.get_step("add_one") is add_one
    with pytest.raises(NotFound, match="has no step 'nothing'") as caught:
        shared.get_step("nothing")
    assert "add_one" in caught.value.hint


def test_invalid_input_is_refused(engine):
    async def run_scenario():
        workflow = Workflow("w").then(add_one)
        run = await engine.create(workflow, "r1")
        with pytest.raises(InvalidInput, match="Invalid input data: root: Expected `int`"):
            await engine.start(run, "x")
        with pytest.raises(NotFound):
            await engine.get(workflow, "r1")
        assert await engine.list(workflow) == []

    asyncio.run(run_scenario())


def test_declared_input_type_overrides_that_of_the_first_step(engine):
    @step
    def free(value: Any) -> Any:
        return value

    workflow = Workflow("w", input=Point, output=Point).then(free)
    assert workflow.input_schema["properties"]["x"]["type"] == "integer"
    assert workflow.output_schema == workflow.input_schema
    with pytest.raises(InvalidInput, match="x: Expected `int`"):
        run_workflow(engine, workflow, {"x": "1"})


def test_invalid_result_fails_the_run(engine):
    workflow = Workflow("w", output=Point).map(lambda n: {"x": n, "more": 1})
    assert run_workflow(engine, workflow, 3).result == {"x": 3}
    record = run_workflow(engine, workflow, "far")
    assert (record.status, record.error.name) == ("failed", "InvalidInput")
    record = run_workflow(engine, Workflow("outer").then(workflow), "far")
    assert record.steps["w"].status == "failed"


def test_step_changes_only_copies_of_earlier_values(engine):
    @step
    def build(values: list[int]) -> dict[str, list[int]]:
        return {"values": values}

    @step
    def change(built: dict[str, list[int]], context: StepContext) -> list[list[int]]:
        context.init_data.append(2)
        context.output("build")["values"].append(2)
        built["values"].append(2)
        return [context.init_data, context.output("build")["values"]]

    @step
    def read(values: list[list[int]], context: StepContext) -> list[list[int]]:
        return [*values, context.init_data]

    record = run_workflow(engine, Workflow("w").then(build).then(change).then(read), [1])
    assert record.result == [[1, 2], [1], [1]], "the step itself sees its changes of init_data"
    assert record.input == [1]
    assert record.steps["build"].output == record.steps["change"].payload == {"values": [1]}
