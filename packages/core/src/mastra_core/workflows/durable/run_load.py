"""Measure how many runs of a database wait for a process."""

from __future__ import annotations

import math
import time

import msgspec

from mastra_core.metrics.definitions import (
    WORKFLOW_OLDEST_QUEUED_RUN,
    WORKFLOW_PARKED_RUNS,
    WORKFLOW_QUEUED_RUNS,
    WORKFLOW_TAKEOVERS,
)
from mastra_core.metrics.recording import record
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("LoadMonitor", "RunLoad")

_INTERVAL = 5.0  # seconds


class RunLoad(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a database that wait for a process, as measured a few seconds ago.

    :param queued: the number of runs that are due, and that no process executes.
    :param oldest: the time at which the longest-waiting run began to wait, in milliseconds since
        the epoch; ``None`` if no run waits.
    :param parked: the number of runs that no living process can execute.
    :param takeovers: how many runs this process has taken over from processes that had ended.
    """

    queued: int = 0
    oldest: int | None = None
    parked: int = 0
    takeovers: int = 0


class LoadMonitor:
    """Measures the load of a database every five seconds.

    :param store: the store.

    ``load`` is the last result.
    """

    def __init__(self, store: RunStore) -> None:
        self.load = RunLoad()
        self._store = store
        self._next = 0.0

    def count_takeover(self) -> None:
        """Count a run that this process has taken over from a dead process."""
        record(WORKFLOW_TAKEOVERS, 1)
        takeovers = self.load.takeovers + 1
        self.load = msgspec.structs.replace(self.load, takeovers=takeovers)

    async def measure(self) -> None:
        """Measure the load, unless the last measurement is less than five seconds old."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _INTERVAL
        backlog = await self._store.measure_backlog()
        load = RunLoad(
            queued=backlog.due,
            oldest=backlog.oldest,
            parked=sum(runs.count for runs in backlog.parked),
            takeovers=self.load.takeovers,
        )
        self.load = load
        record(WORKFLOW_QUEUED_RUNS, load.queued)
        record(WORKFLOW_PARKED_RUNS, load.parked)
        since = math.inf if load.oldest is None else load.oldest / 1000
        record(WORKFLOW_OLDEST_QUEUED_RUN, since)
