"""The latest traces, kept in memory for whoever may read them over HTTP."""

from __future__ import annotations

import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from mastra_core import Telemetry, telemetry
from mastra_server.observability.span_record import KeptSpan

__all__ = ("TraceBook",)

_TRACES = 1_000
_SPANS = 250  # of a trace
_BYTES = 32 * 1024 * 1024  # of all of them, about

_ID = re.compile("[0-9a-f]{32}")
_Trace = dict[int, KeptSpan]


class TraceBook:
    """Keeps the latest traces of the process; the oldest go when there are too many.

    The span around a request is left out: what it would hide, the run of an agent or a workflow, is
    what people look for.

    :param settings: the application's; its name and sampling are used.
    """

    def __init__(self, settings: Telemetry | None) -> None:
        self._settings = settings
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._numbers = itertools.count()
        self._size = 0
        self._lock = threading.RLock()  # spans end in any thread; what is noted may begin others

    def start(self) -> None:
        """Begin to keep spans.

        :raises ConfigError: when the extra ``telemetry`` is not installed.
        """
        telemetry.keep(self, self._settings)

    def stop(self) -> None:
        """Keep no more."""
        telemetry.release(self)

    def began(self, span: Any) -> None:
        """Keep a span that runs."""
        if span.kind.name == "SERVER":
            return
        context, parent = span.context, span.parent
        with self._lock:
            trace = self._traces.setdefault(context.trace_id, {})
            if len(trace) >= _SPANS:
                return
            known = trace.get(parent.span_id) if parent is not None else None
            inside = known.span_id if known else ""
            kept = trace[context.span_id] = KeptSpan(span, inside, next(self._numbers))
            self._grown(kept.size)

    def noted(self, span: Any, facts: Mapping[str, Any]) -> None:
        """Keep what is said of a span."""
        self._change(span.get_span_context(), lambda kept: kept.note(facts))

    def ended(self, span: Any) -> None:
        """Keep how a span ended."""
        self._change(span.context, lambda kept: kept.end(span))

    def traces(self) -> list[list[KeptSpan]]:
        """Every trace with its spans in the order they began, the newest trace first."""
        with self._lock:
            return [list(trace.values()) for trace in reversed(self._traces.values()) if trace]

    def trace(self, trace_id: str) -> list[KeptSpan]:
        """The spans of one trace; none where it is not known."""
        number = int(trace_id, 16) if _ID.fullmatch(trace_id) else -1
        with self._lock:
            return list(self._traces.get(number, {}).values())

    def _change(self, context: Any, change: Callable[[KeptSpan], None]) -> None:
        with self._lock:
            kept = self._traces.get(context.trace_id, {}).get(context.span_id)
            if kept is not None:
                before = kept.size
                change(kept)
                self._grown(kept.size - before)

    def _grown(self, by: int) -> None:
        self._size += by
        while len(self._traces) > _TRACES or self._size > _BYTES:
            _, trace = self._traces.popitem(last=False)
            self._size -= sum(kept.size for kept in trace.values())
