"""Measure the runs of agents by their events, in the same way for all frameworks."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from mastra_core.agents.events import (
    AgentEvent,
    Failure,
    Finish,
    ReasoningDelta,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolInputStart,
    ToolResult,
)
from mastra_core.metrics.definitions import (
    AGENT_RUN_DURATION,
    FIRST_CHUNK_DURATION,
    MODEL_CALL_DURATION,
    TOKENS,
    TOOL_CALL_DURATION,
)
from mastra_core.metrics.recording import is_recording, record
from mastra_core.usage import Usage

__all__ = ("measure_events", "measure_runs")

_FAILURE = Failure(message="")

Stream = Callable[..., AsyncIterator[AgentEvent]]


def measure_runs(stream: Stream) -> Stream:
    """Wrap the method ``stream`` of an agent; the wrapper measures runs while metrics are on.

    :param stream: the method.
    """

    @functools.wraps(stream)
    def start_run(self: Any, *args: Any, **options: Any) -> AsyncIterator[AgentEvent]:
        events = stream(self, *args, **options)
        return _measure(self.id, events) if is_recording() else events  # type: ignore[arg-type]  # generators

    return start_run


def measure_events(
    agent: str, start: Start, events: AsyncGenerator[AgentEvent]
) -> AsyncGenerator[AgentEvent]:
    """Yield the events of a run, and measure the run while metrics are on.

    :param agent: the id of the agent.
    :param start: the first event, which ``events`` does not contain.
    :param events: the events after ``start``; an exception means that the run failed.
    """
    return _measure(agent, events, start) if is_recording() else events


async def _measure(
    agent: str, events: AsyncGenerator[AgentEvent], start: Start | None = None
) -> AsyncGenerator[AgentEvent]:
    run = _AgentRun(agent)
    if start is not None:
        run.observe(start)
    try:
        async with aclosing(events):
            async for event in events:
                run.observe(event)
                yield event
    except Exception:
        run.observe(_FAILURE)
        raise
    finally:
        run.finish()


class _AgentRun:
    """The times of one run."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._model = ""
        self._outcome = "aborted"
        self._started_at = self._turn_started_at = time.perf_counter()
        self._has_turn = False  # whether the model is answering
        self._has_chunk = False
        self._calls: dict[str, float] = {}

    def observe(self, event: AgentEvent) -> None:
        kind = type(event)
        if kind is TextDelta or kind is ReasoningDelta or kind is ToolInputStart:
            if not self._has_chunk:
                self._record_first_chunk()
        elif (observer := _OBSERVERS.get(kind)) is not None:
            observer(self, event)
        elif isinstance(event, Finish):  # a subclass, whose history is built on use
            self.observe_end(event)

    def finish(self) -> None:
        seconds = time.perf_counter() - self._started_at
        record(AGENT_RUN_DURATION, seconds, self._agent, self._outcome)

    def observe_start(self, event: Start) -> None:
        self._model = event.model
        self._begin_turn()

    def observe_call(self, event: ToolCall) -> None:
        self._end_turn("ok")
        self._calls[event.id] = time.perf_counter()

    def observe_result(self, event: ToolResult) -> None:
        started_at = self._calls.pop(event.id, None)
        if started_at is not None:
            outcome = "declined" if event.declined else "failed" if event.failed else "ok"
            seconds = time.perf_counter() - started_at
            record(TOOL_CALL_DURATION, seconds, self._agent, event.name, outcome)

    def observe_turn(self, event: StepFinish) -> None:
        self._end_turn("ok")
        self._record_tokens(event.usage)
        if event.continued:
            self._begin_turn()

    def observe_failure(self, _: Failure) -> None:
        self._end_turn("failed")
        self._outcome = "failed"

    def observe_end(self, event: Finish) -> None:
        self._end_turn("ok")
        if self._outcome == "aborted":
            self._outcome = "suspended" if event.reason == "suspended" else "ok"

    def _begin_turn(self) -> None:
        self._turn_started_at = time.perf_counter()
        self._has_turn, self._has_chunk = bool(self._model), False

    def _end_turn(self, outcome: str) -> None:
        if self._has_turn:
            self._has_turn = False
            seconds = time.perf_counter() - self._turn_started_at
            record(MODEL_CALL_DURATION, seconds, self._agent, self._model, outcome)

    def _record_first_chunk(self) -> None:
        self._has_chunk = True
        if self._has_turn:
            seconds = time.perf_counter() - self._turn_started_at
            record(FIRST_CHUNK_DURATION, seconds, self._agent, self._model)

    def _record_tokens(self, usage: Usage) -> None:
        for kind, amount in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cached", usage.cached_tokens),
        ):
            if amount:
                record(TOKENS, amount, self._agent, self._model, kind)


_OBSERVERS: dict[type, Callable[[_AgentRun, Any], None]] = {
    Start: _AgentRun.observe_start,
    ToolCall: _AgentRun.observe_call,
    ToolResult: _AgentRun.observe_result,
    StepFinish: _AgentRun.observe_turn,
    Failure: _AgentRun.observe_failure,
}
