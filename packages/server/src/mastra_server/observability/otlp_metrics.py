"""Export metrics by OTLP, with OpenTelemetry's SDK."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.logs.http_session import build_session
from mastra_core.metrics import METRICS, Metric
from mastra_core.random_id import generate_id
from mastra_core.secret import reveal_all
from mastra_core.worker_thread import run_for
from mastra_server.observability.otlp_settings import OtlpSettings

__all__ = ("OtlpRecorder",)

_CLOSE_TIMEOUT = 1.5  # seconds
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_ATTRIBUTES = {
    "agent": "gen_ai.agent.name",
    "method": "http.request.method",
    "model": "gen_ai.request.model",
    "outcome": "mastra.outcome",
    "route": "http.route",
    "status": "http.response.status_code",
    "tool": "gen_ai.tool.name",
    "transport": "mastra.log.transport",
    "type": "gen_ai.token.type",
    "workflow": "mastra.workflow.id",
}


class OtlpRecorder:
    """Records metrics with OpenTelemetry's instruments, and exports them every minute.

    :param settings: the settings with the destination of the metrics.
    :raises ConfigError: when the extra ``telemetry`` is not installed.
    """

    def __init__(self, settings: OtlpSettings) -> None:
        self._provider = _build_provider(settings)
        meter = self._provider.get_meter("mastra")
        self._present: dict[str, float] = {}
        self._instruments = {each.name: self._build(meter, each) for each in METRICS}

    def record(self, metric: Metric, value: float, labels: tuple[str, ...]) -> None:
        """Record a value.

        :param metric: the metric.
        :param value: the value.
        :param labels: the values of the labels of the metric.
        """
        if metric.kind in ("level", "oldest"):
            self._present[metric.name] = value
            return
        names = (_ATTRIBUTES[label] for label in metric.labels)
        attributes = dict(zip(names, labels, strict=True))
        instrument = self._instruments[metric.name]
        (instrument.record if metric.kind == "duration" else instrument.add)(value, attributes)

    def close(self) -> None:
        """Export the last values, for at most 1.5 seconds."""
        run_for(_CLOSE_TIMEOUT, self._provider.shutdown)

    def _build(self, meter: Any, metric: Metric) -> Any:
        name, text = metric.name, metric.help
        if metric.kind == "counter":
            return meter.create_counter(name, description=text)
        if metric.kind == "active":
            return meter.create_up_down_counter(name, description=text)
        if metric.kind == "duration":
            return meter.create_histogram(
                name, "s", text, explicit_bucket_boundaries_advisory=_BUCKETS
            )
        unit = "s" if metric.kind == "oldest" else ""
        return meter.create_observable_gauge(name, [lambda _: self._observe(name)], unit, text)

    def _observe(self, name: str) -> Iterable[Any]:
        from opentelemetry.metrics import Observation

        value = self._present.get(name, math.inf)
        return [] if math.isinf(value) else [Observation(value)]


def _build_provider(settings: OtlpSettings) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        from mastra_core.otel_resource import build_resource
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Exporting metrics needs {error.name!r}, which is not installed.",
            "Install the extra: pip install 'mastra-core[telemetry]'.",
        ) from None
    # Each process counts for itself, so each needs an id of its own.
    instance = {"service.instance.id": generate_id()}
    resource = build_resource(settings.service_name, instance)
    url = f"{settings.endpoint.rstrip('/')}/v1/metrics" if settings.endpoint else None
    exporter = OTLPMetricExporter(
        endpoint=url,
        headers=reveal_all(settings.headers) if settings.headers else None,
        session=build_session(),
    )
    reader = PeriodicExportingMetricReader(exporter)
    return MeterProvider([reader], resource, shutdown_on_exit=False)
