"""Which steps certainly suspend a run."""

import pytest

from mastra_core import Mastra, MemoryEngine, StepContext, ToolContext, Workflow, step, tool
from mastra_core.describe import describe
from mastra_core.workflows import as_step


@step
def ask(value: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend({"question": value})
    return value


@step(suspend=dict)
def declare(value: int) -> int:
    return value


@step
def ask_inside(value: int, context: StepContext) -> int:
    def inner():
        context.suspend()

    inner()
    return value


@step
def read(value: int, context: StepContext) -> int:
    return value + len(context.request_context)


class Machine:
    def suspend(self):
        return 1


@step
def use_machine(value: int) -> int:
    return Machine().suspend()


@tool(requires_approval=True)
def pay(value: int) -> int:
    return value


@tool
def wait(value: int, context: ToolContext) -> int:
    context.suspend({})


@tool
def add(value: int, context: ToolContext) -> int:
    return value


def describe_steps(*steps, **settings):
    flows = {each.id: Workflow(each.id).then(each) for each in steps}
    return describe(Mastra(workflows=flows, logger=False, **settings))["suspending_steps"]


@pytest.mark.parametrize("one", [ask, declare, ask_inside, as_step(pay), as_step(wait)])
def test_steps_that_suspend(one):
    assert describe_steps(read, one) == {one.id: [one.id]}


def test_steps_that_do_not_suspend():
    assert describe_steps(read, use_machine, as_step(add)) == {}


def test_nested_workflow():
    inner = Workflow("inner").then(read).then(ask)
    assert describe_steps(as_step(inner)) == {"inner": ["inner.ask"]}


def test_engine_that_keeps_runs_elsewhere():
    class Durable(MemoryEngine):
        single_process = False

    assert describe_steps(ask, engine=Durable()) == {}
