"""The shared state of steps."""

import asyncio
from dataclasses import dataclass, field

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import InvalidInput
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import add_one, run_workflow, start_and_wait


@dataclass
class Tally:
    count: int = 0
    names: list[str] = field(default_factory=list)


@step
async def count(n: int, context: StepContext) -> int:
    context.set_state(count=context.state.count + n)
    assert context.state.count >= n
    return context.state.count


@step
async def name(context: StepContext) -> str:
    context.set_state({"names": [*context.state.names, context.path]})
    return context.path


def test_state_of_sequential_steps(engine):
    workflow = Workflow("w", state=Tally).then(count).then(as_step(count, id="again")).then(name)
    record = run_workflow(engine, workflow, 2, state={"count": 10})
    assert record.result == "name"
    assert record.initial_state == {"count": 10, "names": []}
    assert record.state == {"count": 24, "names": ["name"]}
    assert workflow.state_schema["properties"]["count"]["type"] == "integer"


def test_invalid_state_is_refused(engine):
    workflow = Workflow("w", state=Tally).then(count)
    with pytest.raises(InvalidInput, match="Invalid initial state: count: Expected `int`"):
        run_workflow(engine, workflow, 2, state={"count": "x"})

    @step
    async def set_invalid_state(context: StepContext) -> None:
        context.set_state(count="many")

    record = run_workflow(engine, Workflow("w", state=Tally).then(set_invalid_state))
    assert (record.status, record.error.name) == ("failed", "InvalidInput")
    assert record.state == {"count": 0, "names": []}


def test_state_without_a_type(engine):
    @step
    async def store_last(n: int, context: StepContext) -> dict:
        context.set_state(last=n)
        return context.state

    assert run_workflow(engine, Workflow("w").then(store_last), 2).result == {"last": 2}


def test_concurrent_steps_see_the_state_from_before_them(engine):
    async def run_scenario():
        gate = asyncio.Event()

        @step
        async def late(context: StepContext) -> int:
            await gate.wait()
            context.set_state(count=context.state.count + 1, names=["late"])
            return context.state.count

        @step
        async def early(context: StepContext) -> int:
            context.set_state(count=100)
            gate.set()
            return context.state.count

        workflow = Workflow("w", state=Tally).parallel(early, late)
        return (await start_and_wait(engine, workflow, 1)).record

    record = asyncio.run(run_scenario())
    assert record.result == {"early": 100, "late": 1}
    assert record.state == {"count": 1, "names": ["late"]}  # merged in the order of declaration


def test_state_of_foreach_items(engine):
    workflow = Workflow("w", state=Tally).foreach(count)
    assert run_workflow(engine, workflow, [1, 2, 3]).result == [1, 3, 6]
    side_by_side = Workflow("w", state=Tally).foreach(count, concurrency=3)
    record = run_workflow(engine, side_by_side, [1, 2, 3])
    assert (record.result, record.state["count"]) == ([1, 2, 3], 3)


def test_nested_workflow_shares_the_state(engine):
    inner = Workflow("inner", state=Tally).then(count).then(name)
    workflow = Workflow("w", state=Tally).then(count).then(inner)
    assert run_workflow(engine, workflow, 2).state == {"count": 4, "names": ["inner.name"]}


def test_state_changes_of_a_failed_attempt_are_discarded(engine):
    counts = []

    @step(retry=1)
    async def fail_once(context: StepContext) -> int:
        context.set_state(count=context.state.count + 1)
        counts.append(context.state.count)
        if len(counts) == 1:
            raise OSError("not yet")
        return context.state.count

    record = run_workflow(engine, Workflow("w", state=Tally).then(fail_once))
    assert (record.result, counts) == (1, [1, 1])


def test_conditions_read_the_state(engine):
    def is_over_ten(context: StepContext) -> bool:
        return context.state.count > 10

    workflow = Workflow("w", state=Tally).dountil(count, is_over_ten).branch((is_over_ten, add_one))
    assert run_workflow(engine, workflow, 1).result == {"add_one": 17}
