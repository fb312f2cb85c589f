"""Keep the latest traces in memory, so that they can be read over HTTP."""

from __future__ import annotations

import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from mastra_core import Telemetry, telemetry
from mastra_server.observability.span_record import SpanRecord

__all__ = ("TraceStore",)

_MAX_TRACES = 1_000
_MAX_SPANS = 250  # per trace
_MAX_BYTES = 32 * 1024 * 1024  # of all traces, approximately

_ID = re.compile("[0-9a-f]{32}")
_Trace = dict[int, SpanRecord]


class TraceStore:
    """The latest traces of the process; the oldest are dropped when there are too many.

    A trace can have several roots, each with its tree of spans.

    Request spans are not stored, so that the root of a trace is the run of an agent or a workflow,
    which users look for.

    :param settings: the application's telemetry settings, for its name and sampling.
    """

    def __init__(self, settings: Telemetry | None) -> None:
        self._settings = settings
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._left_out: set[int] = set()  # the ids of live spans of trees that are full
        self._numbers = itertools.count()
        self._size = 0
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
            trace = self._traces.setdefault(context.trace_id, {})
            parent_record = trace.get(parent.span_id) if parent is not None else None
            if parent_record is None and (parent is None or parent.span_id not in self._left_out):
                self._make_room(context.trace_id)
            elif parent_record is None or len(trace) >= _MAX_SPANS:
                self._left_out.add(context.span_id)
                return
            record = trace[context.span_id] = SpanRecord(span, parent_record, next(self._numbers))
            self._add_size(record.size)

    def on_annotate(self, span: Any, attributes: Mapping[str, Any]) -> None:
        """Record data of a span that is not among its attributes.

        :param span: the span.
        :param attributes: the data.
        """
        self._update(span.get_span_context(), lambda record: record.add_facts(attributes))

    def on_end(self, span: Any) -> None:
        """Record how a span ended.

        :param span: the span.
        """
        self._left_out.discard(span.context.span_id)
        self._update(span.context, lambda record: record.finish(span))

    def list_traces(self) -> list[list[SpanRecord]]:
        """Return all traces, newest first, each with its spans in the order they began."""
        with self._lock:
            return [list(trace.values()) for trace in reversed(self._traces.values()) if trace]

    def get_trace(self, trace_id: str) -> list[SpanRecord]:
        """Return the spans of one trace; empty for an unknown trace.

        :param trace_id: the id in hex.
        """
        number = int(trace_id, 16) if _ID.fullmatch(trace_id) else -1
        with self._lock:
            return list(self._traces.get(number, {}).values())

    def _make_room(self, trace_id: int) -> None:
        """Prepare a trace for another root: drop its oldest trees while it is full.

        Callers choose trace ids with ``traceparent``. One that sends the same id again and again
        must not hide its later runs behind its first ones.
        """
        trace = self._traces[trace_id]
        self._traces.move_to_end(trace_id)
        while len(trace) >= _MAX_SPANS:
            oldest = next(iter(trace.values())).root
            for span_id in [key for key, record in trace.items() if record.root is oldest]:
                self._size -= trace.pop(span_id).size

    def _update(self, context: Any, change: Callable[[SpanRecord], None]) -> None:
        with self._lock:
            record = self._traces.get(context.trace_id, {}).get(context.span_id)
            if record is not None:
                before = record.size
                change(record)
                self._add_size(record.size - before)

    def _add_size(self, by: int) -> None:
        self._size += by
        while len(self._traces) > _MAX_TRACES or self._size > _MAX_BYTES:
            _, trace = self._traces.popitem(last=False)
            self._size -= sum(record.size for record in trace.values())
