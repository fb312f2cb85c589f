"""Workflows, agents and tools as steps."""

import asyncio
from dataclasses import dataclass

import pytest

from mastra_core import Agent, StepContext, ToolContext, Workflow, step, tool
from mastra_core.agents import AgentInfo, Finish, StepFinish, TextDelta, as_agent, collect
from mastra_core.agents.function import FunctionAgent
from mastra_core.errors import ConfigError
from mastra_core.workflows import Retry, as_step
from mastra_core.workflows.engine.run_events import StepEnded
from tests.core.scripted_model import Script, call
from tests.core.workflows.sample_steps import (
    add_one,
    ask,
    double,
    fail,
    run_workflow,
    start_and_wait,
    wait_forever,
)


@dataclass
class Report:
    title: str


async def shout(text: str) -> str:
    return text.upper()


def get_title(report: Report) -> str:
    return report.title


class Writer:
    """An agent that answers in the requested form."""

    id = name = "writer"
    description = "Writes."

    def __init__(self):
        self.inputs = []

    def info(self):
        return AgentInfo()

    async def generate(self, input):
        return await collect(self.stream(input))

    async def stream(self, input):
        self.inputs.append(input)
        yield TextDelta(text=input.prompt)
        yield StepFinish()
        yield Finish(object={"title": input.prompt} if input.output_schema else None)


INNER = Workflow("inner").then(add_one).then(double)


def test_nested_workflow(engine):
    record = run_workflow(engine, Workflow("w").then(add_one).then(INNER).then(double), 1)
    assert record.result == 12
    assert list(record.steps) == ["add_one", "inner", "inner.add_one", "inner.double", "double"]
    assert record.steps["inner"].group
    assert (record.steps["inner"].payload, record.steps["inner"].output) == (2, 6)


def test_nested_workflow_in_every_kind_of_node(engine):
    once = as_step(INNER, id="once")
    workflow = (
        Workflow("w")
        .parallel(INNER, double)
        .map(lambda both: both["inner"] + both["double"])
        .branch((lambda n: n > 0, once))
        .map(lambda branch: list(branch.values()) * 2)
        .foreach(as_step(INNER, id="each"), concurrency=2)
        .map(sum)
        .dountil(as_step(INNER, id="loop"), lambda n: n > 200)
    )
    record = run_workflow(engine, workflow, 1)
    assert record.result == 246
    assert {"inner.double", "once.add_one", "each[1].double", "loop.add_one"} <= {*record.steps}
    assert record.path.count("loop.double") == 2


def test_nested_workflow_has_its_own_input_and_outputs(engine):
    @step
    async def read_context(context: StepContext) -> list:
        return [context.init_data, context.workflow_id, context.path, context.output(add_one)]

    inner = Workflow("inner").then(add_one).then(read_context)
    workflow = Workflow("w").then(double).then(inner)
    assert run_workflow(engine, workflow, 2).result == [4, "inner", "inner.read_context", 5]


def test_failure_in_a_nested_workflow(engine):
    deep = Workflow("deep").then(Workflow("inner").parallel(fail, wait_forever))
    record = run_workflow(engine, Workflow("w").then(deep), 1)
    assert (record.status, record.error.message) == ("failed", "no row 1")
    assert record.steps["deep"].status == record.steps["deep.inner"].status == "failed"
    assert record.steps["deep.inner.wait_forever"].status == "canceled"


def test_nested_workflow_is_retried_as_a_whole(engine):
    calls = []

    @step
    async def fail_twice(n: int) -> int:
        calls.append(n)
        if len(calls) < 3:
            raise OSError("not yet")
        return n

    inner = Workflow("inner").then(add_one).then(fail_twice)
    workflow = Workflow("w").then(as_step(inner, retry=Retry(count=2, delay=0.001)))
    record = run_workflow(engine, workflow, 1)
    assert (record.result, calls) == (2, [2, 2, 2])
    assert record.path.count("inner.add_one") == 3
    assert record.steps["inner"].retries == 2


def test_bail_ends_only_the_nested_workflow(engine):
    @step
    async def stop(n: int, context: StepContext) -> int:
        context.bail(n * 100)

    inner = Workflow("inner").then(stop).then(double)
    record = run_workflow(engine, Workflow("w").then(inner).then(add_one), 2)
    assert (record.status, record.result) == ("success", 201)
    assert record.steps["inner.stop"].status == "bailed"
    assert "inner.double" not in record.steps


def test_suspend_in_a_nested_workflow(engine):
    async def run_scenario():
        inner = Workflow("inner").then(add_one).then(ask)
        run = await start_and_wait(engine, Workflow("w").then(inner), 1)
        assert run.record.suspended_steps == ["inner.ask"]
        assert run.record.steps["inner"].status == "running"
        await engine.resume(run, {"go": True}, step="inner")
        return await run.wait()

    assert asyncio.run(run_scenario()).result == "yes"


def test_agent_as_a_step(engine):
    writer = Writer()
    workflow = Workflow("w").then(writer).map(lambda answer: {"prompt": answer["text"] * 2})
    workflow = workflow.then(as_step(writer, id="again", output=Report))
    record = run_workflow(engine, workflow, "ab", context={"user": "ann"})
    assert record.result == {"title": "abab"}
    assert record.steps["writer"].output == {"text": "ab"}
    first, second = writer.inputs
    assert (first.context, first.run_id) == ({"user": "ann"}, f"{record.run_id}-writer")
    assert (first.output_schema, bool(second.output_schema)) == (None, True)
    assert workflow.input_schema["anyOf"][0] == {"type": "string"}
    assert workflow.output_schema["properties"] == {"title": {"type": "string"}}


def test_function_agent_as_a_step(engine):
    agent = FunctionAgent(shout)
    agent.id = agent.name = "shout"
    assert run_workflow(engine, Workflow("w").then(agent), "hi").result == {"text": "HI"}


def test_structured_output_of_an_agent_as_a_step(engine):
    script = Script([call("final_result", {"title": "Ball"})])
    agent = Agent(name="writer", model=script.model, output=Report)
    workflow = Workflow("w").then(agent).map(get_title)
    assert run_workflow(engine, workflow, "hi").result == "Ball"
    assert workflow.get_step("writer").output is Report


def test_object_of_a_function_agent_as_a_step(engine):
    async def count(text: str) -> dict[str, int]:
        return {"letters": len(text)}

    assert run_workflow(engine, Workflow("w").then(as_agent(count)), "hi").result == {"letters": 2}


def test_tool_as_a_step(engine):
    @tool
    def add(a: int, b: int, context: ToolContext) -> dict[str, int]:
        """Adds."""
        return {"sum": a + b, "run": len(context.run_id)}

    workflow = Workflow("w").then(add)
    assert run_workflow(engine, workflow, {"a": 1, "b": 2}).result == {"sum": 3, "run": 36}
    assert workflow.input_schema["required"] == ["a", "b"]
    assert workflow.get_step("add").description == "Adds."


@pytest.mark.parametrize(
    "make",
    [
        lambda: as_step(Workflow("empty")),
        lambda: as_step(object()),
        lambda: as_step(add_one, output=Report),
        lambda: as_step(add_one, id="a.b"),
        lambda: as_step(add_one, retry="often"),
        lambda: as_step(add_one, timeout=-1),
    ],
)
def test_invalid_step_is_refused(make):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.hint


def test_step_with_another_id(engine):
    workflow = Workflow("w").then(add_one).then(as_step(add_one, id="again"))
    assert run_workflow(engine, workflow, 1).result == 3


def test_group_ends_after_its_steps(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").foreach(INNER), [1])
        return [event.step async for event in run.iter_events() if isinstance(event, StepEnded)]

    assert asyncio.run(run_scenario()) == [
        "inner[0].add_one",
        "inner[0].double",
        "inner[0]",
        "inner",
    ]


@pytest.mark.parametrize(("error", "retries"), [(ConnectionError, 2), (LookupError, 0)])
def test_nested_workflow_is_retried_after_the_errors_of_its_policy(engine, error, retries):
    @step
    async def break_off(n: int) -> int:
        raise error("no")

    inner = Workflow("inner").then(break_off)
    policy = Retry(count=2, on=(OSError,))
    record = run_workflow(engine, Workflow("w").then(as_step(inner, retry=policy)), 1)
    assert (record.status, record.steps["inner"].retries) == ("failed", retries)
