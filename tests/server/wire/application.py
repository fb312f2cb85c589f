"""The application of original.mjs in Python, for the comparison."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from pydantic_ai.messages import (
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel

from mastra_core import Agent, Mastra, Memory, StepContext, Workflow, step, tool
from mastra_core.mcp import McpResource


@dataclass
class Sum:
    sum: float


@dataclass
class Number:
    n: float


@dataclass
class Topic:
    topic: str


@dataclass
class Approval:
    ok: bool


@dataclass
class Reason:
    reason: str


@dataclass
class Done:
    done: str


@dataclass
class Side:
    v: str


# The structured answers of the model.
ANSWERS = {
    "object": {"city": "Oslo"},
    "cities": {"elements": [{"city": "Oslo"}, {"city": "Bergen"}]},
    "numbers": {"elements": [1, 2.5]},
    "colour": {"result": "green"},
    "amount": {"result": 42},
    "either": {"result": {"n": 1}},
    "wrong": {"city": 12},
}
# The arguments of calls that the tool refuses.
BAD_CALLS = {
    "bad arguments": {"a": "q", "b": 3},
    "bad arguments always": {"a": "q", "b": 3},
    "arguments that are no JSON": '{"a":',
}
TERMS = McpResource(
    uri="ui://terms",
    name="terms",
    description="The terms.",
    mime_type="text/html;profile=mcp-app",
    content="<p>Be nice.",
)
CALLS = {"add": {"a": 2, "b": 3}, "fail": {"a": 1}, "pay": {"amount": 3}}


def build_reply(messages: list, info: Any) -> Any:
    """Return the next message of the model."""
    *_, words = (
        part.content
        for message in messages
        for part in message.parts
        if part.part_kind == "user-prompt"
    )
    if words == "boom":
        raise RuntimeError("model exploded")
    is_answered = isinstance(messages[-1].parts[-1], ToolReturnPart)
    if words == "think" and is_answered:
        return [ThinkingPart("It is 5."), TextPart("Five.")]
    if words == "think":
        return [ThinkingPart("I need a sum."), ToolCallPart("add", CALLS["add"], "call-1")]
    if words in BAD_CALLS and (not is_answered or words.endswith("always")):
        return ToolCallPart("add", BAD_CALLS[words], f"call-{len(messages) + 1}")
    if words in CALLS and not isinstance(messages[-1].parts[-1], ToolReturnPart):
        return ToolCallPart(words, CALLS[words], "call-1")
    if words in ANSWERS and info.output_tools:
        return ToolCallPart(info.output_tools[0].name, ANSWERS[words], "call-1")
    return TextPart(f"echo: {words}")


def list_parts(messages: list, info: Any) -> list:
    reply = build_reply(messages, info)
    return reply if isinstance(reply, list) else [reply]


async def generate_response(messages: list, info: Any) -> ModelResponse:
    return ModelResponse(parts=list_parts(messages, info))


async def stream_response(messages: list, info: Any):
    for index, part in enumerate(list_parts(messages, info)):
        if isinstance(part, ToolCallPart):
            arguments = part.args if isinstance(part.args, str) else part.args_as_json_str()
            call = DeltaToolCall(part.tool_name, arguments, tool_call_id=part.tool_call_id)
            yield {index: call}
            continue
        for word in re.findall(r"\S+\s*", part.content):
            is_thought = isinstance(part, ThinkingPart)
            yield {index: DeltaThinkingPart(content=word)} if is_thought else word


@tool
def add(a: float, b: float) -> Sum:
    """Adds two numbers."""
    return Sum(a + b)


@tool
def fail(a: float) -> float:
    """Fails."""
    raise RuntimeError("tool exploded")


@tool(requires_approval=True)
def pay(amount: float) -> str:
    """Pays."""
    return f"paid {amount:g}"


@step
async def double(value: Number) -> Number:
    return Number(value.n * 2)


@step
async def inc(value: Number) -> Number:
    return Number(value.n + 1)


@step(resume=Approval, suspend=Reason)
async def ask(value: Topic, context: StepContext) -> Approval:
    if context.resume_data is None:
        context.suspend({"reason": f"approve {value.topic}?"})
    return context.resume_data


@step
async def fin(value: Approval) -> Done:
    return Done("yes" if value.ok else "no")


@step
async def bad(value: Number) -> Number:
    raise RuntimeError("step exploded")


@step
async def slow(value: Number, context: StepContext) -> Number:
    await context.write({"hello": 1})
    await asyncio.sleep(value.n / 1000)
    return value


@step
async def side_a(value: Number) -> Side:
    await asyncio.sleep(0.01)
    return Side("a")


@step
async def side_b(value: Number) -> Side:
    await asyncio.sleep(0.04)
    return Side("b")


def create_agent(name: str, **more: Any) -> Agent:
    model = FunctionModel(generate_response, stream_function=stream_response, model_name="echo")
    return Agent(name=name, instructions="You echo.", model=model, **more)


def create_application(*, server: dict[str, Any] | None = None, **settings: Any) -> Mastra:
    """Build the application with agents, workflows, tools and resources of every kind."""
    return Mastra(
        agents={
            "echoAgent": create_agent("echo-agent", description="Echoes.", tools=[add], retries=0),
            "payAgent": create_agent("pay-agent", tools=[pay]),
            "thinkAgent": create_agent("think-agent", memory=Memory(), tools=[add, fail]),
            "memAgent": create_agent("mem-agent", memory=Memory(working_memory="- **Name**:")),
        },
        workflows={
            "pureWorkflow": Workflow("pure-workflow").then(double).then(inc),
            "approveWorkflow": Workflow("approve-workflow").then(ask).then(fin),
            "badWorkflow": Workflow("bad-workflow").then(bad),
            "slowWorkflow": Workflow("slow-workflow").then(slow).parallel(side_a, side_b),
        },
        tools={"addTool": add, "failTool": fail},
        logger=False,
        server={"mcp_resources": [TERMS], **(server or {})},
        **settings,
    )
