"""Connect OpenTelemetry's tracer provider of this process with the recorder.

OpenTelemetry allows one provider in a process, and cannot remove the provider or its processors
again. If the application has set a provider, that provider creates all spans. If the application
has set no provider, this module sets one, which creates only the spans of other libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from mastra_core.logger import get_logger
from mastra_core.telemetry.sampling import Sampling, unsampled_headers
from mastra_core.telemetry.span_recorder import Recorder

__all__ = ("connect_recorder", "warn_about_closed_provider")

_DUPLICATE_SCOPES = "com.anthropic.sdk.python"  # its SDK adds a span for each request to ours


def connect_recorder(resource: Resource, sampling: Sampling) -> tuple[Any, Recorder]:
    """Return the tracer provider of this process, and a new recorder that receives its spans.

    :param resource: the OpenTelemetry resource of the process.
    :param sampling: which requests and runs are traced.
    """
    current: Any = trace.get_tracer_provider()
    if isinstance(current, trace.ProxyTracerProvider):
        recorder = Recorder(resource, sampling)
        provider: Any = _RecordedProvider(resource, recorder)
        trace.set_tracer_provider(provider)
    else:
        provider, recorder = current, Recorder(resource, sampling, current.get_tracer("mastra"))
        if hasattr(provider, "add_span_processor"):
            provider.add_span_processor(_RecorderProcessor(recorder))
    return provider, recorder


def warn_about_closed_provider(provider: Any) -> None:
    """Log a warning if a provider accepts no span processor, as ddtrace's provider does.

    :param provider: the provider.
    """
    if hasattr(provider, "add_span_processor"):
        return
    kind = type(provider)
    get_logger("mastra").warning(
        "spans go to the tracer provider %s.%s alone, because it accepts no span processor: "
        "Telemetry(export=...) and Server(traces=True) get none",
        kind.__module__,
        kind.__qualname__,
    )


class _RecordedProvider(TracerProvider):
    """The OpenTelemetry tracer provider that this library sets.

    When the application adds a span processor, the recorder starts to create its spans with this
    provider, so that the processor receives all spans.
    """

    def __init__(self, resource: Resource, recorder: Recorder) -> None:
        super().__init__(
            resource=resource,
            sampler=_RecorderSampler(recorder),
            shutdown_on_exit=False,  # the server's lifespan stops the export
        )
        self._recorder = recorder
        super().add_span_processor(_RecorderProcessor(recorder))

    def get_tracer(self, instrumenting_module_name: str, *rest: Any, **options: Any) -> Any:
        if instrumenting_module_name.startswith(_DUPLICATE_SCOPES):
            return _DUPLICATE_TRACER
        return super().get_tracer(instrumenting_module_name, *rest, **options)

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        super().add_span_processor(span_processor)
        self._recorder.tracer = self.get_tracer("mastra")


class _DuplicateTracer(trace.NoOpTracer):
    """Creates no spans, for a library whose spans would be duplicates of the recorder's spans."""

    def start_span(self, *_rest: Any, **_options: Any) -> Any:
        return trace.INVALID_SPAN


_DUPLICATE_TRACER = _DuplicateTracer()


class _RecorderSampler(Sampler):
    """Applies the recorder's sampling to spans of other libraries."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Sequence[Any] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        del trace_id, name, kind, links, trace_state
        parent = trace.get_current_span(parent_context).get_span_context()
        sampling = self._recorder.sampling
        if parent.is_valid:
            sampled = sampling.decide_for_parent(parent.trace_flags.sampled)
        else:
            sampled = unsampled_headers.get() is None and sampling.decide()
        if not sampled:
            return SamplingResult(Decision.DROP)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, parent.trace_state)

    def get_description(self) -> str:
        return "mastra"


class _RecorderProcessor(SpanProcessor):
    """Passes spans of a provider to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:  # noqa: ARG002  # the SDK's signature
        for listener in self._recorder.listeners:
            listener.on_start(span)

    def on_end(self, span: Any) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self._recorder.finish(span)
