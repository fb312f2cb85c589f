"""Pass measured values to the recorders of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mastra_core.metrics.definitions import Metric

__all__ = ("MetricRecorder", "add_recorder", "is_recording", "record", "remove_recorder")

MAX_LABEL_VALUES = 100  # of one label of one metric; a model may invent names of tools
OTHER = "other"  # the value in place of further ones


class MetricRecorder(Protocol):
    """Receives measured values, in the thread that measures them."""

    def record(self, metric: Metric, value: float, labels: tuple[str, ...]) -> None:
        """Record a value.

        :param metric: the metric.
        :param value: for ``counter`` and ``active`` the number to add, for ``level`` the current
            number, for ``oldest`` a time, and for ``duration`` seconds.
        :param labels: the values of the labels of the metric.
        """


_recorders: tuple[MetricRecorder, ...] = ()
_label_values: dict[tuple[str, int], set[str]] = {}


def add_recorder(recorder: MetricRecorder) -> None:
    """Pass measured values to a recorder from now on.

    :param recorder: the recorder.
    """
    global _recorders  # noqa: PLW0603  # read for every value
    _recorders = (*_recorders, recorder)


def remove_recorder(recorder: MetricRecorder) -> None:
    """Pass no more values to a recorder.

    :param recorder: a recorder that was added.
    """
    global _recorders  # noqa: PLW0603  # read for every value
    _recorders = tuple(each for each in _recorders if each is not recorder)


def is_recording() -> bool:
    """Return whether anything records metrics; otherwise nothing needs to be measured."""
    return bool(_recorders)


def record(metric: Metric, value: float, *labels: str) -> None:
    """Record a value; limit the number of different values of each label.

    :param metric: the metric.
    :param value: the value.
    :param labels: the values of the labels of the metric.
    """
    limited = _limit_labels(metric, labels)
    for recorder in _recorders:
        recorder.record(metric, value, limited)


def _limit_labels(metric: Metric, labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(_limit_label(metric.name, index, value) for index, value in enumerate(labels))


def _limit_label(name: str, index: int, value: str) -> str:
    known = _label_values.setdefault((name, index), set())
    if value in known:
        return value
    if len(known) >= MAX_LABEL_VALUES:
        return OTHER
    known.add(value)
    return value
