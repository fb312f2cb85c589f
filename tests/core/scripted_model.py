"""A scripted model, which answers whole or in chunks and records its requests."""

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
        for piece in self._take_turn(messages, info):
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def generate(self, messages: list, info: AgentInfo) -> ModelResponse:
        parts = []
        for piece in self._take_turn(messages, info):
            if isinstance(piece, Exception):
                raise piece
            parts += [TextPart(piece)] if isinstance(piece, str) else map(_to_part, piece.values())
        return ModelResponse(parts=_join_parts(parts))

    def _take_turn(self, messages, info):
        self.asked.append(list(messages))
        self.infos.append(info)
        return self.turns.pop(0)

    @property
    def model(self):
        return FunctionModel(self.generate, stream_function=self.stream)


def _join_parts(parts):
    joined = []
    for part in parts:
        if joined and isinstance(part, TextPart) and isinstance(joined[-1], TextPart):
            joined[-1] = TextPart(joined[-1].content + part.content)
        else:
            joined.append(part)
    return joined


def _to_part(delta):
    if isinstance(delta, DeltaToolCall):
        return ToolCallPart(delta.name, delta.json_args, delta.tool_call_id)
    return ThinkingPart(delta.content)


def call(name, arguments="{}", id="c1", index=0):
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {index: DeltaToolCall(name=name, json_args=text, tool_call_id=id)}


def thought(text):
    return {0: DeltaThinkingPart(content=text)}


def build_input(text="hello", **more):
    return AgentInput(messages=(Message.user(text),), **more)


def run_agent(agent, run_input=None):
    return asyncio.run(as_agent(agent).generate(run_input or build_input()))


def list_events(agent, run_input=None):
    async def collect_events():
        return [event async for event in as_agent(agent).stream(run_input or build_input())]

    return asyncio.run(collect_events())
