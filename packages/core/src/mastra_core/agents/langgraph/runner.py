"""Runs of compiled LangGraph graphs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.messages import RemoveMessage, SystemMessage
from langgraph.errors import GraphRecursionError
from langgraph.graph.message import add_messages
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
from mastra_core.agents.protocol import AgentInfo
from mastra_core.agents.run_failures import to_provider_failure
from mastra_core.agents.streaming_agent import StreamingAgent
from mastra_core.agents.telemetry.event_spans import trace_events
from mastra_core.agents.telemetry.run_metrics import measure_runs
from mastra_core.agents.unsupported_options import reject_unsupported
from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.override import override
from mastra_core.random_id import generate_id
from mastra_core.schema import dump

__all__ = ("GraphAgent",)

_DEFAULT_NAME = "LangGraph"
# With one id, the instructions of a run replace those of the last run in a checkpointer's thread.
_EXTRA_ID = "mastra-extra-instructions"
_UNSUPPORTED = (
    "model", "instructions", "settings", "tools", "active_tools", "client_tools", "output",
    "output_schema", "require_approval", "stop_when", "limits",
)  # fmt: skip


_INSTRUMENTATIONS = (
    "opentelemetry.instrumentation.langchain",
    "openinference.instrumentation.langchain",
    "langtrace_python_sdk",
)


def _has_own_spans(_: Any) -> bool:
    """Return whether an instrumentation of LangChain creates spans already."""
    return os.environ.get("LANGSMITH_OTEL_ENABLED", "").lower() == "true" or any(
        name in sys.modules for name in _INSTRUMENTATIONS
    )


class GraphAgent(StreamingAgent):
    """Runs a graph and converts its stream to events.

    A graph with a checkpointer stores its threads itself, so it receives only the new messages. If
    a graph declares a context schema, it gets the request context as its runtime context.

    :param graph: a compiled graph with messages in its state.
    :cvar history_format: the framework that defines the format of a run's history.
    :cvar takes_tools: whether a run may add tools; a compiled graph has fixed tools.
    """

    history_format = "LangGraph"
    takes_tools = False

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._has_checkpointer = bool(graph.checkpointer)
        self.id = self.name = "" if graph.name == _DEFAULT_NAME else graph.name
        self.description = ""

    @property
    def single_process(self) -> bool:
        """Whether the threads of the graph exist in the memory of one process only."""
        memory = sys.modules.get("langgraph.checkpoint.memory")
        return memory is not None and isinstance(self._graph.checkpointer, memory.InMemorySaver)

    def info(self) -> AgentInfo:
        """Return an empty description, because a graph does not name its models."""
        return AgentInfo()

    @override
    @measure_runs
    @trace_events(_has_own_spans)
    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        yield Start()
        try:
            reject_unsupported(input, "LangGraph", *_UNSUPPORTED)
            async with aclosing(self._iter_events(input)) as events:
                async for event in events:
                    yield event
        except Exception as error:  # noqa: BLE001  # nodes, providers and tools may raise anything
            yield to_provider_failure(error, self.id)

    async def _iter_events(self, run_input: AgentInput) -> AsyncGenerator[AgentEvent]:
        thread = _get_thread_id(run_input)
        converter, reason = EventConverter(), "stop"
        if run_input.decisions:
            graph_input: Any = await self._build_resume_command(run_input, thread)
        else:
            removals = await self._remove_extra_instructions(run_input, thread)
            graph_input = self._build_graph_input(run_input, removals)
        stream = self._open_stream(run_input, thread, graph_input)
        items = iter_with_timeout(stream, run_input.timeout)
        try:
            async with aclosing(items):
                async for mode, value in items:
                    for event in converter.convert(mode, value):
                        yield event
        except GraphRecursionError:
            if run_input.max_steps is None:
                raise
            reason = "tool-calls"
        if converter.is_interrupted and not self._has_checkpointer:
            raise ConfigError(
                f"The graph {self.id!r} waits for an answer, but it has no checkpointer.",
                "Compile the graph with a checkpointer: builder.compile(checkpointer=...).",
            )
        if converter.is_interrupted:
            history = json.dumps({"thread": thread}).encode()
            yield Finish(reason="suspended", usage=converter.total_usage, history=history)
            return
        yield converter.finish_turn(reason)
        yield Finish(
            reason=reason,
            object=dump(converter.state.get("structured_response")),
            usage=converter.total_usage,
            history=b"" if self._has_checkpointer else _encode_state(converter.state),
        )

    def _open_stream(
        self, run_input: AgentInput, thread: str, graph_input: Any
    ) -> AsyncGenerator[tuple[str, Any]]:
        config = _build_config(thread)
        if run_input.max_steps is not None:
            # One turn is two steps of the graph: the model, then its tools.
            config["recursion_limit"] = 2 * run_input.max_steps
        context = {} if self._graph.context_schema is None else {"context": dict(run_input.context)}
        modes = ["messages", "updates", "values"]
        stream: AsyncGenerator[tuple[str, Any]] = self._graph.astream(
            graph_input, config, stream_mode=modes, **context
        )
        return stream

    async def _build_resume_command(self, run_input: AgentInput, thread: str) -> Command[Any]:
        """Build the answers to the interrupts that the graph waits for.

        For an unknown id, LangGraph would use the answer for any interrupt, so a decision with a
        wrong id could approve another call.
        """
        interrupts = await self._list_interrupts(thread)
        if not interrupts:
            raise InvalidInput(
                f"The checkpointer of the graph {self.id!r} has no interrupt that waits for a "
                "decision.",
                "If the app was restarted or has several processes, compile the graph with a "
                "checkpointer that uses a database, such as AsyncPostgresSaver.",
            )
        decisions = run_input.decisions
        answers = {id_: _to_answer(decisions[id_]) for id_ in interrupts if id_ in decisions}
        if not answers:
            raise InvalidInput(
                f"The run waits for a decision about {', '.join(map(repr, interrupts))}.",
                "Send a decision for one of the ids that the run waits for.",
            )
        return Command(resume=answers)

    async def _list_interrupts(self, thread: str) -> list[str]:
        if not self._has_checkpointer:
            return []
        state = await self._graph.aget_state(_build_config(thread))
        return [each.id for each in state.interrupts]

    async def _remove_extra_instructions(self, run_input: AgentInput, thread: str) -> list[Any]:
        """Return the message that removes the instructions of an earlier run from the thread."""
        if not (self._has_checkpointer and run_input.thread) or run_input.extra_instructions:
            return []  # there are none, or the instructions of this run replace them
        if getattr(self._graph.channels.get("messages"), "operator", None) is not add_messages:
            return []  # another reducer may not know such a message
        state = await self._graph.aget_state(_build_config(thread))
        ids = [each.id for each in state.values.get("messages", [])]
        return [RemoveMessage(id=_EXTRA_ID)] if _EXTRA_ID in ids else []

    def _build_graph_input(self, run_input: AgentInput, removals: Sequence[Any]) -> Any:
        messages: Sequence[Message] = run_input.messages
        earlier: list[Any] = [*removals]
        if self._has_checkpointer and run_input.thread:
            messages = run_input.new_messages
        elif run_input.history:
            earlier, messages = decode_history(run_input.history), run_input.new_messages
        if run_input.extra_instructions:
            earlier.append(SystemMessage(run_input.extra_instructions, id=_EXTRA_ID))
        return {"messages": [*earlier, *to_native_messages(messages)]}


def _build_config(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


def _to_answer(decision: Decision) -> Any:
    if decision.arguments is not None:
        raise InvalidInput(
            "A LangGraph interrupt has no arguments that a decision could replace.",
            "Pass the answer as Decision(data=...).",
        )
    return decision.approved if decision.data is None else decision.data


def _encode_state(state: dict[str, Any]) -> bytes:
    """Serialise the messages, without the instructions that were added only for this run."""
    return encode_history(each for each in state.get("messages", []) if each.id != _EXTRA_ID)


def _get_thread_id(run_input: AgentInput) -> str:
    """Return the id under which the graph stores the thread.

    The id contains the resource, so a guessed id never leads to the thread of another resource.
    """
    if run_input.decisions and run_input.history:
        return str(json.loads(run_input.history)["thread"])
    if run_input.thread:
        thread, resource = run_input.thread, run_input.resource
        return json.dumps([resource, thread]) if resource else thread
    return run_input.run_id or generate_id()
