"""A model that says what it is told to, whole or in pieces, and remembers what it was asked."""

import asyncio
import json

from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel

from mastra_core import AgentInput
from mastra_core.agents import Message, as_agent


class Script:
    """A list of pieces a turn: text, a call of ``call``, a thought, or an exception."""

    def __init__(self, *turns):
        self.turns = list(turns)
        self.asked = []
        self.infos = []

    async def stream(self, messages: list, info: AgentInfo):
        for piece in self._next(messages, info):
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def whole(self, messages: list, info: AgentInfo) -> ModelResponse:
        parts = []
        for piece in self._next(messages, info):
            if isinstance(piece, Exception):
                raise piece
            parts += [TextPart(piece)] if isinstance(piece, str) else map(_part, piece.values())
        return ModelResponse(parts=_joined(parts))

    def _next(self, messages, info):
        self.asked.append(list(messages))
        self.infos.append(info)
        return self.turns.pop(0)

    @property
    def model(self):
        return FunctionModel(self.whole, stream_function=self.stream)


def _joined(parts):
    made = []
    for part in parts:
        if made and isinstance(part, TextPart) and isinstance(made[-1], TextPart):
            made[-1] = TextPart(made[-1].content + part.content)
        else:
            made.append(part)
    return made


def _part(delta):
    if isinstance(delta, DeltaToolCall):
        return ToolCallPart(delta.name, delta.json_args, delta.tool_call_id)
    return ThinkingPart(delta.content)


def call(name, arguments="{}", id="c1", index=0):
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {index: DeltaToolCall(name=name, json_args=text, tool_call_id=id)}


def thought(text):
    return {0: DeltaThinkingPart(content=text)}


def said(text="hello", **more):
    return AgentInput(messages=(Message.user(text),), **more)


def answer(agent, wish=None):
    return asyncio.run(as_agent(agent).generate(wish or said()))


def events(agent, wish=None):
    async def all_of():
        return [event async for event in as_agent(agent).stream(wish or said())]

    return asyncio.run(all_of())
