"""Start and stop the export of the spans of this process.

Spans are recorded only after a ``Telemetry`` was started or a listener was added. A ``Telemetry``
exports spans. A listener receives spans in this process. OpenTelemetry's SDK (the extra
``mastra-core[telemetry]``) is not loaded before the recording starts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.telemetry.content import ContentSettings
from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.otel_environment import (
    is_sdk_disabled,
    read_record_content,
    read_sampling,
)
from mastra_core.telemetry.propagation import Propagation
from mastra_core.telemetry.sampling import Sampling
from mastra_core.telemetry.tracing import set_recorder

if TYPE_CHECKING:
    from mastra_core.telemetry.span_listener import SpanListener
    from mastra_core.telemetry.span_queue import SpanQueue
    from mastra_core.telemetry.span_recorder import Recorder

__all__ = (
    "Telemetry",
    "add_listener",
    "flush_spans",
    "get_export_counts",
    "is_sdk_installed",
    "remove_listener",
)

_STOP_SECONDS = 2.0  # for the export of the remaining spans when the process stops


@dataclasses.dataclass(frozen=True, kw_only=True)
class Telemetry:
    """The export of the spans of requests, agents and workflows.

    :param service_name: ``service.name`` of the resource; ``OTEL_SERVICE_NAME`` overrides it.
    :param sampling: ``{"type": "always_on" | "always_off" | "ratio" | "parent_based"}``; the last
        two take ``"probability"`` (0 to 1), default 1. Only ``parent_based`` with
        ``"trust_callers": True`` follows the decision in a caller's ``traceparent``.
    :param export: ``{"type": "otlp", "endpoint": URL, "headers": {...}}`` sends OTLP over HTTP;
        ``OTEL_EXPORTER_OTLP_*`` supplies missing values, and a header may be a ``Secret``.
        ``{"type": "console"}`` prints spans. ``{"type": "file", "path": PATH}`` appends lines of
        OTLP JSON. An exporter of OpenTelemetry's SDK works as well. ``OTEL_TRACES_EXPORTER``
        overrides the type, and ``OTEL_TRACES_SAMPLER`` overrides the sampling.
    :param enabled: ``False`` keeps the settings and exports nothing.
    :param record_content: whether spans contain the inputs and outputs of agents, models, tools and
        steps, cut at 16 KiB and without credentials; by default only under ``mastra dev``.
    :param propagate_to: the model hosts that receive the headers ``traceparent``, ``tracestate``
        and ``baggage``; ``*`` in a name stands for any characters. By default, every host receives
        only ``traceparent``.
    :raises ConfigError: for an unknown type or key, an invalid probability, or an argument of the
        wrong type.
    """

    service_name: str = "mastra"
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"type": "always_on"})
    export: Any = dataclasses.field(default_factory=lambda: {"type": "otlp"}, repr=False)
    enabled: bool = True
    record_content: bool | None = None
    propagate_to: Sequence[str] | None = None

    def __post_init__(self) -> None:
        from mastra_core.telemetry.exporters import check_export

        Sampling(self.sampling)
        Propagation(self.propagate_to)
        check_export(self.export)
        check_types(vars(self), Telemetry.__annotations__)

    def start(self) -> None:
        """Start to export spans; the export ends when every started ``Telemetry`` was stopped.

        The first started ``Telemetry`` of a process determines the exporter.

        :raises ConfigError: when the extra ``telemetry`` is not installed.
        """
        if not self.enabled or is_sdk_disabled():
            return
        if not _process.senders:
            with _require_package("Telemetry"):
                _process.start_export(self)
        _process.senders[id(self)] = self
        _process.update()

    def stop(self) -> None:
        """Export the remaining spans for at most two seconds, and end the export."""
        started = _process.senders.pop(id(self), None)
        if started is None or _process.senders:
            return
        _process.stop_export()
        _process.update()


class _Process:
    """The state that exists once in a process."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.provider: Any = None  # the tracer provider that the recorder is connected with
        self.senders: dict[int, Telemetry] = {}
        self.queue: SpanQueue | None = None
        self.counts = ExportCounts()
        self.content: ContentSettings | None = None

    def connect(self, settings: Telemetry) -> Recorder:
        """Return the recorder of this process, and create it if necessary.

        :param settings: service name and sampling, which are used if no ``Telemetry`` was started
            before.
        """
        from opentelemetry import trace

        from mastra_core.otel_resource import build_resource
        from mastra_core.request_scope import is_request_scoped
        from mastra_core.telemetry.provider import connect_recorder, warn_about_closed_provider

        if self.recorder is None or self.provider is not trace.get_tracer_provider():
            sampling = Sampling(read_sampling(settings.sampling))
            resource = build_resource(settings.service_name, has_threads=not is_request_scoped())
            listeners = self.recorder.listeners if self.recorder is not None else ()
            self.provider, self.recorder = connect_recorder(resource, sampling)
            self.recorder.listeners = listeners
        elif not self.senders and not self.recorder.listeners:
            self.recorder.sampling = Sampling(read_sampling(settings.sampling))
            self.recorder.resource = build_resource(
                settings.service_name, has_threads=not is_request_scoped()
            )
        warn_about_closed_provider(self.provider)
        return self.recorder

    def start_export(self, settings: Telemetry) -> None:
        """Start the export of spans.

        :param settings: the exporter.
        """
        from mastra_core.telemetry.exporters import build_export

        records = read_record_content(
            _is_dev() if settings.record_content is None else settings.record_content
        )
        recorder = self.connect(settings)
        recorder.exporter, self.queue = build_export(settings.export, self.counts)
        recorder.propagation = Propagation(settings.propagate_to)
        self.content = ContentSettings() if records else None

    def stop_export(self) -> None:
        """Export the remaining spans, and end the export."""
        queue, self.queue = self.queue, None
        if queue is not None:
            queue.close(_STOP_SECONDS)
        if self.recorder is not None:
            self.recorder.exporter = self.recorder.propagation = None
        self.content = None

    def update(self) -> None:
        """Record spans only while an exporter or a listener receives them."""
        recorder = self.recorder
        if recorder is not None:
            receives = bool(self.senders or recorder.listeners)
            if not receives or (recorder.tracer is None and recorder.sampling.is_off):
                recorder = None
        set_recorder(recorder, self.content)


_process = _Process()


def add_listener(listener: SpanListener, settings: Telemetry | None = None) -> None:
    """Start to pass every span of this process to ``listener``.

    The listener gets no spans while the SDK is disabled (``OTEL_SDK_DISABLED``).

    :param listener: receives the spans.
    :param settings: service name and sampling, which are used if no ``Telemetry`` was started
        before.
    :raises ConfigError: when the extra ``telemetry`` is not installed.
    """
    if is_sdk_disabled():
        return
    with _require_package("Keeping traces"):
        recorder = _process.connect(settings or Telemetry())
    recorder.listeners = (*recorder.listeners, listener)
    _process.update()


def remove_listener(listener: SpanListener) -> None:
    """Pass no more spans to ``listener``.

    :param listener: a listener that was added.
    """
    recorder = _process.recorder
    if recorder is not None:
        recorder.listeners = tuple(each for each in recorder.listeners if each is not listener)
    _process.update()


def flush_spans(seconds: float = 2.0) -> bool:
    """Export all ended spans now, before the platform freezes the process.

    The call blocks. A worker thread may call this function.

    :param seconds: how long to wait.
    :returns: whether every span was exported or dropped in time.
    """
    queue = _process.queue
    return queue is None or queue.flush(seconds)


def get_export_counts() -> ExportCounts:
    """Return how many spans of this process were exported, and how many were lost."""
    return _process.counts


def is_sdk_installed() -> bool:
    """Return whether OpenTelemetry's SDK is installed."""
    from importlib.util import find_spec

    return bool(find_spec("opentelemetry") and find_spec("opentelemetry.sdk"))


@contextlib.contextmanager
def _require_package(what: str) -> Iterator[None]:
    """Raise ``ConfigError`` if the block imports a package that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs {error.name!r}, which is not installed.",
            "Install the extra: pip install 'mastra-core[telemetry]'.",
        ) from None


def _is_dev() -> bool:
    return os.environ.get("MASTRA_DEV") == "true"
