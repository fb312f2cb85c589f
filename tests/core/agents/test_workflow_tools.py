"""Workflows that an agent's model runs as tools."""

import asyncio
from typing import TypedDict

import pytest

from mastra_core import (
    Agent,
    AgentInput,
    Mastra,
    MemoryEngine,
    StepContext,
    ToolContext,
    Workflow,
    step,
    tool,
)
from mastra_core.agents import Decision
from mastra_core.agents.run_journal import RunJournal
from mastra_core.errors import ConfigError
from tests.core.scripted_model import Script, build_input, call, run_agent


class City(TypedDict):
    name: str


class Answer(TypedDict):
    yes: bool


@step
async def describe(city: City, context: StepContext) -> str:
    return f"{city['name']} for {context.request_context.get('user')}"


@step
async def fail(city: City) -> str:
    raise ValueError("no such city")


@step(resume=Answer)
async def confirm(city: City, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"question": f"{city['name']}?"})
    return "yes" if context.resume_data["yes"] else "no"


CALL = call("workflow-city", {"inputData": {"name": "Oslo"}})


def create_agent(*steps, turns=([CALL], ["done"]), **options):
    workflow = Workflow("city-workflow", description="About a city")
    for each in steps:
        workflow = workflow.then(each)
    return Agent(name="a", model=Script(*turns).model, workflows={"city": workflow}, **options)


@pytest.mark.parametrize("is_registered", [False, True])
def test_workflow_as_a_tool(is_registered):
    agent = create_agent(describe)
    (tool,) = agent.callable_tools
    assert (tool.id, tool.description) == ("workflow-city", "About a city")
    assert tool.input_schema["required"] == ["inputData"]
    mastra = Mastra(agents={"a": agent}, logger=False) if is_registered else None

    async def run():
        output = await agent.generate(build_input(context={"user": "ann"}, run_id="r"))
        workflow = agent.workflows["city"]
        runs = await mastra.engine.list(workflow) if mastra else []
        return output, [each.run_id for each in runs]

    output, runs = asyncio.run(run())
    assert output.tool_results[0].result == {"result": "Oslo for ann", "runId": "r-c1"}
    assert runs == (["r-c1"] if is_registered else [])


def test_workflow_of_a_called_agent_uses_the_engine_of_the_application():
    engine = MemoryEngine()
    inner = create_agent(describe)
    outer = Agent(name="outer", model="test", agents={"inner": inner})
    mastra = Mastra(agents={"outer": outer}, engine=engine, logger=False)
    assert [each.id for each in mastra.agent_workflows] == ["city-workflow"]

    async def run():
        await inner.generate("hello")
        return await engine.count(inner.workflows["city"])

    assert asyncio.run(run()) == {"success": 1}


@pytest.mark.parametrize(("is_repeated", "results"), [(True, [1, 1]), (False, [1, 2])])
def test_only_a_call_that_another_process_began_continues_an_ended_run(is_repeated, results):
    calls = []

    @step
    async def count(city: City) -> int:
        calls.append(city)
        return len(calls)

    (item,) = create_agent(count).callable_tools
    journal = RunJournal(None, is_repeated=is_repeated)  # the tool itself records nothing
    context = ToolContext(run_id="r", call_id="c1", journal=journal)

    async def run():
        return [await item.execute({"inputData": {"name": "Oslo"}}, context) for _ in range(2)]

    assert [each["result"] for each in asyncio.run(run())] == results


def test_each_call_with_a_repeated_id_has_its_own_run():
    """Some models number the calls of each answer alike."""
    cities = [call("workflow-city", {"inputData": {"name": name}}) for name in ("Oslo", "Rome")]
    agent = create_agent(describe, turns=([cities[0]], [cities[1]], ["done"]))
    output = asyncio.run(agent.generate(build_input(run_id="r")))
    assert [each.result for each in output.tool_results] == [
        {"result": "Oslo for None", "runId": "r-c1"},
        {"result": "Rome for None", "runId": "r-c1-2"},
    ]


def test_second_suspended_call_with_a_repeated_id():
    agent = create_agent(confirm, turns=([CALL], [CALL], ["done"]))
    first, second = Decision(data={"yes": True}), Decision(data={"yes": False})

    async def run():
        output = await agent.generate(build_input(run_id="r"))
        for decision in (first, second):
            resumed = build_input(run_id="r", history=output.history, decisions={"c1": decision})
            output = await agent.generate(resumed)
        return output

    assert asyncio.run(run()).tool_results[-1].result == {"result": "no", "runId": "r-c1-2"}


def test_agents_of_parallel_steps_do_not_share_the_runs_of_their_calls():
    """One person's decision for an agent must not decide the equal call of another agent."""
    workflow = Workflow("city-workflow").then(confirm)
    agents = [
        Agent(name=name, model=Script([CALL], ["done"]).model, workflows={"city": workflow})
        for name in ("one", "two")
    ]
    engine = MemoryEngine()
    both = Workflow("both").parallel(agents)
    by_name = {each.id: each for each in agents}
    Mastra(agents=by_name, workflows={"both": both}, engine=engine, logger=False)

    async def run():
        run = await engine.create(both, "r")
        await engine.start(run, "hello")
        await run.wait()
        await engine.resume(run, {"c1": {"data": {"yes": True}}}, "one")
        await run.wait()
        return await engine.count(workflow)

    assert asyncio.run(run()) == {"success": 1, "suspended": 1}


def test_equal_ids_of_two_resources():
    """Callers choose the ids of runs, and some models number their calls in each run alike."""
    (item,) = create_agent(describe).callable_tools

    async def run(resource):
        context = ToolContext(
            run_id="r", call_id="c1", resource=resource, request_context={"user": resource}
        )
        return await item.execute({"inputData": {"name": "Oslo"}}, context)

    async def run_both():
        return [(await run(resource))["result"] for resource in ("ann", "bob")]

    assert asyncio.run(run_both()) == ["Oslo for ann", "Oslo for bob"]


def test_suspended_workflows_count_for_the_caller_of_the_agent():
    agent = create_agent(confirm, turns=([CALL], [CALL], ["done"]))
    agent.use_engine(MemoryEngine(max_unfinished=2))

    async def run():
        first = await agent.generate(build_input(run_id="r1", caller="ann"))
        return first, await agent.generate(build_input(run_id="r2", caller="ann"))

    first, second = asyncio.run(run())
    assert first.reason == "suspended"
    assert "this caller may add no more" in second.tool_results[0].result


def test_called_agent_has_the_caller_of_the_calling_agent():
    callers = []

    @tool
    def note(context: ToolContext) -> str:
        callers.append(context.caller)
        return "noted"

    inner = Agent(name="inner", model=Script([call("note")], ["done"]).model, tools=[note])
    model = Script([call("agent-inner", {"prompt": "hello"})], ["done"]).model
    outer = Agent(name="outer", model=model, agents={"inner": inner})
    asyncio.run(outer.generate(build_input(caller="ann")))
    assert callers == ["ann"]


def test_input_that_does_not_fit():
    wrong = call("workflow-city", {"inputData": {"name": 3}})
    output = run_agent(create_agent(describe, turns=([wrong], ["done"])))
    assert "Expected `str`" in str(output.tool_results[0].result)


def test_workflow_that_fails():
    (result,) = run_agent(create_agent(fail)).tool_results
    assert (result.failed, result.result) == (True, "no such city")


def test_suspended_workflow_suspends_the_tool():
    agent = create_agent(confirm)

    async def run():
        suspended = await agent.generate(build_input(run_id="r"))
        (waiting,) = suspended.waiting
        data = {waiting.id: Decision(data={"yes": True})}
        back = AgentInput(history=suspended.history, decisions=data, run_id="r")
        return waiting.payload, await agent.generate(back)

    payload, done = asyncio.run(run())
    assert payload == {"question": "Oslo?"}
    (item,) = agent.callable_tools
    assert item.resume is Answer
    assert (done.tool_results[0].result["result"], done.text) == ("yes", "done")


def test_steps_that_need_different_data():
    @step(resume=str)
    async def name(answer: str, context: StepContext) -> str:
        return context.resume_data or answer

    (item,) = create_agent(confirm, name).callable_tools
    assert (item.resume, item.resume_schema) == (None, None)


def test_suspended_workflow_of_a_run_without_an_id():
    (result,) = run_agent(create_agent(confirm), build_input(run_id="")).tool_results
    assert (result.failed, "has no id" in result.result) == (True, True)


def test_cancelled_agent_cancels_the_workflow():
    engine = MemoryEngine()
    begun = asyncio.Event()

    @step
    async def sleep(city: City) -> str:
        begun.set()
        await asyncio.sleep(3600)
        return "awake"

    agent = create_agent(sleep)
    agent.use_engine(engine)

    async def run():
        task = asyncio.create_task(agent.generate(build_input(run_id="r")))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await engine.count(agent.workflows["city"])

    assert asyncio.run(run()) == {"canceled": 1}


@pytest.mark.parametrize("value", ["x", Workflow("empty")])
def test_value_that_is_no_workflow(value):
    with pytest.raises(ConfigError):
        Agent(name="a", model="test", workflows={"x": value})
