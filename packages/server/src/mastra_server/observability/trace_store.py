"""Keep the latest traces in memory, so that they can be read over HTTP."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mastra_core import Telemetry, telemetry
from mastra_core.limits.caller_cache import CallerCache
from mastra_server.observability.span_record import SpanRecord

__all__ = ("TraceStore",)

_MAX_TRACES = 1_000
_MAX_SPANS = 250  # per trace
_MAX_BYTES = 32 * 1024 * 1024  # of all traces, approximately

_ID = re.compile("[0-9a-f]{32}")


class _Trace:
    """The spans of one trace, ordered by their start."""

    def __init__(self) -> None:
        self.records: dict[int, SpanRecord] = {}
        self.root: SpanRecord | None = None  # the newest root
        self.owner = ""  # the resource of the newest tree whose resource is known
        self.size = 0  # bytes of all spans, approximately

    @property
    def is_starting(self) -> bool:
        """Whether the newest tree of spans is running, and the trace's owner is unknown."""
        return not self.owner and self.root is not None and self.root.ended is None

    def drop_oldest_tree(self) -> None:
        """Drop the span tree that began first."""
        oldest = next(iter(self.records.values())).root
        for span_id in [key for key, record in self.records.items() if record.root is oldest]:
            self.size -= self.records.pop(span_id).size


class TraceStore:
    """The latest traces of the process; if there are too many, the oldest are dropped.

    All resources share the limit, but a resource with many traces displaces its own oldest traces.
    A trace can have several roots, each with a tree of spans.

    Spans of requests are not stored, so the root of a trace is the run of an agent or a workflow.
    A request's own calls of databases and other servers are outside of every run, and not stored.

    :param settings: the application's telemetry settings, for its name and sampling.
    """

    def __init__(self, settings: Telemetry | None) -> None:
        self._settings = settings
        self._traces: CallerCache[int, _Trace] = CallerCache(_MAX_TRACES, _MAX_BYTES)
        self._starting: CallerCache[int, _Trace] = CallerCache(_MAX_TRACES, _MAX_BYTES // 4)
        self._left_out: set[int] = set()  # the ids of live spans of trees that are full
        self._numbers = itertools.count()
        self._lock = threading.RLock()  # spans end in any thread; recording may start others

    def start(self) -> None:
        """Start keeping spans.

        :raises ConfigError: when the extra ``telemetry`` is not installed.
        """
        telemetry.add_listener(self, self._settings)

    def stop(self) -> None:
        """Stop keeping spans."""
        telemetry.remove_listener(self)

    def on_start(self, span: Any) -> None:
        """Record a span that starts.

        :param span: the span.
        """
        if span.kind.name == "SERVER":
            return
        context, parent = span.context, span.parent
        with self._lock:
            trace = self._get(context.trace_id) or _Trace()
            parent_record = trace.records.get(parent.span_id) if parent is not None else None
            is_root = parent_record is None and (
                parent is None or parent.span_id not in self._left_out
            )
            if (is_root and _is_call(span)) or (
                not is_root and (parent_record is None or len(trace.records) >= _MAX_SPANS)
            ):
                self._left_out.add(context.span_id)
                return
            record = SpanRecord(span, parent_record, next(self._numbers))
            if is_root:
                _make_room(trace)
                trace.root = record
            trace.records[context.span_id] = record
            self._put(context.trace_id, trace, record.size)

    def on_annotate(self, span: Any, attributes: Mapping[str, Any]) -> None:
        """Record data of a span that the attributes of the span do not contain.

        :param span: the span.
        :param attributes: the data.
        """
        self._update(span.get_span_context(), lambda record: record.add_facts(attributes))

    def on_end(self, span: Any) -> None:
        """Record the end of a span.

        :param span: the span.
        """
        self._left_out.discard(span.context.span_id)
        self._update(span.context, lambda record: record.finish(span))

    def list_traces(self) -> list[list[SpanRecord]]:
        """Return all traces, newest first; the spans of each trace are ordered by their start."""
        with self._lock:
            traces = [*self._traces, *self._starting]
            traces.sort(key=lambda trace: trace.root.number if trace.root else 0, reverse=True)
            return [list(trace.records.values()) for trace in traces]

    def get_trace(self, trace_id: str) -> list[SpanRecord]:
        """Return the spans of one trace; empty for an unknown trace.

        :param trace_id: the id in hex.
        """
        number = int(trace_id, 16) if _ID.fullmatch(trace_id) else -1
        with self._lock:
            trace = self._get(number)
            return list(trace.records.values()) if trace else []

    def _update(self, context: Any, change: Callable[[SpanRecord], None]) -> None:
        with self._lock:
            trace = self._get(context.trace_id)
            record = trace.records.get(context.span_id) if trace else None
            if trace is not None and record is not None:
                before = record.size
                change(record)
                trace.owner = record.root.owner or trace.owner
                self._put(context.trace_id, trace, record.size - before)

    def _get(self, trace_id: int) -> _Trace | None:
        return self._traces.get(trace_id) or self._starting.get(trace_id)

    def _put(self, trace_id: int, trace: _Trace, growth: int) -> None:
        """Store a changed trace as the newest trace, and count it toward its owner's limit.

        While a trace starts, its owner is unknown. Until the owner is known, the trace is stored
        separately, so that it cannot displace traces of other owners.
        """
        trace.size += growth
        traces, others = self._traces, self._starting
        if trace.is_starting:
            traces, others = others, traces
        others.pop(trace_id)
        traces.put(trace_id, trace, trace.owner, trace.size)


def _is_call(span: Any) -> bool:
    """Return whether a span is a call of a database or another server, and not of a model."""
    return span.kind.name == "CLIENT" and "gen_ai.operation.name" not in (span.attributes or {})


def _make_room(trace: _Trace) -> None:
    """Drop the oldest trees of spans from a full trace, so that another root span has room.

    Callers can choose trace ids with the header ``traceparent``. If a caller uses one trace id for
    many runs, the latest runs must stay visible.
    """
    while len(trace.records) >= _MAX_SPANS:
        trace.drop_oldest_tree()
