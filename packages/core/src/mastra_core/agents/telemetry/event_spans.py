"""Trace model calls and tools of other frameworks by the events of their runs.

The events are the same for all frameworks, so tracing needs no OpenTelemetry instrumentation of the
framework. If an application uses an instrumentation of its framework, each call still gets only one
span.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeVar

from mastra_core.agents.events import (
    AgentEvent,
    Failure,
    Start,
    StepFinish,
    ToolCall,
    ToolResult,
)
from mastra_core.agents.messages import AgentInput
from mastra_core.telemetry import annotate, is_recording, open_span
from mastra_core.tools import Tool

__all__ = ("trace_events",)

A = TypeVar("A")
_Stream = Callable[[A, AgentInput], AsyncIterator[AgentEvent]]


def trace_events(has_own_spans: Callable[[A], bool]) -> Callable[[_Stream[A]], _Stream[A]]:
    """Return a decorator for the method ``stream`` of a framework's runner.

    :param has_own_spans: returns whether the application already traces a given runner's runs, with
        an instrumentation of the framework.
    """

    def decorate(stream: _Stream[A]) -> _Stream[A]:
        @functools.wraps(stream)
        def stream_with_spans(runner: A, run_input: AgentInput, /) -> AsyncIterator[AgentEvent]:
            events = stream(runner, run_input)
            if not is_recording() or has_own_spans(runner):
                return events
            return _trace(events, run_input)

        return stream_with_spans

    return decorate


async def _trace(events: Any, run_input: AgentInput) -> AsyncGenerator[AgentEvent]:
    spans = _RunSpans(run_input)
    async with contextlib.aclosing(events):
        async for event in events:
            spans.add(event)
            yield event


class _RunSpans:
    """The spans of one run; a span is recorded when the model or tool call that it times has ended.

    :param run_input: the input of the run. The tools of this input get no span here, because the
        code that calls them traces them.
    """

    def __init__(self, run_input: AgentInput) -> None:
        self._traced_tools = {each.id for each in run_input.tools if isinstance(each, Tool)}
        self._model = self._provider = ""
        self._turn_start = self._last_output = self._first_output = 0
        self._calls: dict[str, int] = {}  # when each open call began

    def add(self, event: AgentEvent) -> None:
        """Record each span whose work ends with this event."""
        now = time.time_ns()
        match event:
            case Start():
                self._model, self._provider = event.model, event.provider
                self._turn_start = now
            case ToolResult():
                self._record_tool(event, now)
            case StepFinish():
                self._record_turn(event, now)
            case Failure():
                self._record_failure(event, now)
            case _:
                self._first_output = self._first_output or now
                self._last_output = now
        if isinstance(event, ToolCall):
            self._calls[event.id] = now

    def _record_tool(self, event: ToolResult, now: int) -> None:
        start = self._calls.pop(event.id, now)
        if event.name in self._traced_tools or event.declined:
            return
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.name,
            "gen_ai.tool.call.id": event.id,
        }
        with open_span(f"execute_tool {event.name}", attributes, start_time=start) as span:
            annotate(span, input=event.arguments, output=event.result)
            if span is not None and event.failed:
                span.set_attribute("error.type", "tool_error")
                _set_failed(span, "")

    def _record_turn(self, event: StepFinish, now: int) -> None:
        attributes = {
            "gen_ai.response.finish_reasons": (event.reason,),
            "gen_ai.usage.input_tokens": event.usage.input_tokens,
            "gen_ai.usage.output_tokens": event.usage.output_tokens,
        }
        if self._first_output:
            seconds = (self._first_output - self._turn_start) / 1e9
            attributes["gen_ai.response.time_to_first_chunk"] = seconds
        self._record_model_call(attributes, self._last_output or now)
        self._turn_start, self._first_output, self._last_output = now, 0, 0

    def _record_failure(self, event: Failure, now: int) -> None:
        if self._turn_start and not self._calls:
            self._record_model_call({"error.type": event.kind or "_OTHER"}, now, event.message)

    def _record_model_call(self, outcome: dict[str, Any], end: int, error: str = "") -> None:
        attributes = {"gen_ai.operation.name": "chat", **outcome}
        if self._provider:
            attributes["gen_ai.provider.name"] = self._provider
        if self._model:
            attributes["gen_ai.request.model"] = self._model
        options: dict[str, Any] = {
            "kind": "client",
            "start_time": self._turn_start,
            "end_time": end,
        }
        with open_span(f"chat {self._model}".rstrip(), attributes, **options) as span:
            if span is not None and error:
                _set_failed(span, error)


def _set_failed(span: Any, message: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, message)
