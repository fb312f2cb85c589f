"""Keep metrics for Prometheus, and serve them at ``/metrics``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from litestar.response.base import ASGIResponse

from mastra_core.errors import ConfigError
from mastra_core.metrics import METRICS, Metric
from mastra_core.worker_thread import run_in_thread
from mastra_server.http.handlers import get
from mastra_server.middleware.request_metrics import METRICS_PATH

__all__ = ("PrometheusRecorder",)

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # set by the launcher for several worker processes
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SET_KINDS = ("level", "oldest")
_GAUGE_MODES = {"active": "livesum", "level": "livemax", "oldest": "livemin"}


class PrometheusRecorder:
    """Records all metrics in one registry of ``prometheus-client``.

    Worker processes share a directory, and each process reports the metrics of all processes.

    :raises ConfigError: when the package ``prometheus-client`` is not installed.
    """

    def __init__(self) -> None:
        self._client = _import_client()
        self._registry = self._client.CollectorRegistry()
        self._metrics = {each.name: self._build(each) for each in METRICS}
        self._children: dict[tuple[str, tuple[str, ...]], Any] = {}
        if not _is_shared():
            self._client.ProcessCollector(registry=self._registry)
        for metric in METRICS:
            if metric.kind == "oldest":
                self.record(metric, float("inf"), ())

    def record(self, metric: Metric, value: float, labels: tuple[str, ...]) -> None:
        """Record a value.

        :param metric: the metric.
        :param value: the value.
        :param labels: the values of the labels of the metric.
        """
        child = self._children.get((metric.name, labels))
        if child is None:
            parent = self._metrics[metric.name]
            child = parent.labels(*labels) if labels else parent
            self._children[metric.name, labels] = child
        if metric.kind == "duration":
            child.observe(value)
        elif metric.kind in _SET_KINDS:
            child.set(value)
        else:
            child.inc(value)

    def build_route(self) -> Any:
        """Build the route from which Prometheus reads the metrics."""

        @get(METRICS_PATH, include_in_schema=False)
        async def get_metrics() -> ASGIResponse:
            """Return every metric as text."""
            body = await run_in_thread(self.format_metrics)
            content_type = self._client.CONTENT_TYPE_LATEST
            return ASGIResponse(body=body, headers={"content-type": content_type})

        return get_metrics

    def format_metrics(self) -> bytes:
        """Return the metrics of this process, or of all processes that share a directory."""
        body: bytes = self._client.generate_latest(self._get_registry())
        return body

    def _build(self, metric: Metric) -> Any:
        options: dict[str, Any] = {"registry": self._registry}
        if metric.kind == "counter":
            kind = self._client.Counter
        elif metric.kind == "duration":
            kind = self._client.Histogram
            options["buckets"] = _BUCKETS
        else:
            kind = self._client.Gauge
            options["multiprocess_mode"] = _GAUGE_MODES[metric.kind]
        return kind(metric.prometheus_name, metric.help, metric.labels, **options)

    def _get_registry(self) -> Any:
        if not _is_shared():
            return self._registry
        from prometheus_client.multiprocess import MultiProcessCollector

        directory = Path(os.environ[_DIRECTORY])
        _forget_dead_processes(directory)
        registry = self._client.CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types
        registry.register(_WorkerCollector(directory))
        return registry


class _WorkerCollector:
    """Sums the processor time, memory and files of all worker processes.

    :param directory: the directory that the processes share.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> list[Any]:
        """Return the sum of each metric; for the start time, return the earliest one."""
        found: dict[str, Any] = {}
        for pid in _list_processes(self._directory):
            for family in _collect_process_metrics(pid):
                if family.name not in found:
                    found[family.name] = family
                    continue
                (known,), (sample,) = found[family.name].samples, family.samples
                combine = min if "start_time" in family.name else _add
                value = combine(known.value, sample.value)
                found[family.name].samples = [known._replace(value=value)]
        return list(found.values())


def _collect_process_metrics(pid: int) -> Iterable[Any]:
    client = _import_client()
    families: Iterable[Any] = client.ProcessCollector(pid=lambda: pid, registry=None).collect()
    return families


def _add(one: float, other: float) -> float:
    return one + other


def _list_processes(directory: Path) -> set[int]:
    numbers = {path.stem.rpartition("_")[2] for path in directory.glob("*.db")}
    return {int(text) for text in numbers if text.isdigit() and _is_alive(int(text))}


def _forget_dead_processes(directory: Path) -> None:
    """Remove the gauges of workers that have ended; the sums still include their counters."""
    from prometheus_client.multiprocess import mark_process_dead

    for path in directory.glob("gauge_live*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            mark_process_dead(int(pid), str(directory))  # type: ignore[no-untyped-call]  # as above


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # os.kill would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_shared() -> bool:
    return _DIRECTORY in os.environ


def _import_client() -> Any:
    try:
        import prometheus_client
    except ImportError:
        raise ConfigError(
            "Server(metrics=True) needs the package prometheus-client, which is not installed.",
            'Install it: pip install "mastra-server[metrics]".',
        ) from None
    return prometheus_client
