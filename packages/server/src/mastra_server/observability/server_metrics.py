"""Record metrics while the server runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mastra_core import Mastra
from mastra_core.logs.pipeline import find_pipeline
from mastra_core.metrics import MetricRecorder, add_recorder, record, remove_recorder
from mastra_core.metrics.definitions import LOST_LOG_LINES
from mastra_server.observability.otlp_settings import OtlpSettings, read_otlp_signal

if TYPE_CHECKING:
    from mastra_server.observability.otlp_metrics import OtlpRecorder

__all__ = ("ServerMetrics",)


class ServerMetrics:
    """The metrics of one application, which are served to Prometheus, exported by OTLP, or both.

    :param mastra: the application.
    :raises ConfigError: when a package for metrics is not installed.
    """

    def __init__(self, mastra: Mastra) -> None:
        self._mastra = mastra
        self._exports = read_otlp_signal("METRICS")
        self._recorders: list[MetricRecorder] = []
        self._exporter: OtlpRecorder | None = None
        self.routes: list[Any] = []
        if mastra.server.metrics:
            from mastra_server.observability.prometheus import PrometheusRecorder

            prometheus = PrometheusRecorder()
            self._recorders.append(prometheus)
            self.routes.append(prometheus.build_route())

    @property
    def is_enabled(self) -> bool:
        """Whether any metric is measured."""
        return bool(self._recorders) or self._exports

    async def open(self) -> None:
        """Start recording; build the exporter in a thread, because its imports are slow."""
        if self._exports:
            from mastra_server.observability.otlp_metrics import OtlpRecorder

            settings = OtlpSettings.of(self._mastra)
            self._exporter = await asyncio.to_thread(OtlpRecorder, settings)
            self._recorders.append(self._exporter)
        for recorder in self._recorders:
            add_recorder(recorder)
        pipeline = find_pipeline(self._mastra.logger)
        if self._recorders and pipeline is not None:
            for name in pipeline.transports:
                record(LOST_LOG_LINES, 0, name)  # an alert needs a value from the beginning

    async def close(self) -> None:
        """Stop recording, and export the last values."""
        for recorder in self._recorders:
            remove_recorder(recorder)
        if self._exporter is not None:
            exporter, self._exporter = self._exporter, None
            self._recorders.remove(exporter)
            await asyncio.to_thread(exporter.close)
