"""A bounded store of the runs in memory.

Except for listing the runs, the cost of each operation is independent of the number of runs.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator

from mastra_core.errors import TooManyRuns
from mastra_core.workflows.engine.memory_run import MemoryRun
from mastra_core.workflows.engine.run_events import RunFinished

__all__ = ("MemoryStore",)

_Key = tuple[str, str]  # ids of workflow and run; runs of two workflows may have the same id


class MemoryStore:
    """The unfinished runs, and the last finished ones.

    :param max_finished: the maximum number of finished runs.
    :param max_age: the seconds for which a finished run is kept.
    :param max_unfinished: the maximum number of pending, running and suspended runs.
    """

    def __init__(self, max_finished: int, max_age: float, max_unfinished: int) -> None:
        self._max_finished = max_finished
        self._max_age = max_age
        self._max_unfinished = max_unfinished
        self._unfinished: dict[_Key, MemoryRun] = {}
        self._pending: dict[_Key, None] = {}  # the unfinished runs without a start, oldest first
        self._finished: OrderedDict[_Key, tuple[float, MemoryRun]] = OrderedDict()

    def __iter__(self) -> Iterator[MemoryRun]:
        self._evict_finished_runs()
        return iter([*self._unfinished.values(), *(run for _, run in self._finished.values())])

    @property
    def unfinished_runs(self) -> list[MemoryRun]:
        """The runs that have not finished."""
        return [*self._unfinished.values()]

    def find(self, key: _Key) -> MemoryRun | None:
        """Return a stored run, or ``None``.

        :param key: the ids of the workflow and the run.
        """
        self._evict_finished_runs()
        _, finished_run = self._finished.get(key, (0, None))
        return self._unfinished.get(key) or finished_run

    def add(self, run: MemoryRun) -> None:
        """Add a run that has not started.

        :param run: the run.
        :raises TooManyRuns: when the store is full of unfinished runs that have started.
        """
        if len(self._unfinished) >= self._max_unfinished:
            self._evict_pending_run()
        self._unfinished[run.key] = run
        self._pending[run.key] = None

    def mark_started(self, run: MemoryRun) -> None:
        """Move a run to the unfinished ones, at its start or at a later execution.

        :param run: the run.
        """
        self._pending.pop(run.key, None)
        self._finished.pop(run.key, None)
        self._unfinished[run.key] = run

    def mark_finished(self, run: MemoryRun) -> None:
        """Move a run to the finished ones.

        :param run: the run.
        """
        self._pending.pop(run.key, None)
        if self._unfinished.pop(run.key, None) is not None:
            self._finished[run.key] = (time.monotonic(), run)
            self._evict_finished_runs()

    def remove(self, run: MemoryRun) -> None:
        """Remove a run; an unfinished one is canceled first, so that its readers stop waiting.

        :param run: the run.
        """
        if not run.record.is_finished:
            run.add_event(RunFinished(status="canceled"))
        for runs in (self._pending, self._unfinished, self._finished):
            runs.pop(run.key, None)

    def _evict_pending_run(self) -> None:
        """Remove the oldest run that was created and never started."""
        if not self._pending:
            raise TooManyRuns(
                f"There are {len(self._unfinished)} unfinished runs, which is the maximum.",
                "Resume or cancel some, or raise MemoryEngine(max_unfinished=...).",
            )
        self.remove(self._unfinished[next(iter(self._pending))])

    def _evict_finished_runs(self) -> None:
        """Remove the finished runs that exceed the maximum age or number."""
        earliest = time.monotonic() - self._max_age
        while self._finished:
            finished_at, _ = next(iter(self._finished.values()))
            if finished_at >= earliest and len(self._finished) <= self._max_finished:
                return
            self._finished.popitem(last=False)
