import asyncio

import msgspec
import pytest

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
    SuspendedRuns,
    ToolSuspended,
)
from mastra_core.errors import InvalidInput, NotFound

WAITING = (
    ApprovalRequired(id="c1", name="pay", arguments={"amount": 3}),
    ToolSuspended(id="c2", name="ask", arguments={}, payload={"question": "When?"}),
)


def suspended(run_id="r1", agent_id="a"):
    wish = AgentInput(
        messages=(Message.user("pay"),),
        run_id=run_id,
        thread="t",
        context={"token": "secret"},
        client_tools=(ClientTool(name="look"),),
        stop_when=(len,),
    )
    finish = Finish(reason="suspended", history=b"[1]")
    output = AgentOutput(text="", reason="suspended", events=(*WAITING, finish))
    return SuspendedRun.of(agent_id, wish, output)


def test_what_is_kept_has_a_json_form_without_the_request_context():
    run = suspended()
    written = msgspec.json.encode(run)
    assert b"secret" not in written
    assert msgspec.json.decode(written, type=SuspendedRun) == run
    assert run.waiting == WAITING


def test_it_goes_on_with_decisions():
    decisions = {"c1": Decision(approved=False, reason="too much")}
    wish = suspended().resumed(decisions, {"user": "ann"})
    assert (wish.history, wish.decisions, wish.context) == (b"[1]", decisions, {"user": "ann"})
    assert (wish.run_id, wish.thread, wish.client_tools[0].name) == ("r1", "t", "look")
    with pytest.raises(InvalidInput, match="'c9'") as caught:
        suspended().resumed({"c9": Decision()})
    assert "'c1', 'c2'" in caught.value.hint


def test_kept_by_run_id():
    async def all_of():
        runs = MemorySuspendedRuns()
        assert isinstance(runs, SuspendedRuns)
        for name in ("r1", "r2"):
            await runs.put(suspended(name))
        await runs.put(suspended("r3", "b"))
        assert [run.run_id for run in await runs.list("a")] == ["r2", "r1"]
        assert (await runs.get("r1")).run_id == "r1"
        taken = await asyncio.gather(*(runs.take("r1") for _ in range(2)), return_exceptions=True)
        assert {type(each) for each in taken} == {SuspendedRun, NotFound}

    asyncio.run(all_of())


def test_the_store_is_bounded_by_number_and_age():
    async def all_of():
        few = MemorySuspendedRuns(limit=2)
        for number in range(5):
            await few.put(suspended(f"r{number}"))
        assert [run.run_id for run in await few.list("a")] == ["r4", "r3"]
        old = MemorySuspendedRuns(max_age=-1)
        await old.put(suspended())
        assert await old.list("a") == []

    asyncio.run(all_of())
