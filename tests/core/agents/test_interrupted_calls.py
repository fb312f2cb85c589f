"""Tool calls whose run ended before they had a result, in a conversation that continues."""

from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from mastra_core import Agent, AgentInput
from mastra_core.agents import Message
from mastra_core.agents import ToolCallPart as MessageCall
from mastra_core.agents.loop.resume import answer_interrupted_calls
from tests.core.agents.test_approvals import Shop
from tests.core.scripted_model import Script, run_agent

ASK = ModelRequest(parts=[UserPromptPart("pay")])
CALLS = ModelResponse(parts=[ToolCallPart("pay", {}, "c1"), ToolCallPart("pay", {}, "c2")])
DONE = ToolReturnPart("pay", "paid", "c1")


def describe(messages):
    """Return the content of each part, and the outcome of each result."""
    return [
        [getattr(part, "outcome", None) or type(part).__name__ for part in message.parts]
        for message in messages
    ]


def test_each_call_of_a_history_has_a_result():
    calls = ["ToolCallPart", "ToolCallPart"]
    whole = [ASK, CALLS, ModelRequest(parts=[DONE, ToolReturnPart("pay", "failed", "c2")])]
    assert answer_interrupted_calls(whole) == whole
    assert answer_interrupted_calls([ASK]) == [ASK]
    for history, expected in (
        ([CALLS], [calls, ["interrupted", "interrupted"]]),
        ([CALLS, ASK], [calls, ["interrupted", "interrupted", "UserPromptPart"]]),
        ([CALLS, CALLS], 2 * [calls, ["interrupted", "interrupted"]]),
        (
            [CALLS, ModelRequest(parts=[DONE]), ASK],
            [calls, ["interrupted", "success"], ["UserPromptPart"]],
        ),
    ):
        assert describe(answer_interrupted_calls(history)) == expected


def test_new_message_leaves_an_interrupted_call():
    open_call = MessageCall(id="c1", name="pay", arguments={"amount": 3})
    messages = (
        Message.user("pay"),
        Message(role="assistant", parts=(open_call,)),
        Message.user("never mind"),
    )
    shop, script = Shop(), Script(["understood"])
    agent = Agent(name="a", model=script.model, tools=[shop.pay])
    assert run_agent(agent, AgentInput(messages=messages)).text == "understood"
    (interrupted, new) = script.asked[0][-1].parts
    assert (interrupted.tool_call_id, interrupted.outcome) == ("c1", "interrupted")
    assert (new.content, shop.paid) == ("never mind", [])
