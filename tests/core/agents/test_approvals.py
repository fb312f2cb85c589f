"""Runs that are suspended for a decision and resumed."""

import dataclasses

import pydantic_ai
import pytest

from mastra_core import Agent, AgentInput, ToolContext, tool
from mastra_core.agents import (
    ApprovalRequired,
    ClientTool,
    Decision,
    Finish,
    SuspendedRun,
    ToolResult,
    ToolSuspended,
    as_agent,
)
from mastra_core.errors import AgentFailed, ConfigError, Conflict, InvalidInput, MastraError
from mastra_core.logger import get_logger
from tests.core.agents.test_agent_runs import run_both_ways
from tests.core.scripted_model import Script, build_input, call, list_events, run_agent

PAY = {"amount": 3}


class Shop:
    """A tool that pays, and what it paid."""

    def __init__(self, approval=True):
        self.paid = []

        @tool(requires_approval=approval)
        def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            return f"paid {amount}"

        self.pay = pay


def suspend_run(shop, *calls, more=(), **run_input):
    agent = Agent(name="a", model=Script(list(calls)).model, tools=[shop.pay, *more])
    out = run_agent(agent, build_input(run_id="r1", **run_input))
    assert out.reason == "suspended"
    return out


def resume_run(shop, out, decisions, *turns, more=(), **run_input):
    script = Script(*turns)
    run_input = AgentInput(history=out.history, decisions=decisions, **run_input)

    def build_agent():
        return Agent(name="a", model=script.model, tools=[shop.pay, *more])

    return script, run_agent(build_agent(), run_input)


def test_tool_waits_for_approval():
    shop = Shop()
    out = run_both_ways(
        lambda: Agent(name="a", model=Script([call("pay", PAY)]).model, tools=[shop.pay]),
        build_input(output_schema=None),
    )
    assert out.waiting == [ApprovalRequired(id="c1", name="pay", arguments=PAY)]
    assert (out.reason, shop.paid) == ("suspended", [])
    assert not out.tool_results


def test_approved_call():
    shop = Shop()
    out = suspend_run(shop, call("pay", PAY))
    _, done = resume_run(shop, out, {"c1": Decision()}, ["Done."])
    assert (done.text, done.reason, shop.paid) == ("Done.", "stop", [3])
    (result,) = done.tool_results
    assert (result.id, result.arguments, result.result) == ("c1", PAY, "paid 3")


def test_resumed_stream_repeats_the_call_before_its_result():
    shop = Shop()
    out = suspend_run(shop, call("pay", PAY))
    agent = Agent(name="a", model=Script(["Done."]).model, tools=[shop.pay])
    told = list_events(agent, AgentInput(history=out.history, decisions={"c1": Decision()}))
    assert [event.__struct_config__.tag for event in told] == [
        "start", "tool-call", "tool-result", "step-finish", "text-delta", "step-finish", "finish",
    ]  # fmt: skip


def test_approved_call_with_other_arguments():
    shop = Shop()
    out = suspend_run(shop, call("pay", PAY))
    resume_run(shop, out, {"c1": Decision(arguments={"amount": 2})}, ["Done."])
    assert shop.paid == [2]


def test_declined_call():
    shop = Shop()
    out = suspend_run(shop, call("pay", PAY))
    script, done = resume_run(
        shop, out, {"c1": Decision(approved=False, reason="Too much.")}, ["Ok."]
    )
    assert (done.text, shop.paid) == ("Ok.", [])
    assert script.asked[0][-1].parts[0].content == "Too much."
    assert done.tool_results[0].failed


def test_calls_decided_one_by_one():
    shop = Shop()
    out = suspend_run(shop, call("pay", {"amount": 1}, "c1"), call("pay", {"amount": 2}, "c2", 1))
    assert [event.id for event in out.waiting] == ["c1", "c2"]
    _, then = resume_run(shop, out, {"c2": Decision()})
    assert (then.reason, shop.paid) == ("suspended", [2])
    assert [event.id for event in then.waiting] == ["c1"]
    assert [event.result for event in then.tool_results] == ["paid 2"]
    _, done = resume_run(shop, then, {"c1": Decision(approved=False)}, ["Done."])
    assert (done.text, shop.paid) == ("Done.", [2])


def test_calls_decided_at_once():
    shop = Shop()
    out = suspend_run(shop, call("pay", {"amount": 1}, "c1"), call("pay", {"amount": 2}, "c2", 1))
    both_of_them = {"c1": Decision(), "c2": Decision(arguments={"amount": 5})}
    _, done = resume_run(shop, out, both_of_them, ["Done."])
    assert (done.text, sorted(shop.paid)) == ("Done.", [1, 5])


async def is_expensive(amount):
    return amount > 100


@pytest.mark.parametrize("rule", [lambda amount: amount > 100, is_expensive])
def test_approval_depends_on_arguments(rule):
    shop = Shop(rule)
    free = Agent(name="a", model=Script([call("pay", PAY)], ["ok"]).model, tools=[shop.pay])
    assert run_agent(free).text == "ok"
    assert shop.paid == [3]
    out = suspend_run(shop, call("pay", {"amount": 101}))
    resume_run(shop, out, {"c1": Decision()}, ["ok"])
    assert shop.paid == [3, 101]


def test_invalid_arguments_are_corrected_before_approval():
    shop = Shop()
    script = Script([call("pay", {"amount": "x"})], [call("pay", PAY, "c2")])
    out = run_agent(Agent(name="a", model=script.model, tools=[shop.pay]))
    assert [event.id for event in out.waiting] == ["c2"]


def test_require_approval_of_every_call():
    shop = Shop(approval=False)
    out = suspend_run(shop, call("pay", PAY), require_approval=True)
    _, done = resume_run(shop, out, {"c1": Decision()}, ["ok"], require_approval=True)
    assert (done.text, shop.paid) == ("ok", [3])


def test_suspended_tool_gets_data():
    shop = Shop()

    @tool
    async def ask(question: str, context: ToolContext) -> str:
        """Ask the user."""
        if context.resume_data is None:
            context.suspend({"question": question})
        return f"said {context.resume_data}"

    out = suspend_run(shop, call("ask", {"question": "When?"}), more=[ask])
    waits = ToolSuspended(
        id="c1", name="ask", arguments={"question": "When?"}, payload={"question": "When?"}
    )
    assert out.waiting == [waits]
    _, done = resume_run(shop, out, {"c1": Decision(data={"day": 1})}, ["Ok."], more=[ask])
    assert done.tool_results[0].result == "said {'day': 1}"
    _, no = resume_run(shop, out, {"c1": Decision(approved=False)}, ["Pity."], more=[ask])
    assert no.text == "Pity."


def test_data_for_a_suspended_tool_has_its_type():
    @dataclasses.dataclass
    class Day:
        day: int

    @tool(resume=Day)
    async def ask(context: ToolContext) -> int:
        if context.resume_data is None:
            context.suspend()
        return context.resume_data.day

    out = suspend_run(Shop(), call("ask"), more=[ask])
    assert out.waiting[0].resume_schema["properties"] == {"day": {"type": "integer"}}
    _, done = resume_run(Shop(), out, {"c1": Decision(data={"day": 1})}, ["Ok."], more=[ask])
    assert done.tool_results[0].result == 1
    _, bad = resume_run(Shop(), out, {"c1": Decision(data={"day": "x"})}, ["So?"], more=[ask])
    assert bad.tool_results[0].result["error"] is True
    assert "day: Expected `int`" in bad.tool_results[0].result["message"]


def test_sync_tool_suspends_only_in_a_run():
    @tool
    def ask(context: ToolContext) -> str:
        try:
            context.suspend("why")
        except Exception:  # user code does that
            return "swallowed"
        return "unreachable"

    agent = Agent(name="a", model=Script([call("ask")]).model, tools=[ask])
    assert run_agent(agent).waiting[0].payload == "why"

    @tool
    async def direct(context: ToolContext) -> None:
        context.suspend()

    import asyncio

    with pytest.raises(Conflict):
        asyncio.run(direct.execute({}))


def test_client_tool_beside_an_approval():
    shop = Shop()
    client = (ClientTool(name="locate"),)
    out = suspend_run(shop, call("pay", PAY), call("locate", "{}", "c2", 1), client_tools=client)
    assert [event.id for event in out.waiting] == ["c1"]
    with pytest.raises(InvalidInput, match="'c2'"):
        resume_run(shop, out, {"c1": Decision()}, client_tools=client)
    decisions = {"c1": Decision(), "c2": Decision(data="Oslo")}
    _, done = resume_run(shop, out, decisions, ["Done."], client_tools=client)
    assert [each.result for each in done.tool_results] == ["paid 3", "Oslo"]


def test_unexpected_decisions_are_rejected():
    shop = Shop()
    out = suspend_run(shop, call("pay", PAY))
    with pytest.raises(InvalidInput, match="'c9'"):
        resume_run(shop, out, {"c9": Decision()})
    with pytest.raises(InvalidInput, match="'c1'"):
        run_agent(Agent(name="a", model="test"), build_input(decisions={"c1": Decision()}))
    last = list_events(Agent(name="a", model="test"), build_input(decisions={"c1": Decision()}))[-1]
    assert last.status == 400


def test_suspended_run_survives_its_process():
    import msgspec

    shop = Shop()
    run_input = build_input(run_id="r1", context={"user": "ann"}, settings={"seed": 1})
    agent = Agent(name="a", model=Script([call("pay", PAY)]).model, tools=[shop.pay])
    kept = msgspec.json.encode(
        SuspendedRun.from_output(agent, run_input, run_agent(agent, run_input))
    )
    run = msgspec.json.decode(kept, type=SuspendedRun)
    script = Script(["Done."])
    again = Agent(name="a", model=script.model, tools=[shop.pay])
    out = run_agent(again, run.to_input({"c1": Decision()}, {"user": "bo"}))
    assert (out.text, shop.paid, script.infos[0].model_settings["seed"]) == ("Done.", [3], 1)


def test_history_of_a_newer_version():
    """The error does not contain the stored data."""
    run_input = build_input(history=b'[{"kind":"dream","secret":"s3cret"}]')
    with pytest.raises(MastraError, match="The history of the run cannot be read: 0: ") as raised:
        run_agent(Agent(name="a", model=Script(["Hi."]).model), run_input)
    assert "s3cret" not in raised.value.message


def test_approval_of_a_tool_that_a_new_version_has_renamed(caplog, monkeypatch):
    """The call fails for the model, which may call the new tool, and the log says why."""
    # Other tests may have silenced the framework's logger, which does not propagate by itself.
    monkeypatch.setattr(get_logger("mastra"), "propagate", True)
    caplog.set_level("WARNING", logger="mastra")
    shop = Shop()
    run_input = build_input(run_id="r1")
    agent = Agent(name="a", model=Script([call("pay", PAY)]).model, tools=[shop.pay])
    run = SuspendedRun.from_output(agent, run_input, run_agent(agent, run_input))
    renamed = dataclasses.replace(shop.pay, id="charge")
    script = Script(["Sorry."])
    again = Agent(name="a", model=script.model, tools=[renamed])
    assert run_agent(again, run.to_input({"c1": Decision()})).text == "Sorry."
    result = script.asked[0][-1].parts[0]
    assert (result.outcome, result.content) == (
        "failed",
        "Unknown tool name: 'pay'. Available tools: 'charge'.",
    )
    assert set(caplog.messages) == {
        "the approved call 'c1' is not executed, because the agent has no tool 'pay'"
    }
    assert shop.paid == []


def test_raw_agent_with_approval():
    paid = []

    def build_agent(*turns):
        raw = pydantic_ai.Agent(
            Script(*turns).model, name="raw", output_type=[str, pydantic_ai.DeferredToolRequests]
        )

        @raw.tool_plain(requires_approval=True)
        def pay(amount: int) -> str:
            paid.append(amount)
            return "paid"

        return as_agent(raw)

    out = run_agent(build_agent([call("pay", PAY), call("pay", {"amount": 4}, "c2", 1)]))
    assert (out.reason, len(out.waiting)) == ("suspended", 2)
    with pytest.raises(AgentFailed, match="'c2'"):
        run_agent(build_agent(), AgentInput(history=out.history, decisions={"c1": Decision()}))
    assert paid == []
    decisions = {"c1": Decision(), "c2": Decision(approved=False)}
    done = run_agent(build_agent(["ok"]), AgentInput(history=out.history, decisions=decisions))
    assert (done.text, paid) == ("ok", [3])


def test_raw_agent_with_client_tools():
    raw = pydantic_ai.Agent(Script([call("locate")]).model, name="raw")
    out = run_agent(raw, build_input(client_tools=(ClientTool(name="locate"),)))
    assert out.reason == "tool-calls"
    assert isinstance(out.events[-1], Finish)
    assert not any(isinstance(event, ToolResult) for event in out.events)


def test_sub_agent_cannot_suspend():
    shop = Shop()
    inner = Agent(name="inner", model=Script([call("pay", PAY)]).model, tools=[shop.pay])
    script = Script([call("agent-x", {"prompt": "pay"})], ["Sorry."])
    (result,) = run_agent(Agent(name="outer", model=script.model, agents={"x": inner})).tool_results
    assert result.failed
    assert "'inner' is called as a tool" in result.result
    assert shop.paid == []


def test_invalid_approval_rule():
    with pytest.raises(ConfigError, match="approval"):
        tool(requires_approval="yes")(lambda: None)
