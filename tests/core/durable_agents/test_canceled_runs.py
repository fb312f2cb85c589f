"""What a thread has of a run that was canceled, and cancels at the start of a run."""

import asyncio

import pytest

from mastra_core import Agent, Memory, tool
from mastra_core.agents import AgentInput, Decision, Finish, ToolResult
from mastra_core.agents.messages import TextPart, ToolResultPart
from mastra_core.errors import Conflict, NotFound
from mastra_core.storage import MessageQuery
from tests.core.durable_agents.conftest import read_all
from tests.core.scripted_model import Script, call

THREAD = {"thread": "t", "resource": "ann"}


@tool(requires_approval=True)
def pay() -> str:
    """Pay."""
    return "paid"


@pytest.fixture
def open_bank(open_mastra, tmp_path):
    """Open an application whose only agent pays, and remembers."""

    def open_application(script, *tools):
        agent = Agent(name="a", model=script.model, tools=[pay, *tools])
        url = f"sqlite:///{tmp_path}/threads.db"
        return open_mastra(agent, memory=Memory(), storage=url)

    return open_application


async def list_answers(mastra):
    page = await mastra.storage.threads.list_messages(MessageQuery(**THREAD))
    return [each for each in page.items if each.role == "assistant"]


def list_results(message):
    found = [part for part in message.parts if isinstance(part, ToolResultPart)]
    return [(part.id, part.result, part.failed) for part in found]


def test_a_canceled_wait_leaves_no_approval(open_bank):
    async def run_scenario():
        script = Script([call("pay", {})], ["hello"], ["hello again"])
        async with open_bank(script) as mastra:
            agent = mastra.get_agent("a")
            assert (await agent.generate("pay", run_id="r", **THREAD)).reason == "suspended"
            assert (await agent.generate("hi", **THREAD)).text == "hello"
            before, later = await list_answers(mastra)
            assert "c1" in before.metadata["pendingToolApprovals"]
            await agent.cancel_run("r")
            answer, last = await list_answers(mastra)
            assert (answer.id, last) == (before.id, later)
            assert answer.metadata == {"aborted": True}
            assert list_results(answer) == [("c1", "The run was canceled.", True)]
            with pytest.raises(NotFound):
                await agent.get_suspended_run("r")
            assert (await agent.generate("and now?", **THREAD)).text == "hello again"

    asyncio.run(run_scenario())


def test_a_run_that_is_canceled_after_its_approval_keeps_the_result(open_bank):
    async def run_scenario():
        is_waiting = asyncio.Event()

        async def wait() -> str:
            """Wait."""
            is_waiting.set()
            await asyncio.Event().wait()

        script = Script([call("pay", {})], [call("wait", {}, "c2")])
        async with open_bank(script, wait) as mastra:
            agent = mastra.get_agent("a")
            await agent.generate("pay", run_id="r", **THREAD)
            approved = AgentInput(run_id="r", decisions={"c1": Decision()}, **THREAD)
            running = asyncio.create_task(read_all(agent.stream(approved)))
            await asyncio.wait_for(is_waiting.wait(), 20)
            await agent.cancel_run("r")
            events = await running
            (answer,) = await list_answers(mastra)
        assert [each.result for each in events if isinstance(each, ToolResult)] == ["paid"]
        assert answer.metadata == {"aborted": True}
        assert list_results(answer) == [("c1", "paid", False)]

    asyncio.run(run_scenario())


def test_a_run_that_has_ended_keeps_its_answer(open_bank):
    async def run_scenario():
        async with open_bank(Script(["hello"])) as mastra:
            agent = mastra.get_agent("a")
            events = await read_all(agent.stream("hi", run_id="r", **THREAD))
            assert isinstance(events[-1], Finish)
            await agent.cancel_run("r")
            (answer,) = await list_answers(mastra)
            assert (answer.parts, answer.metadata) == ((TextPart(text="hello"),), {})

    asyncio.run(run_scenario())


def test_a_run_that_never_started_is_canceled(open_bank):
    async def run_scenario():
        async with open_bank(Script()) as mastra:
            agent = mastra.get_agent("a")
            await mastra.engine.create(agent.workflow, "r", "ann")
            await agent.cancel_run("r")
            assert (await mastra.engine.get(agent.workflow, "r", "ann")).record.status == "canceled"
            with pytest.raises(Conflict):
                await agent.generate("hi", run_id="r", **THREAD)
            assert await list_answers(mastra) == []

    asyncio.run(run_scenario())


async def cancel_once_stored(agent, run_id):
    while True:
        try:
            return await agent.cancel_run(run_id)
        except NotFound:
            await asyncio.sleep(0)


def test_a_run_is_canceled_while_it_starts(open_bank):
    async def run_scenario():
        script = Script([call("pay", {})])
        async with open_bank(script) as mastra:
            agent = mastra.get_agent("a")
            reading = asyncio.create_task(read_all(agent.stream("pay", run_id="r", **THREAD)))
            async with asyncio.timeout(20):
                await cancel_once_stored(agent, "r")
                (*_, last) = await reading
            assert not isinstance(last, Finish)
            run = await mastra.engine.get(agent.workflow, "r", "ann")
            assert run.record.status == "canceled"

    asyncio.run(run_scenario())
