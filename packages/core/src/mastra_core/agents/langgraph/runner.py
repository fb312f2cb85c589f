"""Runs of LangGraph's compiled graphs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from langchain_core.messages import SystemMessage
from langgraph.errors import GraphRecursionError
from langgraph.types import Command

from mastra_core.agents.deadline import iter_with_timeout
from mastra_core.agents.events import AgentEvent, Finish, Start
from mastra_core.agents.langgraph.convert_events import EventConverter
from mastra_core.agents.langgraph.convert_messages import (
    decode_history,
    encode_history,
    to_native_messages,
)
from mastra_core.agents.messages import AgentInput, Decision, Message
from mastra_core.agents.protocol import AgentInfo, AgentOutput, collect
from mastra_core.agents.provider_failures import to_provider_failure
from mastra_core.agents.unsupported_options import reject_unsupported
from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.schema import dump

__all__ = ("GraphAgent",)

_UNNAMED = "LangGraph"
_FIXED = (
    "model", "instructions", "settings", "tools", "active_tools", "client_tools", "output",
    "output_schema", "require_approval", "stop_when", "limits",
)  # fmt: skip


class GraphAgent:
    """Runs a graph and tells what it streams in our events.

    A graph with a checkpointer keeps its threads itself: it is given only what is new. Its
    runtime context is the request context, where it declares a schema for one.

    :cvar takes_tools: a graph has the tools that it was compiled with.
    """

    takes_tools = False

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._keeps = bool(graph.checkpointer)
        self.id = self.name = "" if graph.name == _UNNAMED else graph.name
        self.description = ""

    def info(self) -> AgentInfo:
        """A graph says nothing of its models."""
        return AgentInfo()

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end."""
        return await collect(self.stream(input))

    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run, giving the events as they happen."""
        yield Start()
        try:
            reject_unsupported(input, "LangGraph", *_FIXED)
            async for event in self._events(input):
                yield event
        except Exception as error:  # noqa: BLE001  # nodes, providers and tools may raise anything
            yield to_provider_failure(error, self.id)

    async def _events(self, wish: AgentInput) -> AsyncGenerator[AgentEvent]:
        thread = _thread(wish)
        turns, reason = EventConverter(), "stop"
        given = await self._resume(wish, thread) if wish.decisions else self._said(wish)
        try:
            async with contextlib.aclosing(self._stream(wish, thread, given)) as stream:
                async for mode, value in iter_with_timeout(stream, wish.timeout):
                    for told in turns.convert(mode, value):
                        yield told
        except GraphRecursionError:
            if wish.max_steps is None:
                raise
            reason = "tool-calls"
        if turns.is_interrupted and not self._keeps:
            raise ConfigError(
                f"The graph {self.id!r} waits for an answer and has no checkpointer to keep it.",
                "Compile it with one: builder.compile(checkpointer=...).",
            )
        if turns.is_interrupted:
            kept = json.dumps({"thread": thread}).encode()
            yield Finish(reason="suspended", usage=turns.total_usage, history=kept)
            return
        yield turns.finish_turn(reason)
        yield Finish(
            reason=reason,
            object=dump(turns.state.get("structured_response")),
            usage=turns.total_usage,
            history=b"" if self._keeps else encode_history(_lasting(turns.state, wish)),
        )

    def _stream(self, wish: AgentInput, thread: str, given: Any) -> AsyncGenerator[tuple[str, Any]]:
        config = _config(thread)
        if wish.max_steps is not None:
            config["recursion_limit"] = 2 * wish.max_steps  # a turn is the model, then its tools
        context = {} if self._graph.context_schema is None else {"context": dict(wish.context)}
        modes = ["messages", "updates", "values"]
        stream: AsyncGenerator[tuple[str, Any]] = self._graph.astream(
            given, config, stream_mode=modes, **context
        )
        return stream

    async def _resume(self, wish: AgentInput, thread: str) -> Command[Any]:
        """The answers to what the graph waits for.

        LangGraph takes answers under other ids as one answer to whatever waits: somebody who
        declines the wrong id would agree.
        """
        waits = await self._waits(thread)
        answers = {id_: _answer(wish.decisions[id_]) for id_ in waits if id_ in wish.decisions}
        if not answers:
            told = ", ".join(map(repr, waits)) or "nothing"
            raise InvalidInput(f"The run waits for {told}.", "Decide about what it waits for.")
        return Command(resume=answers)

    async def _waits(self, thread: str) -> list[str]:
        if not self._keeps:
            return []
        state = await self._graph.aget_state(_config(thread))
        return [each.id for each in state.interrupts]

    def _said(self, wish: AgentInput) -> Any:
        messages: Sequence[Message] = wish.messages
        before: list[Any] = []
        if self._keeps and wish.thread:
            messages = wish.new_messages
        elif wish.history:
            before, messages = decode_history(wish.history), wish.new_messages
        if wish.extra_instructions:
            before.append(SystemMessage(wish.extra_instructions))
        return {"messages": [*before, *to_native_messages(messages)]}


def _config(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


def _answer(decision: Decision) -> Any:
    if decision.arguments is not None:
        raise InvalidInput(
            "An interrupt of LangGraph takes no arguments with a decision.",
            "Give what it waits for as data.",
        )
    return decision.approved if decision.data is None else decision.data


def _lasting(state: dict[str, Any], wish: AgentInput) -> list[Any]:
    """The messages without what was said for this run alone."""
    own = wish.extra_instructions
    return [
        each
        for each in state.get("messages", [])
        if not (own and isinstance(each, SystemMessage) and each.content == own)
    ]


def _thread(wish: AgentInput) -> str:
    """The graph's own name of the thread; nobody reaches another resource's by guessing it."""
    if wish.decisions and wish.history:
        return str(json.loads(wish.history)["thread"])
    if wish.thread:
        return json.dumps([wish.resource, wish.thread]) if wish.resource else wish.thread
    import uuid

    return wish.run_id or str(uuid.uuid4())
