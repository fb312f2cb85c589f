"""The state that steps share."""

import asyncio
from dataclasses import dataclass, field

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import InvalidInput
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import plus_one, record_of, settled


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


def test_one_step_after_the_other(engine):
    workflow = Workflow("w", state=Tally).then(count).then(as_step(count, id="again")).then(name)
    record = record_of(engine, workflow, 2, state={"count": 10})
    assert record.result == "name"
    assert record.initial_state == {"count": 10, "names": []}
    assert record.state == {"count": 24, "names": ["name"]}
    assert workflow.state_schema["properties"]["count"]["type"] == "integer"


def test_state_that_does_not_fit(engine):
    workflow = Workflow("w", state=Tally).then(count)
    with pytest.raises(InvalidInput, match="Invalid initial state: count: Expected `int`"):
        record_of(engine, workflow, 2, state={"count": "x"})

    @step
    async def spoil(context: StepContext) -> None:
        context.set_state(count="many")

    record = record_of(engine, Workflow("w", state=Tally).then(spoil))
    assert (record.status, record.error.name) == ("failed", "InvalidInput")
    assert record.state == {"count": 0, "names": []}


def test_state_without_a_type(engine):
    @step
    async def remember(n: int, context: StepContext) -> dict:
        context.set_state(last=n)
        return context.state

    assert record_of(engine, Workflow("w").then(remember), 2).result == {"last": 2}


def test_side_by_side_each_sees_what_was_before(engine):
    async def story():
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
        return (await settled(engine, workflow, 1)).record

    record = asyncio.run(story())
    assert record.result == {"early": 100, "late": 1}
    assert record.state == {"count": 1, "names": ["late"]}  # in the order of description


def test_for_each_item_one_after_the_other(engine):
    workflow = Workflow("w", state=Tally).foreach(count)
    assert record_of(engine, workflow, [1, 2, 3]).result == [1, 3, 6]
    side_by_side = Workflow("w", state=Tally).foreach(count, concurrency=3)
    record = record_of(engine, side_by_side, [1, 2, 3])
    assert (record.result, record.state["count"]) == ([1, 2, 3], 3)


def test_a_nested_workflow_shares_it(engine):
    inner = Workflow("inner", state=Tally).then(count).then(name)
    workflow = Workflow("w", state=Tally).then(count).then(inner)
    assert record_of(engine, workflow, 2).state == {"count": 4, "names": ["inner.name"]}


def test_what_a_failed_try_changed_is_forgotten(engine):
    tries = []

    @step(retry=1)
    async def shaky(context: StepContext) -> int:
        context.set_state(count=context.state.count + 1)
        tries.append(context.state.count)
        if len(tries) == 1:
            raise OSError("not yet")
        return context.state.count

    record = record_of(engine, Workflow("w", state=Tally).then(shaky))
    assert (record.result, tries) == (1, [1, 1])


def test_conditions_and_loops_read_it(engine):
    def enough(context: StepContext) -> bool:
        return context.state.count > 10

    workflow = Workflow("w", state=Tally).dountil(count, enough).branch((enough, plus_one))
    assert record_of(engine, workflow, 1).result == {"plus_one": 17}
