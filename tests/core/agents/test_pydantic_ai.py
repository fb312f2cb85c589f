import dataclasses
from typing import Any

import msgspec
import pydantic
import pydantic_ai
import pytest
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from mastra_core import Agent, AgentInput, Mastra, ToolContext, tool
from mastra_core.agents import (
    ApprovalRequired,
    Failure,
    FilePart,
    Finish,
    Message,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    as_agent,
)
from mastra_core.agents import (
    ToolCallPart as Called,
)
from mastra_core.agents import (
    ToolResultPart as Returned,
)
from tests.core.scripted_model import Script, build_input, call, list_events, run_agent

TestModel.__test__ = False


@pytest.fixture(autouse=True)
def no_requests(monkeypatch):
    monkeypatch.setattr(pydantic_ai.models, "ALLOW_MODEL_REQUESTS", False)


class Model(pydantic.BaseModel):
    city: str
    degrees: int


@dataclasses.dataclass
class Plain:
    city: str
    degrees: int


class Struct(msgspec.Struct):
    city: str
    degrees: int


def test_text():
    out = run_agent(Agent(name="a", model=TestModel(custom_output_text="hi there")))
    assert (out.text, out.reason, out.object) == ("hi there", "stop", None)
    assert out.usage.output_tokens > 0
    assert isinstance(out.events[0], Start)
    assert out.events[0].provider == "test"
    assert isinstance(out.events[-2], StepFinish)
    assert isinstance(out.events[-1], Finish)
    assert "".join(e.text for e in out.events if isinstance(e, TextDelta)) == "hi there"


def test_tool_call_between_two_turns():
    @tool
    def weather(city: str, context: ToolContext) -> dict[str, Any]:
        """The weather."""
        return {"city": city, "user": context.request_context["user"], "run": context.run_id}

    script = Script(["Let me ", call("weather", '{"city": "Oslo"}')], ["It is ", "cold."])
    agent = Agent(name="a", model=script.model, tools=[weather])
    out = run_agent(agent, build_input(context={"user": "ann"}, run_id="r1"))
    assert out.text == "It is cold."
    (called,), (result,) = out.tool_calls, out.tool_results
    assert called == ToolCall(id="c1", name="weather", arguments={"city": "Oslo"})
    assert result.result == {"city": "Oslo", "user": "ann", "run": "r1"}
    assert not result.failed
    turns = [event for event in out.events if isinstance(event, StepFinish)]
    assert [turn.continued for turn in turns] == [True, False]
    assert sum(turn.usage.output_tokens for turn in turns) == out.usage.output_tokens
    (given,) = script.infos[0].function_tools
    assert given.parameters_json_schema["properties"] == {"city": {"type": "string"}}


def test_invalid_argument_is_returned_to_the_model():
    @tool
    async def double(n: int) -> int:
        """Twice."""
        return 2 * n

    script = Script([call("double", '{"n": "x"}')], [call("double", '{"n": 4}', "c2")], ["8"])
    out = run_agent(Agent(name="a", model=script.model, tools=[double]))
    first, second = out.tool_results
    assert (first.failed, first.result["error"]) == (False, True)  # as the original
    assert "Expected `int`" in first.result["message"]
    assert 'Provided arguments: {\n  "n": "x"\n}' in first.result["message"]
    assert list(first.result["validationErrors"]["fields"]) == ["n"]
    assert (second.failed, second.result) == (False, 8)
    assert out.text == "8"


def test_invalid_argument_that_is_never_corrected():
    @tool
    async def double(n: int) -> int:
        return 2 * n

    turns = [[call("double", '{"n": "x"}', f"c{turn}")] for turn in range(9)]
    script = Script(*turns)
    out = run_agent(Agent(name="a", model=script.model, tools=[double], stop_on_tool_error=True))
    assert (out.reason, len(script.asked)) == ("tool-calls", 5)  # the step limit
    assert [each.result["error"] for each in out.tool_results] == [True] * 5


@tool
async def broken() -> int:
    raise LookupError("no such row at https://a.example/?token=abcdefgh123")


def test_tool_error_is_the_result_of_the_call():
    script = Script([call("broken", "{}")], ["Sorry."])
    out = run_agent(Agent(name="a", model=script.model, tools=[broken]))
    assert (out.text, out.reason) == ("Sorry.", "stop")
    (result,) = out.tool_results
    assert result.failed
    assert result.result.startswith("no such row")
    assert "abcdefgh123" not in result.result
    (part,) = script.asked[1][-1].parts
    assert (part.outcome, part.content) == ("failed", result.result)


def test_tool_error_ends_the_run_on_request():
    script = Script([call("broken", "{}")])
    agent = Agent(name="a", model=script.model, tools=[broken], stop_on_tool_error=True)
    last = list_events(agent)[-1]
    assert isinstance(last, Failure)
    assert last.kind == "LookupError"


def test_error_of_a_tool_of_one_run_of_a_raw_agent():
    script = Script([call("broken", "{}")], ["Sorry."])
    out = run_agent(pydantic_ai.Agent(script.model, name="mine"), build_input(tools=(broken,)))
    assert (out.text, out.tool_results[0].failed) == ("Sorry.", True)


def test_unknown_tool_is_a_failed_call():
    script = Script([call("nothing", "{}")], ["Sorry."])
    out = run_agent(Agent(name="a", model=script.model, tools=[broken]))
    (result,) = out.tool_results
    assert (out.text, result.name, result.failed) == ("Sorry.", "nothing", True)
    assert result.result == "Unknown tool name: 'nothing'. Available tools: 'broken'."


def test_run_ends_after_five_turns_by_default():
    script = Script(*([call("broken", "{}", f"c{turn}")] for turn in range(9)))
    out = run_agent(Agent(name="a", model=script.model, tools=[broken]))
    assert (out.reason, len(script.asked), len(out.tool_results)) == ("tool-calls", 5, 5)
    script = Script(*([call("broken", "{}", f"c{turn}")] for turn in range(9)), ["Done."])
    out = run_agent(Agent(name="a", model=script.model, tools=[broken], max_steps=20))
    assert (out.reason, out.text) == ("stop", "Done.")


def test_arguments_that_are_no_json_are_corrected():
    script = Script([call("broken", '{"a')], ["Sorry."])
    (result,) = run_agent(Agent(name="a", model=script.model, tools=[broken])).tool_results
    assert "The arguments are not a JSON object." in result.result["message"]


@pytest.mark.parametrize("output", [Model, Plain, Struct])
def test_structured_answer_of_a_type(output):
    model = TestModel(custom_output_args={"city": "Oslo", "degrees": -3})
    out = run_agent(Agent(name="a", model=model, output=output))
    assert out.object == {"city": "Oslo", "degrees": -3}


def test_structured_answer_of_a_schema():
    model = TestModel(custom_output_args={"city": "Oslo"})
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    assert run_agent(Agent(name="a", model=model, output=schema)).object == {"city": "Oslo"}
    assert run_agent(Agent(name="a", model=model), build_input(output_schema=schema)).object == {
        "city": "Oslo"
    }
    nested = {"$defs": {"C": {"type": "string"}}, "type": "object",
              "properties": {"city": {"$ref": "#/$defs/C"}}}  # fmt: skip
    assert run_agent(Agent(name="a", model=model), build_input(output_schema=nested)).object["city"]


def test_instructions():
    script = Script(["a"], ["b"])
    agent = Agent(name="a", model=script.model, instructions="Be kind.")
    run_agent(agent)
    run_agent(agent, build_input(instructions="Be brief."))
    assert [asked[-1].instructions for asked in script.asked] == ["Be kind.", "Be brief."]


def test_extra_instructions_come_last():
    script = Script(["a"], ["b"])
    agent = Agent(name="a", model=script.model, instructions="Be kind.")
    run_agent(agent, build_input(extra_instructions="Ann is 8."))
    run_agent(agent, build_input(instructions="Be brief.", extra_instructions="Ann is 8."))
    told = [" ".join(asked[-1].instructions.split()) for asked in script.asked]
    assert told == ["Be kind. Ann is 8.", "Be brief. Ann is 8."]


def test_settings_of_the_agent_and_the_run():
    script = Script(["a"], ["b"])
    agent = Agent(name="a", model=script.model, settings={"temperature": 0.1, "seed": 1})
    run_agent(agent)
    run_agent(agent, build_input(settings={"temperature": 0.9}))
    first, second = (info.model_settings for info in script.infos)
    assert first["temperature"] == 0.1
    assert (second["temperature"], second["seed"]) == (0.9, 1)


def test_history_round_trip():
    script = Script(["I am Bo."], ["You asked my name."])
    agent = Agent(name="a", model=script.model)
    first = run_agent(agent, build_input("Who are you?"))
    run_agent(agent, build_input("What did I ask?", history=first.history))
    texts = [part.content for message in script.asked[1] for part in message.parts]
    assert texts == ["Who are you?", "I am Bo.", "What did I ask?"]


def test_messages_become_native_messages():
    script = Script(["ok"])
    messages = (
        Message(role="system", parts=(msgspec_text("Be kind."),)),
        Message.user("Weather?"),
        Message(role="assistant", parts=(Called(id="1", name="w", arguments={"c": "Oslo"}),)),
        Message(role="tool", parts=(Returned(id="1", name="w", result={"t": 3}),)),
        Message(
            role="user",
            parts=(
                msgspec_text("And here?"),
                FilePart(media_type="image/png", data=b"x"),
                FilePart(media_type="image/png", url="https://a.example/x.png"),
                FilePart(media_type="application/pdf", url="https://a.example/x.pdf"),
            ),
        ),
    )
    run_agent(Agent(name="a", model=script.model), AgentInput(messages=messages))
    kinds = [part.part_kind for message in script.asked[0] for part in message.parts]
    assert kinds == ["system-prompt", "user-prompt", "tool-call", "tool-return", "user-prompt"]
    content = script.asked[0][-1].parts[-1].content
    assert [getattr(item, "kind", item) for item in content] == [
        "And here?",
        "binary",
        "image-url",
        "document-url",
    ]


def msgspec_text(text):
    from mastra_core.agents import TextPart as Text

    return Text(text=text)


def test_model_continues_after_a_client_tool():
    script = Script(["It is 3 degrees."])
    messages = (
        Message.user("Weather?"),
        Message(role="assistant", parts=(Called(id="1", name="w", arguments={}),)),
        Message(role="tool", parts=(Returned(id="1", name="w", result=3),)),
    )
    agent = Agent(name="a", model=script.model)
    assert run_agent(agent, AgentInput(messages=messages)).text == "It is 3 degrees."


def pay():
    @tool(requires_approval=True)
    def pay(amount: int) -> str:
        raise AssertionError("it was executed")

    return pay


@pytest.mark.parametrize("schema", [None, {"type": "object", "properties": {}}])
def test_tool_that_needs_approval_is_not_executed(schema):
    script = Script([call("pay", '{"amount": 3}')])
    agent = Agent(name="a", model=script.model, tools=[pay()])
    out = run_agent(agent, build_input(output_schema=schema))
    assert out.reason == "suspended"
    assert ApprovalRequired(id="c1", name="pay", arguments={"amount": 3}) in out.events


def test_raw_agent():
    def respond(messages: list, info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart("raw")])

    async def stream(messages: list, info: AgentInfo):
        yield "raw"

    raw = pydantic_ai.Agent(
        FunctionModel(respond, stream_function=stream), name="mine", description="My own."
    )
    mastra = Mastra(agents={"helper": raw}, logger=False)
    agent = mastra.get_agent("mine")
    assert agent is mastra.get_agent("helper")
    assert agent.description == "My own."
    assert run_agent(agent).text == "raw"


def test_raw_agent_keeps_its_instructions_by_default():
    script = Script(["a"], ["b"])
    raw = pydantic_ai.Agent(script.model, name="mine", instructions="Be kind.")
    run_agent(raw)
    run_agent(raw, build_input(instructions="Be brief."))
    assert [asked[-1].instructions for asked in script.asked] == ["Be kind.", "Be brief."]


def test_raw_agents_without_names():
    one, two = (pydantic_ai.Agent(TestModel(custom_output_text=text)) for text in ("1", "2"))
    mastra = Mastra(agents={"one": one, "two": two}, logger=False)
    assert [agent.id for agent in mastra.agents.values()] == ["one", "two"]
    assert run_agent(mastra.get_agent("two")).text == "2"


def test_provider_error_is_a_failure():
    def respond(messages: list, info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("nothing", {})])

    async def stream(messages: list, info: AgentInfo):
        yield "well"
        raise ConnectionError("the provider hung up")

    agent = Agent(name="a", model=FunctionModel(respond, stream_function=stream))
    told = list_events(agent)
    assert told[1] == TextDelta(text="well")
    assert told[-1] == Failure(message="the provider hung up", kind="ConnectionError")


def test_results_are_json():
    @tool
    def model() -> Model:
        return Model(city="Oslo", degrees=3)

    script = Script([call("model", "{}")], ["ok"])
    (result,) = run_agent(Agent(name="a", model=script.model, tools=[model])).tool_results
    assert isinstance(result, ToolResult)
    assert result.result == {"city": "Oslo", "degrees": 3}


def test_raw_agent_takes_the_options_of_a_run():
    raw = pydantic_ai.Agent(Script().model, name="mine", instructions="Be kind.")

    @raw.tool_plain
    def own() -> str:
        return "mine"

    async def other(context: ToolContext) -> str:
        return f"of {context.request_context['user']}"

    script = Script([call("other"), call("own", id="c2", index=1)], [call("own", id="c3")], ["x"])
    run_input = build_input(
        model=script.model,
        tools=(other,),
        active_tools=("other", "own"),
        context={"user": "ann"},
        extra_instructions="Ann is 8.",
        settings={"seed": 1},
        max_steps=2,
        timeout=20,
    )
    out = run_agent(raw, run_input)
    assert [each.result for each in out.tool_results] == ["of ann", "mine", "mine"]
    assert (out.reason, len(script.asked)) == ("tool-calls", 2)
    assert script.infos[0].model_settings["seed"] == 1
    assert "Ann is 8." in script.asked[0][-1].instructions
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    turns = [[call("final_result", {"town": 1})], [call("final_result", {"city": "Oslo"})]]
    run_input = build_input(model=Script(*turns).model, output_schema=city)
    assert run_agent(raw, run_input).object == {"city": "Oslo"}


def test_provider_of_a_model_name_with_colons():
    agent = pydantic_ai.Agent("openai:ft:gpt-4o:org", name="a", defer_model_check=True)
    info = as_agent(agent).info()
    assert (info.provider, info.model) == ("openai", "ft:gpt-4o:org")
    assert info.variables == ("OPENAI_API_KEY",)
