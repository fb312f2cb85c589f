"""The runs that are in memory: bounded, and none looked at that is not asked for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator

from mastra_core.errors import TooManyRuns
from mastra_core.workflows.engine.memory_run import MemoryRun
from mastra_core.workflows.engine.run_events import RunFinished

__all__ = ("MemoryStore",)

_Key = tuple[str, str]  # ids of workflow and run: callers choose run ids, so two may be equal


class MemoryStore:
    """Unfinished runs, and the last finished ones.

    :param max_finished: finished runs kept.
    :param max_age: seconds a finished run is kept.
    :param max_unfinished: runs that may be pending, running or suspended at once.
    """

    def __init__(self, max_finished: int, max_age: float, max_unfinished: int) -> None:
        self._max_finished = max_finished
        self._max_age = max_age
        self._max_unfinished = max_unfinished
        self._unfinished: dict[_Key, MemoryRun] = {}
        self._pending: dict[_Key, None] = {}  # those of them that have not started, oldest first
        self._finished: OrderedDict[_Key, tuple[float, MemoryRun]] = OrderedDict()

    def __iter__(self) -> Iterator[MemoryRun]:
        self._expire()
        return iter([*self._unfinished.values(), *(run for _, run in self._finished.values())])

    @property
    def unfinished(self) -> list[MemoryRun]:
        """Runs that may still go on."""
        return [*self._unfinished.values()]

    def find(self, key: _Key) -> MemoryRun | None:
        """The run of that key, if it is known."""
        self._expire()
        _, finished = self._finished.get(key, (0, None))
        return self._unfinished.get(key) or finished

    def add(self, run: MemoryRun) -> None:
        """Keep a run that has not started.

        :raises TooManyRuns: when there are too many unfinished ones, and all have started.
        """
        if len(self._unfinished) >= self._max_unfinished:
            self._make_room()
        self._unfinished[run.key] = run
        self._pending[run.key] = None

    def began(self, run: MemoryRun) -> None:
        """A run goes on, for the first time or again."""
        self._pending.pop(run.key, None)
        self._finished.pop(run.key, None)
        self._unfinished[run.key] = run

    def ended(self, run: MemoryRun) -> None:
        """A run is over."""
        self._pending.pop(run.key, None)
        if self._unfinished.pop(run.key, None) is not None:
            self._finished[run.key] = (time.monotonic(), run)
            self._expire()

    def forget(self, run: MemoryRun) -> None:
        """Drop a run; whoever watches it is told that it is over."""
        if not run.record.finished:
            run.note(RunFinished(status="canceled"))
        for known in (self._pending, self._unfinished, self._finished):
            known.pop(run.key, None)

    def _make_room(self) -> None:
        """A run that was created and never started is the cheapest to lose."""
        if not self._pending:
            raise TooManyRuns(
                f"There are {len(self._unfinished)} unfinished runs, the most this server keeps.",
                "Resume or cancel some, or raise MemoryEngine(max_unfinished=...).",
            )
        self.forget(self._unfinished[next(iter(self._pending))])

    def _expire(self) -> None:
        oldest = time.monotonic() - self._max_age
        while self._finished:
            ended, _ = next(iter(self._finished.values()))
            if ended >= oldest and len(self._finished) <= self._max_finished:
                return
            self._finished.popitem(last=False)
