"""Options of one run of the built-in agent, with generate and stream."""

import asyncio
import dataclasses
from typing import TypedDict

import msgspec
import pydantic
import pydantic_ai
import pytest
from pydantic_ai.models.test import TestModel

from mastra_core import Agent, AgentInput, ToolContext, tool
from mastra_core.agents import (
    ClientTool,
    Decision,
    Failure,
    FilePart,
    Finish,
    Message,
    ReasoningDelta,
    StepFinish,
    TextDelta,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolResult,
    ToolResultPart,
    Usage,
    UsageLimits,
    has_tool_call,
    step_count,
)
from mastra_core.errors import AgentFailed, ConfigError, InvalidInput
from tests.core.scripted_model import Script, build_input, call, list_events, run_agent, thought

TestModel.__test__ = False


@tool
def look(place: str) -> str:
    """Look somewhere."""
    return f"nothing in {place}"


def summarize_events(events):
    """Events without what differs between a whole answer and one in pieces."""
    kinds = []
    for event in events:
        name = event.__struct_config__.tag
        if name.startswith("tool-input") or name == "object":
            continue
        if not (isinstance(event, TextDelta | ReasoningDelta) and kinds and kinds[-1] == name):
            kinds.append(name)
    return kinds


def run_both_ways(make, run_input=None):
    """The output of a run, which is told alike by `generate` and `stream`."""
    whole = run_agent(make(), run_input)
    pieces = list_events(make(), run_input)
    assert summarize_events(pieces) == summarize_events(whole.events)
    finish = pieces[-1]
    assert (finish.reason, finish.object) == (whole.reason, whole.object)
    return whole


def test_text_as_input():
    agent = Agent(name="a", model=Script(["hi ", "there"], ["again"]).model)

    async def run():
        first = await agent.generate("hello")
        return first.text, [event async for event in agent.stream("hello", run_id="r")]

    text, streamed = asyncio.run(run())
    assert text == "hi there"
    assert TextDelta(text="again") in streamed


def test_options_beside_text():
    script = Script(["a"], ["b"])
    agent = Agent(name="a", model=script.model)
    asyncio.run(agent.generate("hello", instructions="Be brief.", settings={"seed": 7}))
    assert script.asked[0][-1].instructions == "Be brief."
    assert script.infos[0].model_settings["seed"] == 7
    asyncio.run(agent.generate(build_input(instructions="Be long."), instructions="Be brief."))
    assert script.asked[1][-1].instructions == "Be brief."


def test_generate_and_stream_report_the_same_turns():
    out = run_both_ways(
        lambda: Agent(
            name="a",
            tools=[look],
            model=Script(
                [thought("hm"), "Let me see. ", call("look", {"place": "a"}, "c1", 1)]
                + [call("look", {"place": "b"}, "c2", 2)],
                ["Nothing."],
            ).model,
        )
    )
    assert summarize_events(out.events) == [
        "start", "reasoning-delta", "text-delta", "tool-call", "tool-call", "tool-result",
        "tool-result", "step-finish", "text-delta", "step-finish", "finish",
    ]  # fmt: skip
    assert (out.text, out.reasoning) == ("Nothing.", "hm")
    turns = [event for event in out.events if isinstance(event, StepFinish)]
    assert [turn.continued for turn in turns] == [True, False]
    assert sum(turn.usage.output_tokens for turn in turns) == out.usage.output_tokens


class Typed(TypedDict):
    city: str


@dataclasses.dataclass
class Data:
    city: str


class Struct(msgspec.Struct):
    city: str


class Model(pydantic.BaseModel):
    city: str


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize("wanted", [Typed, Data, Struct, Model, SCHEMA])
@pytest.mark.parametrize("own", [True, False])
def test_invalid_structured_answer_is_retried(wanted, own):
    turns = [[call("final_result", {"town": "Oslo"})], [call("final_result", {"city": "Oslo"})]]

    def build_agent():
        return Agent(name="a", model=Script(*turns).model, output=wanted if own else None)

    out = run_both_ways(build_agent, build_input(output=None if own else wanted))
    assert out.object == {"city": "Oslo"}
    assert out.text == '{"city": "Oslo"}'
    assert [each.reason for each in out.events if isinstance(each, StepFinish)] == ["retry", "stop"]
    assert not out.tool_calls


def test_structured_answer_that_is_always_invalid():
    bad = [call("final_result", {"town": "Oslo"})]
    agent = Agent(name="a", model=Script(bad, bad, bad).model)
    with pytest.raises(AgentFailed, match="answer cannot be used") as caught:
        run_agent(agent, build_input(output_schema=SCHEMA))
    assert caught.value.status == 422  # a client repeats a request after a 5xx


@pytest.mark.parametrize("fallback", [{"city": "nowhere"}, None])
def test_fallback_answer(fallback):
    bad = [call("final_result", {"town": "Oslo"})]
    run_input = build_input(output_schema=SCHEMA, fallback=fallback)
    out = run_both_ways(lambda: Agent(name="a", model=Script(bad, bad, bad).model), run_input)
    assert (out.object, out.is_fallback) == (fallback, fallback is not None)
    assert (out.reason, out.text) == ("stop", '{"town": "Oslo"}')
    assert out.usage.output_tokens > 0 and out.history
    words = run_both_ways(lambda: Agent(name="a", model=Script(["no"], ["never"]).model), run_input)
    assert (words.object, words.text) == (fallback, "never")
    with pytest.raises(AgentFailed, match="a bug"):
        run_agent(Agent(name="a", model=Script([LookupError("a bug")]).model), run_input)


def test_invalid_schema():
    agent = Agent(name="a", model="test")
    with pytest.raises(InvalidInput, match="schema of the answer"):
        run_agent(
            agent, build_input(output_schema={"type": "object", "properties": {"a": {"type": "x"}}})
        )


def test_instructions_from_the_request_context():
    async def greet(context):
        return f"Greet {context['user']}."

    for instructions, text in [
        ('Greet {{ user }} {{who.name}}, who is {{age}}: {"a": {user}}', "Greet ann Bo, who is 7: "
         '{"a": {user}}'),
        (lambda context: f"Greet {context['user']}.", "Greet ann."),
        (greet, "Greet ann."),
    ]:  # fmt: skip
        script = Script(["a"])
        agent = Agent(name="a", model=script.model, instructions=instructions)
        run_agent(agent, build_input(context={"user": "ann", "who": {"name": "Bo"}, "age": 7}))
        assert script.asked[0][-1].instructions == text


def test_context_values_are_not_templates():
    script = Script(["a"], ["b"])
    agent = Agent(name="a", model=script.model, instructions="Greet {{ user }}.")
    run_agent(agent, build_input(context={"user": "{{ secret }}", "secret": "x"}))
    run_agent(agent, build_input(instructions="Say {{ secret }}.", context={"secret": "x"}))
    texts = [asked[-1].instructions for asked in script.asked]
    assert texts == ["Greet {{ secret }}.", "Say {{ secret }}."]


def test_missing_context_value():
    agent = Agent(name="a", model="test", instructions="Greet {{ user.name }}.")
    with pytest.raises(InvalidInput, match=r"'user\.name'"):
        run_agent(agent)
    last = list_events(agent)[-1]
    assert (last.kind, last.status) == ("InvalidInput", 400)
    with pytest.raises(ConfigError, match="returned 'int'"):
        run_agent(Agent(name="a", model="test", instructions=len))


def call_look_again():
    return [call("look", {"place": "a"}) for _ in range(1)]


@pytest.mark.parametrize(
    ("own", "run_input"),
    [
        ({"max_steps": 2}, {}),
        ({}, {"max_steps": 2}),
        ({"max_steps": 9}, {"max_steps": 2}),
        ({"stop_when": [step_count(2)]}, {}),
        ({"stop_when": [lambda events: len(events) > 4]}, {}),
    ],
)
def test_stop_condition_ends_the_run(own, run_input):
    out = run_both_ways(
        lambda: Agent(
            name="a",
            tools=[look],
            model=Script(call_look_again(), ["More. ", *call_look_again()], ["x"]).model,
            **own,
        ),
        build_input(**run_input),
    )
    assert (out.reason, out.text) == ("tool-calls", "More. ")
    assert len(out.tool_results) == 2
    steps = [event for event in out.events if isinstance(event, StepFinish)]
    assert [step.continued for step in steps] == [True, False]
    assert sum(step.usage.output_tokens for step in steps) == out.usage.output_tokens
    script = Script(["Thanks."])
    agent = Agent(name="a", tools=[look], model=script.model)
    assert run_agent(agent, build_input("Go on", history=out.history)).text == "Thanks."
    assert len(script.asked[0]) == 5


def test_stop_on_a_tool_call():
    run_input = build_input(stop_when=(has_tool_call("look"),))
    out = run_both_ways(
        lambda: Agent(name="a", tools=[look], model=Script(call_look_again(), ["x"]).model),
        run_input,
    )
    assert (out.reason, [each.result for each in out.tool_results]) == (
        "tool-calls",
        ["nothing in a"],
    )


def test_stop_condition_that_is_never_true():
    run_input = build_input(stop_when=(has_tool_call("other"),), max_steps=9)
    out = run_both_ways(
        lambda: Agent(name="a", tools=[look], model=Script(call_look_again(), ["x"]).model),
        run_input,
    )
    assert (out.reason, out.text) == ("stop", "x")


def test_model_of_one_run():
    agent = Agent(name="a", model=Script().model)
    out = run_agent(agent, build_input(model=Script(["other"]).model))
    assert out.text == "other"
    assert out.events[0].model.startswith("function")
    with pytest.raises(ConfigError, match="names no provider"):
        run_agent(agent, build_input(model="gpt-5"))


def test_tools_of_one_run_get_its_context():
    async def who(context: ToolContext) -> str:
        """Who asks?"""
        return f"{context.request_context['user']} {context.run_id} {context.call_id}"

    out = run_both_ways(
        lambda: Agent(name="a", tools=[look], model=Script([call("who")], ["ok"]).model),
        build_input(tools=(who,), context={"user": "ann"}, run_id="r1"),
    )
    assert out.tool_results[0].result == "ann r1 c1"


def test_active_tools():
    def other() -> str:
        return "x"

    script = Script(["ok"], ["ok"])
    agent = Agent(name="a", tools=[look, other], model=script.model)
    run_agent(agent, build_input(active_tools=("other",)))
    run_agent(agent, build_input(active_tools=()))
    assert [[each.name for each in info.function_tools] for info in script.infos] == [["other"], []]


def list_choices(script):
    return [(info.model_settings or {}).get("tool_choice") for info in script.infos]


@pytest.mark.parametrize("choice", ["required", ["look"]])
@pytest.mark.parametrize("of_agent", [True, False])
def test_tool_choice_applies_to_the_first_turn(choice, of_agent):
    scripts = []

    def build_agent():
        scripts.append(Script([call("look", {"place": "a"})], ["nothing"]))
        own = {"tool_choice": choice} if of_agent else {}
        return Agent(name="a", tools=[look], model=scripts[-1].model, settings=own)

    run_input = build_input(settings={} if of_agent else {"tool_choice": choice})
    assert run_both_ways(build_agent, run_input).text == "nothing"
    assert [list_choices(script) for script in scripts] == [[choice, None]] * 2


def test_other_tool_choices_apply_to_every_turn():
    script = Script([call("look", {"place": "a"})], ["nothing"])
    agent = Agent(name="a", tools=[look], model=script.model)
    run_agent(agent, build_input(settings={"tool_choice": "auto"}))
    assert list_choices(script) == ["auto", "auto"]


def test_resumed_run_has_no_forced_tool():
    @tool(requires_approval=True)
    def pay(amount: int) -> str:
        return "paid"

    script = Script([call("pay", {"amount": 3})], ["done"])
    agent = Agent(name="a", tools=[pay], model=script.model)
    run_input = build_input(settings={"tool_choice": "required"})
    waits = run_agent(agent, run_input)
    decisions = {waits.waiting[0].id: Decision()}
    resumed = msgspec.structs.replace(run_input, history=waits.history, decisions=decisions)
    assert run_agent(agent, resumed).text == "done"
    assert list_choices(script) == ["required", None]


CLIENT = ClientTool(name="locate", description="Where the user is.")


def build_own(*turns):
    """Build an agent of our own with a tool that needs approval; return it with its script."""
    script = Script(*turns)

    @tool(requires_approval=True)
    def double(n: int) -> int:
        return 2 * n

    return Agent(name="a", model=script.model, tools=[double]), script


def build_raw(*turns):
    """Build the same agent of pydantic-ai."""
    script = Script(*turns)
    types = [str, pydantic_ai.DeferredToolRequests]
    raw = pydantic_ai.Agent(script.model, name="a", output_type=types)

    @raw.tool_plain(requires_approval=True)
    def double(n: int) -> int:
        return 2 * n

    return raw, script


def test_client_tool_ends_the_run():
    out = run_both_ways(
        lambda: Agent(name="a", model=Script([call("locate", {"fine": True})]).model),
        build_input(client_tools=(CLIENT,)),
    )
    assert out.reason == "tool-calls"
    assert out.tool_calls == [ToolCall(id="c1", name="locate", arguments={"fine": True})]
    assert not out.tool_results
    script = Script(["You are in Oslo."])
    back = Message(role="tool", parts=(ToolResultPart(id="c1", name="locate", result="Oslo"),))
    agent = Agent(name="a", model=script.model)
    run_input = AgentInput(messages=(back,), history=out.history, client_tools=(CLIENT,))
    assert run_agent(agent, run_input).text == "You are in Oslo."
    assert script.asked[0][-1].parts[0].content == "Oslo"


@pytest.mark.parametrize("build", [build_own, build_raw])
def test_result_of_a_client_tool_that_is_not_sent_again(build):
    out = run_agent(build([call("locate", {"fine": True})])[0], build_input(client_tools=(CLIENT,)))
    agent, script = build(["You are in Oslo."])
    back = Message(role="tool", parts=(ToolResultPart(id="c1", name="locate", result="Oslo"),))
    assert run_agent(agent, AgentInput(messages=(back,), history=out.history)).text == (
        "You are in Oslo."
    )
    assert script.asked[0][-1].parts[0].content == "Oslo"


@pytest.mark.parametrize("build", [build_own, build_raw])
def test_callers_cannot_answer_for_a_tool_of_the_agent(build):
    """A message with a result is a decision, so the tool is executed."""
    out = run_agent(build([call("double", {"n": 2})])[0], build_input())
    agent, script = build(["Done."])
    back = Message(role="tool", parts=(ToolResultPart(id="c1", name="double", result=9),))
    run_agent(agent, AgentInput(messages=(back,), history=out.history))
    assert script.asked[0][-1].parts[0].content == 4


def test_suspended_run_accepts_no_new_message():
    waiting = Agent(name="a", model=Script([call("locate")]).model)
    out = run_agent(waiting, build_input(client_tools=(CLIENT,)))
    agent = Agent(name="a", model=Script(["x"]).model)
    with pytest.raises(InvalidInput, match="waits for decisions about 'c1'"):
        run_agent(agent, build_input("And?", history=out.history, client_tools=(CLIENT,)))


def test_limits():
    def build_agent():
        return Agent(name="a", tools=[look], model=Script(*([call_look_again()] * 9)).model)

    for limits in (UsageLimits(requests=2), UsageLimits(tool_calls=1), UsageLimits(total_tokens=1)):
        with pytest.raises(AgentFailed, match="would exceed a usage limit") as caught:
            run_agent(build_agent(), build_input(limits=limits))
        assert (caught.value.kind, caught.value.status) == ("UsageLimitExceeded", 422)
        assert "http" not in caught.value.message
    last = list_events(
        Agent(
            name="a",
            tools=[look],
            model=Script(call_look_again(), call_look_again()).model,
            limits=UsageLimits(requests=1),
        )
    )[-1]
    assert isinstance(last, Failure)


def test_timeout():
    @tool
    async def sleep() -> str:
        await asyncio.sleep(30)
        return "x"

    agent = Agent(name="a", tools=[sleep], model=Script(*([[call("sleep")]] * 2)).model, timeout=9)
    with pytest.raises(AgentFailed, match=r"took longer than 0\.05 s") as caught:
        run_agent(agent, build_input(timeout=0.05))
    assert (caught.value.kind, caught.value.status) == ("RunTimedOut", 504)
    last = list_events(agent, build_input(timeout=0.05))[-1]
    assert last.kind == "RunTimedOut"


def test_closing_the_stream_stops_the_run():
    stopped = []

    @tool
    async def sleep(context: ToolContext) -> str:
        try:
            await context.write("started")
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            stopped.append(True)
            raise
        return "x"

    async def run():
        agent = Agent(name="a", tools=[sleep], model=Script([call("sleep")]).model)
        stream = agent.stream("hello")
        async for event in stream:
            if isinstance(event, ToolOutput):
                break
        await stream.aclose()
        assert stopped == [True]
        generating = asyncio.create_task(
            Agent(name="a", tools=[sleep], model=Script([call("sleep")]).model).generate("hello")
        )
        await asyncio.sleep(0.05)
        generating.cancel()
        await asyncio.gather(generating, return_exceptions=True)
        assert stopped == [True, True]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_tool_outputs():
    @tool
    async def work(context: ToolContext) -> str:
        await context.write({"done": 1})
        await context.write({"done": 2})
        return "ready"

    out = run_both_ways(
        lambda: Agent(name="a", tools=[work], model=Script([call("work")], ["ok"]).model)
    )
    wrote = [event for event in out.events if isinstance(event, ToolOutput)]
    assert [event.output for event in wrote] == [{"done": 1}, {"done": 2}]
    assert {(event.id, event.name) for event in wrote} == {("c1", "work")}


def test_other_tasks_run_while_many_calls_start():
    begun, per_turn = 0, []

    @tool
    async def count() -> str:
        nonlocal begun
        begun += 1
        return "counted"

    async def watch_turns():
        nonlocal begun
        while True:
            per_turn.append(begun)
            begun = 0
            await asyncio.sleep(0)

    async def work():
        watching = asyncio.create_task(watch_turns())
        calls = [call("count", id=f"c{index}", index=index) for index in range(350)]
        agent = Agent(name="a", model=Script(calls, ["done"]).model, tools=[count])
        output = await agent.generate(build_input())
        watching.cancel()
        return output.text

    assert asyncio.run(work()) == "done"
    assert sum(per_turn) == 350
    assert max(per_turn) <= 100


@tool
async def await_cancelled(context: ToolContext) -> str:
    """Wait for a task that was cancelled."""
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task
    return f"not reached in {context.run_id}"


@pytest.mark.parametrize("others", [{}, call("look", {"place": "a"}, id="c2", index=1)])
def test_tool_that_raises_a_cancellation_fails_alone(others):
    """The other calls, and the run, go on."""

    async def run():
        script = Script([{**call("await_cancelled"), **others}], ["done"])
        agent = Agent(name="a", model=script.model, tools=[await_cancelled, look])
        return await asyncio.wait_for(agent.generate("hi"), 10)

    output = asyncio.run(run())
    assert output.text == "done"
    failed = {each.id: each.result for each in output.tool_results if each.failed}
    assert failed == {"c1": "The tool 'await_cancelled' waited for a task that was cancelled."}
    assert len(output.tool_results) == 1 + len(others)


def format_weather(result):
    return f"{result['degrees']} degrees"


async def format_later(result):
    return format_weather(result)


@pytest.mark.parametrize("to_model_output", [format_weather, format_later])
def test_model_gets_another_form_of_a_result(to_model_output):
    @tool(to_model_output=to_model_output)
    def measure(place: str) -> dict[str, float]:
        return {"degrees": 3, "pressure": 1013}

    scripts = []

    def build_agent():
        scripts.append(Script([call("measure", {"place": "x"})], ["cold"]))
        return Agent(name="a", model=scripts[-1].model, tools=[measure])

    output = run_both_ways(build_agent)
    assert output.tool_results[0].result == {"degrees": 3, "pressure": 1013}
    for script in scripts:
        assert script.asked[-1][-1].parts[-1].content == "3 degrees"


def test_error_of_the_other_form_of_a_result():
    @tool(to_model_output=lambda result: result["nothing"])
    def measure(place: str) -> dict[str, float]:
        return {"degrees": 3}

    script = Script([call("measure", {"place": "x"})], ["cold"])
    (result,) = run_agent(Agent(name="a", model=script.model, tools=[measure])).tool_results
    assert (result.failed, result.result) == (True, "'nothing'")


@pytest.mark.parametrize(
    ("turn", "output"), [("sunny", None), (call("final_result", {"result": "sunny"}), str)]
)
def test_calling_model_gets_the_answer_of_a_sub_agent_only(turn, output):
    helper = Agent(name="helper", model=Script([turn]).model, output=output)
    script = Script([call("agent-helper", {"prompt": "Weather?"})], ["ok"])
    run_agent(Agent(name="a", model=script.model, agents={"helper": helper}))
    assert script.asked[-1][-1].parts[-1].content == "sunny"


def test_sub_agents():
    def build_agent():
        helper = Agent(
            name="helper",
            description="Knows the weather.",
            model=Script([call("look", {"place": "x"})], ["It ", "is sunny."]).model,
            instructions="Help {{ user }}.",
            tools=[look],
        )
        script = Script([call("agent-weather", {"prompt": "Weather?"})], ["Sunny, they say."])
        return Agent(name="a", model=script.model, agents={"weather": helper})

    out = run_both_ways(build_agent, build_input(context={"user": "ann"}, run_id="r"))
    (result,) = out.tool_results
    assert (result.name, result.result) == (
        "agent-weather",
        {
            "text": "It is sunny.",
            "subAgentThreadId": "r-c1",
            "subAgentResourceId": "helper",
            "subAgentToolResults": [
                {"toolName": "look", "toolCallId": "c1", "result": "nothing in x"}
            ],
        },
    )
    inner = [event.output for event in out.events if isinstance(event, ToolOutput)]
    assert isinstance(inner[-1], Finish)
    assert [event.result for event in inner if isinstance(event, ToolResult)] == ["nothing in x"]
    own = sum(event.usage.output_tokens for event in out.events if isinstance(event, StepFinish))
    assert own == out.usage.output_tokens > inner[-1].usage.output_tokens > 0
    assert build_agent().info().agents["weather"].name == "helper"


def test_any_agent_as_sub_agent():
    async def shout(text: str) -> str:
        """Says it loud."""
        return text.upper()

    async def broken(text: str) -> str:
        raise LookupError("no such city")

    script = Script(
        [call("agent-loud", {"prompt": "hi"})], [call("agent-no", {"prompt": "x"})], ["So?"]
    )
    agent = Agent(name="a", model=script.model, agents={"loud": shout, "no": broken})
    out = run_agent(agent)
    loud, broken_result = (each.result for each in out.tool_results)
    assert (loud["text"], broken_result) == ("HI", "no such city")
    assert [each.failed for each in out.tool_results] == [False, True]
    assert script.infos[0].function_tools[0].description == "Says it loud."


def test_duplicate_tool_names():
    def look(place: str) -> str:
        return place

    with pytest.raises(ConfigError, match="'look'"):
        Agent(name="a", model="test", tools=[look, tool(look)])


def test_model_fallback():
    from pydantic_ai.exceptions import ModelHTTPError

    def build_agent():
        down = Script([ModelHTTPError(503, "first")])
        return Agent(name="a", model=[down.model, Script(["second"]).model])

    assert run_both_ways(build_agent).text == "second"
    bug = Agent(name="a", model=[Script([LookupError("a bug")]).model, Script(["x"]).model])
    with pytest.raises(AgentFailed, match="a bug"):
        run_agent(bug)
    none = Script([ModelHTTPError(503, "first", body={"key": "sk-1"})])
    out = Agent(name="a", model=[none.model, Script([ModelHTTPError(500, "second")]).model])
    with pytest.raises(AgentFailed) as caught:
        run_agent(out)
    assert "sk-1" not in caught.value.message
    assert caught.value.message.count("'") == 4
    with pytest.raises(ConfigError, match="list of models is empty"):
        Agent(name="a", model=[])


def test_images_and_files():
    script = Script(["A cat."])
    parts = (
        TextPart(text="What is it?"),
        FilePart(media_type="image/png", data=b"\x89PNG"),
        FilePart(media_type="audio/mpeg", url="https://a.example/x.mp3"),
        FilePart(media_type="video/mp4", url="https://a.example/x.mp4"),
    )
    run_input = AgentInput(messages=(Message(role="user", parts=parts),))
    assert run_agent(Agent(name="a", model=script.model), run_input).text == "A cat."
    content = script.asked[0][-1].parts[-1].content
    assert [getattr(each, "kind", "text") for each in content[1:]] == [
        "binary",
        "audio-url",
        "video-url",
    ]


def test_file_of_the_model():
    from pydantic_ai.messages import BinaryContent, ModelResponse
    from pydantic_ai.messages import FilePart as NativeFile
    from pydantic_ai.messages import TextPart as NativeText
    from pydantic_ai.models.function import FunctionModel

    async def draw(messages: list, info) -> ModelResponse:
        image = BinaryContent(b"\x89PNG", media_type="image/png")
        return ModelResponse(parts=[NativeFile(image), NativeText("Here.")])

    out = run_agent(Agent(name="a", model=FunctionModel(draw)))
    (file,) = out.files
    assert (file.media_type, file.data, out.text) == ("image/png", b"\x89PNG", "Here.")


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("openai:gpt-5", "Set OPENAI_API_KEY"),
        ("nobody:x", "Correct the name"),
        ("mistral:small", "pip install 'pydantic-ai-slim[mistral]'"),
    ],
)
def test_unusable_model(model, hint, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    agent = Agent(name="a", model=model)
    with pytest.raises(ConfigError, match=f"'{model}' cannot be used: .") as caught:
        run_agent(agent)
    assert hint in caught.value.hint
    last = list_events(agent)[-1]
    assert (last.kind, "\n" in last.message) == ("ConfigError", False)


def test_finish_can_be_encoded():
    finish = run_agent(Agent(name="a", model="test")).events[-1]
    assert finish.history
    written = msgspec.json.decode(msgspec.json.encode(finish))
    assert (written["type"], written["reason"]) == ("finish", "stop")


@pytest.mark.parametrize("of_run", [False, True])
def test_toolbox_cannot_replace_a_tool(of_run):
    class Box:
        async def list_tools(self):
            return [tool(id="look")(lambda: "another")]

    own = {} if of_run else {"tools": [look, Box()]}
    agent = Agent(name="a", model=Script(call_look_again()).model, **{"tools": [Box()], **own})
    run_input = build_input(tools=(look,) if of_run else ())
    with pytest.raises(ConfigError, match="Two tools have the name"):
        run_agent(agent, run_input)
    last = list_events(agent, run_input)[-1]
    assert (last.kind, "'look'" in last.message) == ("ConfigError", True)


async def choose_large(context):
    return [TestModel(custom_output_text=context["tier"])]


def choose_small(context):
    return TestModel(custom_output_text=context["tier"])


@pytest.mark.parametrize("choose", [choose_small, choose_large])
def test_function_chooses_the_model(choose):
    run_input = build_input(context={"tier": "pro"})
    agent = Agent(name="a", model=choose)
    output = run_both_ways(lambda: agent, run_input)
    assert (output.text, output.events[0].model) == ("pro", "test")
    agent.preload()
    info = agent.info()
    assert (info.provider, info.model, info.requires) == ("", "", ("pydantic_ai",))
    replaced = run_agent(agent, build_input(model=TestModel(custom_output_text="own")))
    assert replaced.text == "own"


def test_function_chooses_the_tools():
    async def choose(context):
        return [look] if context.get("allowed") else []

    @tool
    def pay(amount: int) -> str:
        """Pay."""
        return "paid"

    agent = Agent(name="a", model="test", tools=choose)
    for run_input, names in (
        (build_input(context={"allowed": True}), ["look"]),
        (build_input(context={"allowed": True}, tools=(pay,)), ["look", "pay"]),
        (build_input(), []),
    ):
        output = run_both_ways(lambda: agent, run_input)
        assert [each.name for each in output.tool_calls] == names
    assert (agent.info().tools, agent.info().has_more_tools) == ((), True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": lambda context: "gpt-5"}, "names no provider"),
        ({"model": lambda context: None}, "neither a model string nor a model object"),
        ({"model": "test", "tools": lambda context: "look"}, "as tools returned 'str'"),
        ({"model": "test", "tools": lambda context: ["look"]}, "is not a tool"),
    ],
)
def test_function_that_chooses_no_model_or_tools(options, message):
    agent = Agent(name="a", **options)
    with pytest.raises(ConfigError, match=message):
        run_agent(agent)
    last = list_events(agent)[-1]
    assert (last.kind, message in last.message) == ("ConfigError", True)


def test_error_of_a_function_that_chooses():
    agent = Agent(name="a", model=lambda context: context["tier"])
    with pytest.raises(AgentFailed) as caught:
        run_agent(agent)
    assert caught.value.kind == "KeyError"
    assert [type(each).__name__ for each in list_events(agent)] == ["Start", "Failure"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("maxSteps", "'max_steps'"),
        ("requestContext", "'context'"),
        ("requireToolApproval", "'require_approval'"),
        ("modelSettings", "'settings'"),
        ("memory", 'thread="..."'),
        ("structuredOutput", "output="),
        ("tool_choice", "settings="),
        ("onFinish", "AgentInput"),
    ],
)
def test_option_that_a_run_does_not_have(name, hint):
    agent = Agent(name="a", model="test")
    with pytest.raises(ConfigError, match=f"A run has no option '{name}'") as caught:
        agent.stream("hello", **{name: 1})
    assert hint in caught.value.hint


@pytest.mark.parametrize("value", [["hello"], [{"role": "user", "content": "hello"}], None])
def test_input_of_the_wrong_type(value):
    agent = Agent(name="a", model="test")
    for run in (agent.generate, agent.stream):
        with pytest.raises(InvalidInput, match="input of the agent has the wrong type") as caught:
            run(value).send(None)
        assert "AgentInput" in caught.value.hint


def test_tool_waits_for_the_reader_of_its_outputs():
    written = 0

    async def flood(context: ToolContext) -> str:
        nonlocal written
        for _ in range(1000):
            await context.write("x")
            written += 1
        return "ok"

    agent = Agent(name="a", tools=[flood], model=Script([call("flood")], ["done"]).model)

    async def read_slowly():
        most, count = 0, 0
        async for event in agent.stream(build_input()):
            await asyncio.sleep(0)
            if isinstance(event, ToolOutput):
                count += 1
                most = max(most, written - count)
        return most, count

    most, count = asyncio.run(read_slowly())
    assert count == 1000
    assert most < 200


def test_reader_that_stops_ends_a_tool_that_waits_for_it():
    ended = []

    async def flood(context: ToolContext) -> str:
        try:
            while True:
                await context.write("x")
        finally:
            ended.append(True)

    agent = Agent(name="a", tools=[flood], model=Script([call("flood")]).model)

    async def stop_early():
        events = agent.stream(build_input())
        async for event in events:
            if isinstance(event, ToolOutput):
                break
        await events.aclose()
        assert ended == [True]

    asyncio.run(stop_early())


def test_tool_that_writes_while_it_is_cancelled():
    ended = []

    async def flood(context: ToolContext) -> str:
        try:
            while True:
                await context.write("x")
        finally:
            await context.write("stopped")
            ended.append(True)

    agent = Agent(name="a", tools=[flood], model=Script([call("flood")]).model)

    async def stop_early():
        events = agent.stream(build_input())
        async for event in events:
            if isinstance(event, ToolOutput):
                break
        await asyncio.wait_for(events.aclose(), 20)
        assert ended == [True]

    asyncio.run(stop_early())


def test_task_of_a_tool_that_writes_after_the_call():
    """Nobody reads these outputs, so they must not wait for a reader."""
    tasks = []

    async def begin(context: ToolContext) -> str:
        async def report():
            for _ in range(1000):
                await context.write("x")

        tasks.append(asyncio.create_task(report()))
        return "begun"

    agent = Agent(name="a", tools=[begin], model=Script([call("begin")], ["done"]).model)

    async def run():
        await agent.generate(build_input())
        await asyncio.wait_for(tasks[0], 20)

    asyncio.run(run())


def test_error_of_the_instructions_is_a_failure():
    def fail(_):
        raise LookupError("no password=hunter22")

    agent = Agent(name="a", model="test", instructions=fail)
    with pytest.raises(AgentFailed, match="no password=") as caught:
        run_agent(agent)
    assert caught.value.kind == "LookupError"
    assert "hunter22" not in caught.value.message
    assert list_events(agent)[-1].message == caught.value.message


def test_model_without_a_provider_ends_the_stream():
    last = list_events(Agent(name="a", model="test"), build_input(model="gpt-5"))[-1]
    assert (last.kind, "names no provider" in last.message) == ("ConfigError", True)


def test_tool_that_cancels_its_own_task_ends_the_run():
    async def give_up(context: ToolContext) -> str:
        asyncio.current_task().cancel()
        await asyncio.sleep(1)
        return "never"

    agent = Agent(name="a", tools=[give_up], model=Script([call("give_up")]).model)

    async def generate():
        async with asyncio.timeout(20):
            with pytest.raises(asyncio.CancelledError):
                await agent.generate("go")

    asyncio.run(generate())


def test_tokens_that_a_tool_counts_are_tokens_of_the_run():
    async def translate(context: ToolContext) -> str:
        """Translate."""
        context.count_usage(Usage(input_tokens=1000, output_tokens=500))
        return "translated"

    def build_agent():
        script = Script([call("translate")], ["Done."])
        return Agent(name="a", model=script.model, tools=[translate])

    usage = run_both_ways(build_agent).usage
    assert usage.input_tokens > 1000
    assert 500 < usage.output_tokens < 1000
