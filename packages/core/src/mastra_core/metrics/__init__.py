"""Measure runs of agents and workflows, if something in the process records metrics."""

from mastra_core.metrics.definitions import METRICS, Metric
from mastra_core.metrics.recording import (
    MetricRecorder,
    add_recorder,
    is_recording,
    record,
    remove_recorder,
)

__all__ = (
    "METRICS",
    "Metric",
    "MetricRecorder",
    "add_recorder",
    "is_recording",
    "record",
    "remove_recorder",
)
