import asyncio
import contextlib

import msgspec
import pytest

from mastra_core import Agent
from mastra_core.agents import (
    AgentInput,
    AgentOutput,
    ApprovalRequired,
    ClientTool,
    Decision,
    Finish,
    MemorySuspendedRuns,
    Message,
    SuspendedRun,
    SuspendedRunQuery,
    SuspendedRuns,
    ToolSuspended,
)
from mastra_core.errors import InvalidInput, NotFound, TooManyRuns

WAITING = (
    ApprovalRequired(id="c1", name="pay", arguments={"amount": 3}),
    ToolSuspended(id="c2", name="ask", arguments={}, payload={"question": "When?"}),
)


def build_suspended_run(run_id="r1", agent_id="a"):
    run_input = AgentInput(
        messages=(Message.user("pay"),),
        run_id=run_id,
        thread="t",
        context={"token": "secret"},
        client_tools=(ClientTool(name="look"),),
        stop_when=(len,),
    )
    finish = Finish(reason="suspended", history=b"[1]")
    output = AgentOutput(text="", reason="suspended", events=(*WAITING, finish))
    agent = Agent(name=agent_id, model="test")
    return SuspendedRun.from_output(agent, run_input, output)


def test_stored_form_has_no_request_context():
    run = build_suspended_run()
    written = msgspec.json.encode(run)
    assert b"secret" not in written
    assert msgspec.json.decode(written, type=SuspendedRun) == run
    assert run.waiting == WAITING


def test_input_with_decisions():
    decisions = {"c1": Decision(approved=False, reason="too much")}
    run_input = build_suspended_run().to_input(decisions, {"user": "ann"})
    assert (run_input.history, run_input.decisions, run_input.context) == (
        b"[1]",
        decisions,
        {"user": "ann"},
    )
    assert (run_input.run_id, run_input.thread, run_input.client_tools[0].name) == (
        "r1",
        "t",
        "look",
    )
    with pytest.raises(InvalidInput, match="'c9'") as caught:
        build_suspended_run().to_input({"c9": Decision()})
    assert "'c1', 'c2'" in caught.value.hint


def test_store_by_run_id():
    async def all_of():
        runs = MemorySuspendedRuns()
        assert isinstance(runs, SuspendedRuns)
        for name in ("r1", "r2"):
            await runs.put(build_suspended_run(name))
        await runs.put(build_suspended_run("r3", "b"))
        found = await runs.list(SuspendedRunQuery(agent="a"))
        assert [run.run_id for run in found.items] == ["r2", "r1"]
        assert (await runs.get("a", "r1")).run_id == "r1"
        taken = await asyncio.gather(
            *(runs.take("a", "r1") for _ in range(2)), return_exceptions=True
        )
        assert {type(each) for each in taken} == {SuspendedRun, NotFound}

    asyncio.run(all_of())


def test_store_is_bounded_by_number_bytes_and_age():
    async def fill(runs):
        stored = 0
        with contextlib.suppress(TooManyRuns):
            for stored in range(100):
                await runs.put(build_suspended_run(f"r{stored}"))
        assert (await runs.list(SuspendedRunQuery(agent="a"))).items[-1].run_id == "r0"
        await runs.take("a", "r0")
        await runs.put(build_suspended_run("again"))
        return stored

    async def all_of():
        assert await fill(MemorySuspendedRuns(limit=2)) == 2
        assert await fill(MemorySuspendedRuns(max_bytes=40_000)) > 2
        old = MemorySuspendedRuns(max_age=-1)
        await old.put(build_suspended_run())
        assert (await old.list(SuspendedRunQuery(agent="a"))).total == 0

    asyncio.run(all_of())


def test_replacement_that_is_too_large_leaves_the_stored_run():
    async def replace_run():
        runs = MemorySuspendedRuns(max_bytes=40_000)
        await runs.put(build_suspended_run("r1"))
        await runs.put(build_suspended_run("r2"))
        large = msgspec.structs.replace(build_suspended_run("r1"), history=b"x" * 100_000)
        with pytest.raises(TooManyRuns, match="2 suspended runs are stored"):
            await runs.put(large)
        assert (await runs.get("a", "r1")).history == b"[1]"
        found = await runs.list(SuspendedRunQuery(agent="a"))
        assert [run.run_id for run in found.items] == ["r2", "r1"]
        small = msgspec.structs.replace(build_suspended_run("r1"), history=b"[2]")
        await runs.put(small)
        assert (await runs.get("a", "r1")).history == b"[2]"

    asyncio.run(replace_run())
