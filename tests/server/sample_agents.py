"""Agents with a function as model, and tools of every kind."""

import asyncio
import re
from typing import TypedDict

from pydantic_ai.messages import (
    BinaryContent,
    FilePart,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel

from mastra_core import Agent, Mastra, ToolContext, tool

paid = []


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    paid.append(amount)
    return f"paid {amount}"


class Answer(TypedDict):
    answer: str


@tool(resume=Answer)
async def ask(question: str, context: ToolContext) -> str:
    """Ask the user."""
    if context.resume_data is None:
        context.suspend({"question": question})
    return f"answered {context.resume_data['answer']}"


@tool
async def work(context: ToolContext) -> str:
    """Work a while."""
    await context.write({"done": 1})
    return "ready"


@tool
async def fail() -> str:
    """Fail."""
    raise LookupError("no such row")


def choose_calls(words):
    """Return the tool calls of the model for these words."""
    named = {
        "pay": [("pay", {"amount": 3})],
        "pay twice": [("pay", {"amount": 1}), ("pay", {"amount": 2})],
        "ask": [("ask", {"question": "When?"})],
        "work": [("work", {})],
        "fail": [("fail", {})],
        "delegate": [("agent-helper", {"prompt": "help"})],
        "locate": [("locate", {"fine": True})],
    }
    return [
        ToolCallPart(name, arguments, f"{words.replace(' ', '-')}-{index}")
        for index, (name, arguments) in enumerate(named.get(words, []))
    ]


def build_parts(messages, info):
    """Return the next message of the model."""
    words, returned = "", []
    for message in messages:
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                words, returned = str(part.content), []
            elif isinstance(part, ToolReturnPart):
                returned.append(str(part.content))
    if info.output_tools and words.startswith("object"):
        is_wrong = words == "object corrected" and not returned
        return [ToolCallPart("final_result", {"city": 12 if is_wrong else "Oslo"}, "o1")]
    if returned:
        return [TextPart("Then: " + ", ".join(returned))]
    if words == "think":
        return [ThinkingPart("Hm."), TextPart("So.")]
    if words == "draw":
        return [FilePart(BinaryContent(b"\x89PNG", media_type="image/png")), TextPart("Here.")]
    return choose_calls(words) or [TextPart(f"You said {words}. {info.instructions or ''}".strip())]


async def generate_response(messages: list, info) -> ModelResponse:
    return ModelResponse(parts=build_parts(messages, info))


async def stream_response(messages: list, info):
    if (words := find_last_words(messages)).startswith("slow"):
        await asyncio.sleep(0.5 if words == "slow one" else 30)
    for index, part in enumerate(build_parts(messages, info)):
        if isinstance(part, ToolCallPart):
            text = part.args_as_json_str()
            yield {index: DeltaToolCall(part.tool_name, text[:3], tool_call_id=part.tool_call_id)}
            if text[3:]:
                yield {index: DeltaToolCall(json_args=text[3:])}
        elif isinstance(part, ThinkingPart):
            yield {index: DeltaThinkingPart(content=part.content)}
        elif isinstance(part, TextPart):
            for word in re.findall(r"\S+\s*", part.content):
                yield word


def find_last_words(messages):
    """Return the last text of the user."""
    said = [part for each in messages for part in each.parts if isinstance(part, UserPromptPart)]
    return str(said[-1].content)


def create_application(agents=None, **settings):
    model = FunctionModel(generate_response, stream_function=stream_response)
    helper = Agent(name="helper", description="Helps.", model=model)
    shop = Agent(
        name="shop",
        instructions="",
        model=model,
        tools=[pay, ask, work, fail],
        agents={"helper": helper},
    )
    greeter = Agent(name="greeter", model=model, instructions="Greet {{ name }}.")
    agents = {"shop": shop, "greeter": greeter, **(agents or {})}
    return Mastra(agents=agents, logger=False, **settings)
