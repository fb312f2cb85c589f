"""Runs of durable agents in one process, whose engine is closed and opened again."""

import asyncio

import pydantic_ai
import pytest
from pydantic_ai.exceptions import ModelHTTPError

from mastra_core import Agent, DurableEngine, Mastra, Workflow, tool
from mastra_core.agents import (
    AgentInput,
    ApprovalRequired,
    ClientTool,
    Decision,
    Finish,
    Message,
    StepFinish,
    SuspendedRunQuery,
    TextDelta,
    ToolOutput,
    ToolResult,
    ToolResultPart,
)
from mastra_core.agents.adapt import as_agent
from mastra_core.agents.event_chunk import read_event_chunk
from mastra_core.durable_agents import DurableAgent
from mastra_core.errors import AgentFailed, InvalidInput, NotFound
from mastra_core.tools import ToolContext
from mastra_core.workflows.durable import SqliteRunStore
from mastra_core.workflows.engine.run_events import StepWrote
from mastra_core.workflows.engine.run_query import RunQuery
from tests.core.durable_agents.conftest import read_all, wait_until
from tests.core.scripted_model import Script, call


class Desk:
    """A tool that returns when it may, and remembers its calls."""

    def __init__(self):
        self.calls = []
        self.may_return = asyncio.Event()

    def build_tools(self):
        async def wait(context: ToolContext) -> str:
            """Wait."""
            self.calls.append(context.is_repeated)
            await self.may_return.wait()
            return "waited"

        def note() -> str:
            """Note."""
            self.calls.append("note")
            return "noted"

        return [wait, note]

    def build_plain_tools(self):
        async def wait() -> str:
            self.calls.append("wait")
            await self.may_return.wait()
            return "waited"

        def note() -> str:
            self.calls.append("note")
            return "noted"

        return [wait, note]


def get_text(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_an_agent_alone_is_durable_if_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("MASTRA_DATABASE_URL", f"sqlite:///{tmp_path}/app.db")
    plain, durable = Agent(name="plain", model="test"), Agent(name="d", model="test", durable=True)
    mastra = Mastra(agents={"plain": plain, "d": durable}, logger=False)
    assert not isinstance(mastra.get_agent("plain"), DurableAgent)
    assert isinstance(mastra.get_agent("d"), DurableAgent)
    out = Agent(name="out", model="test", durable=False)
    others = {"out": out, "plain": plain, "function": run_function}
    mastra = Mastra(agents=others, engine="durable", logger=False)
    kinds = {key: isinstance(agent, DurableAgent) for key, agent in mastra.agents.items()}
    assert kinds == {"out": False, "plain": True, "function": False}
    assert [each.id for each in mastra.agent_workflows] == ["agent:plain"]
    monkeypatch.setattr("mastra_core.mastra.is_request_scoped", lambda: True)
    mastra = Mastra(agents={"plain": plain, "d": durable}, engine="durable", logger=False)
    assert [each.id for each in mastra.agent_workflows] == ["agent:d"]


async def run_function(prompt: str) -> str:
    return prompt


def test_code_cannot_be_stored(open_mastra):
    async def run_scenario():
        async with open_mastra(Agent(name="a", model=Script(["hello"]).model)) as mastra:
            agent = mastra.get_agent("a")
            options = {"tools": [run_function], "output": int, "model": Script().model}
            for name, value in options.items():
                with pytest.raises(InvalidInput, match=f"'{name}'"):
                    await agent.generate("x", **{name: value})
            output = await agent.generate("x", settings={"temperature": 0})
            assert (output.text, output.reason) == ("hello", "stop")

    asyncio.run(run_scenario())


def test_the_caller_continues_after_its_own_tools(open_mastra):
    async def run_scenario():
        given = {"client_tools": (ClientTool(name="locate", description="Where am I?"),)}
        script = Script([call("locate", {})], ["Oslo, then."])
        async with open_mastra(Agent(name="a", model=script.model)) as mastra:
            agent = mastra.get_agent("a")
            asked = await agent.generate("Where am I?", run_id="r", **given)
            assert asked.reason == "tool-calls"
            (*_, observed) = await read_all(await agent.observe("r"))
            assert observed.history == asked.history != b""
            part = ToolResultPart(id="c1", name="locate", result="Oslo")
            message = Message(role="tool", parts=(part,))
            rest = AgentInput(messages=(message,), history=asked.history, **given)
            assert (await agent.generate(rest)).text == "Oslo, then."
        assert [each.kind for each in script.asked[1]] == ["request", "response", "request"]

    asyncio.run(run_scenario())


def test_nobody_waits_for_a_run_whose_caller_failed_before_its_start(open_mastra):
    async def run_scenario():
        agent = Agent(name="a", model=Script(["done"]).model)
        async with open_mastra(agent) as mastra:
            durable = mastra.get_agent("a")
            await mastra.engine.create(durable.workflow, "r")
            with pytest.raises(NotFound, match="There is no run 'r'"):
                await durable.observe("r")
            assert (await durable.generate("x", run_id="r")).text == "done"
            assert get_text(await read_all(await durable.observe("r"))) == "done"

    asyncio.run(run_scenario())


def test_a_restart_continues_after_the_last_finished_call(open_mastra):
    async def run_scenario():
        desk = Desk()
        outage = ModelHTTPError(status_code=503, model_name="m", body=None)
        script = Script([call("note", {})], [outage], ["done"])
        agent = Agent(name="a", model=script.model, tools=desk.build_tools())
        async with open_mastra(agent) as mastra:
            durable = mastra.get_agent("a")
            with pytest.raises(AgentFailed):
                await durable.generate("x", run_id="r")
            run = await mastra.engine.get(durable.workflow, "r")
            assert run.record.status == "failed"
            await mastra.engine.restart(run)
            assert (await run.wait()).status == "success"
            events = await read_all(await durable.observe("r"))
        assert get_text(events) == "done"
        assert sum(isinstance(event, ToolResult) for event in events) == 1
        assert isinstance(events[-1], Finish)
        assert desk.calls == ["note"]
        assert len(script.asked) == 3

    asyncio.run(run_scenario())


def test_a_restart_asks_again_after_an_invalid_answer(open_mastra):
    async def run_scenario():
        wrong, right = call("final_result", {"n": "x"}), call("final_result", {"n": 1})
        script = Script([wrong], [right])
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        agent = Agent(name="a", model=script.model, output=schema, retries=0)
        async with open_mastra(agent) as mastra:
            durable = mastra.get_agent("a")
            with pytest.raises(AgentFailed):
                await durable.generate("x", run_id="r")
            run = await mastra.engine.get(durable.workflow, "r")
            await mastra.engine.restart(run)
            assert (await run.wait()).status == "success"
            events = await read_all(await durable.observe("r"))
        assert events[-1].object == {"n": 1}

    asyncio.run(run_scenario())


def test_a_resource_cannot_reach_the_run_of_another(open_mastra):
    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    async def run_scenario():
        script = Script([call("pay", {})], [call("pay", {})], ["thanks"])
        async with open_mastra(Agent(name="a", model=script.model, tools=[pay])) as mastra:
            agent, runs = mastra.get_agent("a"), mastra.suspended_runs
            own = {"run_id": "r", "resource": "ann"}
            assert (await agent.generate("x", **own)).reason == "suspended"
            for access in (agent.observe, agent.cancel_run, agent.get_suspended_run):
                with pytest.raises(NotFound):
                    await access("r", "bob")
            (waiting,) = (await runs.list(SuspendedRunQuery(agent="a", resource="ann"))).items
            assert (await runs.list(SuspendedRunQuery(agent="a", resource="bob"))).total == 0
            decisions = {waiting.waiting[0].id: Decision()}
            with pytest.raises(NotFound):
                await agent.generate(AgentInput(run_id="r", resource="bob", decisions=decisions))
            # The same id is free for another resource.
            assert (await agent.generate("x", run_id="r", resource="bob")).reason == "suspended"
            output = await agent.generate(AgentInput(**own, decisions=decisions))
            assert output.text == "thanks"
            assert [each.result for each in output.tool_results] == ["paid"]
            await agent.cancel_run("r", "bob")
            assert (await runs.list(SuspendedRunQuery(agent="a"))).total == 0

    asyncio.run(run_scenario())


def test_a_slow_reader_gets_nothing_after_the_suspension(open_mastra):
    """The run continues before the reader notices its suspension."""

    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    async def run_scenario():
        script = Script(["wait ", call("pay", {}, "c1")], ["thanks"])
        async with open_mastra(Agent(name="a", model=script.model, tools=[pay])) as mastra:
            agent = mastra.get_agent("a")
            reader = aiter(agent.stream("x", run_id="r"))
            first = await anext(reader)
            run = await mastra.engine.get(agent.workflow, "r")
            await run.wait()
            output = await agent.generate(AgentInput(run_id="r", decisions={"c1": Decision()}))
            assert output.text == "thanks"
            events = [first, *await read_all(reader)]
        assert events[-1].reason == "suspended"
        assert get_text(events) == "wait "
        assert not any(isinstance(event, ToolResult) for event in events)

    asyncio.run(run_scenario())


class GatedStore(SqliteRunStore):
    """A store whose commits of a suspension wait for a gate."""

    def __init__(self, path):
        super().__init__(path)
        self.is_waiting, self.may_commit = asyncio.Event(), asyncio.Event()

    async def commit(self, run, holder, attempt, number, batch):
        if batch.releases:
            self.is_waiting.set()
            await self.may_commit.wait()
        return await super().commit(run, holder, attempt, number, batch)


def test_a_reader_learns_of_a_suspension_when_the_run_can_be_decided(tmp_path):
    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    async def run_scenario():
        store = GatedStore(tmp_path / "runs.db")
        agent = Agent(name="a", model=Script([call("pay", {}, "c1")]).model, tools=[pay])
        mastra = Mastra(agents={"a": agent}, engine=DurableEngine(store), logger=False)
        durable = mastra.get_agent("a")
        starting = asyncio.create_task(durable.generate("x", run_id="r"))
        await store.is_waiting.wait()
        reader = aiter(await durable.observe("r"))
        while not isinstance(await anext(reader), ApprovalRequired):
            pass
        end = asyncio.ensure_future(anext(reader))
        await asyncio.wait([end], timeout=0.2)
        assert not end.done()
        store.may_commit.set()
        assert (await end).reason == "suspended"
        assert (await durable.get_suspended_run("r")).waiting[0].id == "c1"
        await starting
        await mastra.engine.close()

    asyncio.run(run_scenario())


def test_suspended_runs_have_pages(open_mastra):
    """A page reads two or three events of each of its runs, however long the answers are."""

    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    async def run_scenario():
        words = [" ".join("word" for _ in range(50))]
        script = Script(*[[*words, call("pay", {}, f"c{number}")] for number in range(4)])
        async with open_mastra(Agent(name="a", model=script.model, tools=[pay])) as mastra:
            agent, runs = mastra.get_agent("a"), mastra.suspended_runs
            for number in range(4):
                own = {"run_id": f"r{number}", "resource": "ann", "thread": f"t{number % 2}"}
                await read_all(agent.stream("x", **own))
                await asyncio.sleep(0.002)

            async def read(**fields):
                page = await runs.list(SuspendedRunQuery(agent="a", **fields))
                return [run.run_id for run in page.items], page.total

            assert await read() == (["r3", "r2", "r1", "r0"], 4)
            assert await read(per_page=2, page=1) == (["r1", "r0"], 4)
            assert await read(resource="ann", thread="t1", per_page=1) == (["r3"], 2)
            assert await read(thread="t0", call="c2") == (["r2"], 1)
            assert await read(resource="bob") == await read(resource="") == ([], 0)
            (newest,) = (await runs.list(SuspendedRunQuery(agent="a", per_page=1))).items
            at = newest.suspended_at
            assert await read(since=at) == (["r3"], 1)
            assert await read(until=at) == (["r3", "r2", "r1", "r0"], 4)
            assert await read(until=at - 1) == (["r2", "r1", "r0"], 3)
            assert newest == await agent.get_suspended_run("r3")
            selection = RunQuery(status="suspended", last_events=2)
            listed = await mastra.engine._store.list(agent.workflow.id, selection)
            assert [len(events) for _, events in listed] == [3, 3, 3, 3]

    asyncio.run(run_scenario())


def test_a_run_is_decided_while_it_is_listed(open_mastra):
    """On PostgreSQL and D1, each query of a list sees what is committed by then."""

    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    async def run_scenario():
        script = Script([call("pay", {})], ["done"])
        async with open_mastra(Agent(name="a", model=script.model, tools=[pay])) as mastra:
            agent, database = mastra.get_agent("a"), mastra.engine._store._database
            await read_all(agent.stream("x", run_id="r"))
            read = database.read

            def select(query):
                return (yield query)

            async def read_each(transact, **options):
                queries, rows = transact(), None
                try:
                    while True:
                        query = queries.send(rows)
                        rows = await read(lambda query=query: select(query), **options)
                        if "ORDER BY updated_at" in query.sql:
                            database.read = read
                            decisions = {"c1": Decision(approved=True)}
                            await read_all(agent.stream("", run_id="r", decisions=decisions))
                except StopIteration as end:
                    return end.value

            database.read = read_each
            page = await mastra.suspended_runs.list(SuspendedRunQuery(agent="a"))
            assert (page.items, page.total) == ((), 0)

    asyncio.run(run_scenario())


def test_runs_are_decided_between_the_parts_of_a_list(open_mastra, monkeypatch):
    """A list reads its runs in parts, and misses none that still waits."""

    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    async def run_scenario():
        script = Script(*[[call("pay", {})] for _ in range(15)])
        async with open_mastra(Agent(name="a", model=script.model, tools=[pay])) as mastra:
            agent, list_page = mastra.get_agent("a"), mastra.engine.list_page
            for number in range(15):
                await read_all(agent.stream("x", run_id=f"r{number}"))

            async def cancel_after_the_first_part(workflow, query):
                page = await list_page(workflow, query)
                if query.after is None:
                    for number in range(10, 15):
                        await agent.cancel_run(f"r{number}")
                return page

            monkeypatch.setattr(mastra.engine, "list_page", cancel_after_the_first_part)
            page = await mastra.suspended_runs.list(SuspendedRunQuery(agent="a"))
            names = [run.run_id for run in page.items]
            assert names == [f"r{number}" for number in reversed(range(15))]

    asyncio.run(run_scenario())


def test_a_large_page_is_refused_before_it_is_read(open_mastra, monkeypatch):
    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    async def run_scenario():
        script = Script(*[[call("pay", {})] for _ in range(30)])
        async with open_mastra(Agent(name="a", model=script.model, tools=[pay])) as mastra:
            for number in range(30):
                await read_all(mastra.get_agent("a").stream("x" * 1000, run_id=f"r{number}"))
            found, list_page = [], mastra.engine.list_page

            async def count_runs(*arguments):
                page = await list_page(*arguments)
                found.extend(page.records)
                return page

            monkeypatch.setattr(mastra.engine, "list_page", count_runs)
            query = SuspendedRunQuery(agent="a", per_page=1000, max_bytes=5000)
            with pytest.raises(InvalidInput, match="perPage must be smaller"):
                await mastra.suspended_runs.list(query)
            assert len(found) <= 10

    asyncio.run(run_scenario())


def test_an_agent_that_is_a_tool_records_its_calls(open_mastra):
    async def run_scenario():
        desk = Desk()
        inner_script = Script([call("note", {}, "n"), call("wait", {}, "w", 1)], ["inner"])
        inner = Agent(name="inner", model=inner_script.model, tools=desk.build_tools())
        script = Script([call("agent-x", {"prompt": "go"})], ["outer"])
        outer = Agent(name="outer", model=script.model, agents={"x": inner})
        async with open_mastra(outer) as mastra:
            reading = asyncio.create_task(
                read_all(mastra.get_agent("outer").stream("x", run_id="r"))
            )
            await wait_until(lambda: False in desk.calls)
            await asyncio.sleep(0.1)
        reading.cancel()
        desk.may_return.set()
        async with open_mastra(outer) as mastra:
            run = await mastra.engine.get(mastra.get_agent("outer").workflow, "r")
            assert (await asyncio.wait_for(run.wait(), 20)).status == "success"
            events = await read_all(await mastra.get_agent("outer").observe("r"))
        assert get_text(events) == "outer"
        assert sorted(map(str, desk.calls)) == ["False", "True", "note"]
        assert (len(script.asked), len(inner_script.asked)) == (2, 2)
        inner_events = [event.output for event in events if isinstance(event, ToolOutput)]
        assert get_text(inner_events) == "inner"

    asyncio.run(run_scenario())


def test_an_agent_of_pydantic_ai_records_its_calls(open_mastra):
    async def run_scenario():
        desk = Desk()
        script = Script(["one ", call("wait", {}, "w"), call("note", {}, "n", 1)], ["done"])
        foreign = pydantic_ai.Agent(script.model, name="foreign", tools=desk.build_plain_tools())
        run, events = await interrupt_run(open_mastra, desk, as_agent(foreign))
        assert run.record.result == {"text": "done"}
        retry = events.index(StepFinish(reason="retry", continued=True))
        assert (get_text(events[:retry]), get_text(events[retry:])) == ("one ", "one done")
        assert sorted(desk.calls) == ["note", "wait", "wait"]
        assert len(script.asked) == 2

    asyncio.run(run_scenario())


def test_a_function_is_executed_again(open_mastra):
    async def run_scenario():
        desk = Desk()

        async def answer(prompt: str) -> str:
            desk.calls.append("answer")
            await desk.may_return.wait()
            return "done"

        run, events = await interrupt_run(open_mastra, desk, as_agent(answer))
        assert run.record.status == "success"
        assert get_text(events) == "done"
        assert desk.calls == ["answer", "answer"]

    asyncio.run(run_scenario())


async def interrupt_run(open_mastra, desk, agent):
    """Close the engine while a step waits; return the finished run, and the events of the agent."""
    workflow = Workflow("w").then(agent)
    async with open_mastra(workflows=[workflow]) as mastra:
        run = await mastra.engine.create(workflow, "r")
        await mastra.engine.start(run, "x")
        await wait_until(lambda: {"wait", "answer"} & {*desk.calls})
        await asyncio.sleep(0.1)
    desk.may_return.set()
    async with open_mastra(workflows=[workflow]) as mastra:
        run = await mastra.engine.get(workflow, "r")
        await asyncio.wait_for(run.wait(), 20)
        chunks = [each.chunk async for each in run.iter_events() if isinstance(each, StepWrote)]
    return run, [read_event_chunk(chunk)[1] for chunk in chunks]


def test_suspended_run_of_another_resource_is_not_found(open_mastra):
    @tool(requires_approval=True)
    def pay() -> str:
        return "paid"

    async def find():
        agent = Agent(name="a", model=Script([call("pay")]).model, tools=[pay])
        async with open_mastra(agent) as mastra:
            await mastra.get_agent("a").generate("pay", run_id="r1", resource="ann")
            for resource in ("", "bob"):
                with pytest.raises(NotFound):
                    await mastra.suspended_runs.get("a", "r1", resource)
            for resource in (None, "ann"):
                run = await mastra.suspended_runs.get("a", "r1", resource)
                assert run.run_input.resource == "ann"

    asyncio.run(find())
