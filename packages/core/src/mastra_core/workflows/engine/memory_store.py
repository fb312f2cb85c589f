"""A store for runs in memory, with limits.

The time of each operation does not depend on the number of runs, except when runs are listed.
"""

from __future__ import annotations

from mastra_core.agents.suspended_runs import build_ambiguity
from mastra_core.errors import TooManyRuns
from mastra_core.limits.caller_cache import CallerCache
from mastra_core.limits.shares import Shares
from mastra_core.workflows.engine.memory_run import BLOCK_SIZE, MemoryRun
from mastra_core.workflows.engine.run_events import RunFinished

__all__ = ("MemoryStore",)

# The ids of workflow and run, and the resource that the creator is confined to.
_Key = tuple[str, str, str]


class MemoryStore:
    """The unfinished runs, and the most recently finished runs.

    :param max_finished: the maximum number of finished runs that are kept.
    :param max_age: the seconds for which a finished run is kept.
    :param max_unfinished: the maximum number of pending, running and suspended runs.
    :param max_bytes: the maximum total size of the finished runs; the same maximum applies to the
        unfinished runs.
    """

    def __init__(
        self, max_finished: int, max_age: float, max_unfinished: int, max_bytes: int
    ) -> None:
        self._unfinished: dict[_Key, MemoryRun] = {}
        # The unfinished runs without a start, by caller, oldest first.
        self._pending: dict[str, dict[_Key, None]] = {}
        self._finished: CallerCache[_Key, MemoryRun] = CallerCache(
            max_finished, max_bytes, max_age, self._forget
        )
        self._by_workflow: dict[str, dict[_Key, MemoryRun]] = {}
        # The scopes of confined creators, by the ids of workflow and run.
        self._scopes: dict[tuple[str, str], dict[str, None]] = {}
        self._places = Shares(max_unfinished)
        self._bytes = Shares(max_bytes)

    def get_runs(self, workflow_id: str) -> list[MemoryRun]:
        """Return the runs of a workflow.

        :param workflow_id: the id of the workflow.
        """
        self._finished.remove_expired()
        return [*self._by_workflow.get(workflow_id, {}).values()]

    @property
    def unfinished_runs(self) -> list[MemoryRun]:
        """The runs that have not finished."""
        return [*self._unfinished.values()]

    def find(self, workflow_id: str, run_id: str) -> MemoryRun | None:
        """Return a run, or ``None``; prefer a run whose creator is not confined to a resource.

        :param workflow_id: the id of the workflow.
        :param run_id: the id of the run.
        :raises Conflict: when creators that are confined to different resources have a run with
            this id.
        """
        if run := self._get((workflow_id, run_id, "")):
            return run
        scopes = self._scopes.get((workflow_id, run_id), ())
        found = [run for scope in scopes if (run := self._get((workflow_id, run_id, scope)))]
        if len(found) > 1:
            raise build_ambiguity(run_id)
        return found[0] if found else None

    def find_in_scope(self, workflow_id: str, run_id: str, scope: str) -> MemoryRun | None:
        """Return a run that a caller may access, or ``None`` if there is none.

        :param workflow_id: the id of the workflow.
        :param run_id: the id of the run.
        :param scope: the resource that the caller is confined to; empty for a caller that is not
            confined.
        """
        if run := self._get((workflow_id, run_id, scope)):
            return run
        run = self._get((workflow_id, run_id, ""))
        return run if run is not None and run.record.resource_id == scope else None

    def _get(self, key: _Key) -> MemoryRun | None:
        return self._unfinished.get(key) or self._finished.get(key)

    def add(self, run: MemoryRun) -> None:
        """Add a run that has not started yet.

        :param run: the run.
        :raises TooManyRuns: when the caller has too many unfinished runs that have started, or
            they take too much memory.
        """
        try:
            self._acquire(run)
        except TooManyRuns:
            self._remove_pending_run(run.caller)
            self._acquire(run)
        self._pending.setdefault(run.caller, {})[run.key] = None

    def mark_started(self, run: MemoryRun) -> None:
        """Count a run as unfinished, at its start or at a later execution.

        :param run: the run.
        :raises TooManyRuns: when the caller has too many unfinished runs, or they take too much
            memory.
        """
        self._remove_from_pending(run)
        if run.key in self._unfinished:
            return
        self._acquire(run)
        self._finished.pop(run.key)

    def reserve(self, run: MemoryRun, size: int) -> None:
        """Change the number of bytes that are counted for an unfinished run.

        :param run: the run.
        :param size: the bytes that the run takes; the store rounds the number up if it has room.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        if run.key in self._unfinished:
            self._reserve(run, size)

    def mark_finished(self, run: MemoryRun) -> None:
        """Count a run as finished.

        :param run: the run.
        """
        if self._release(run):
            self._finished.put(run.key, run, run.caller, run.size)

    def remove(self, run: MemoryRun) -> None:
        """Remove a run; cancel an unfinished run first, so that its readers stop waiting.

        :param run: the run.
        """
        if not run.record.is_finished:
            run.add_event(RunFinished(status="canceled"))
        self._release(run)
        self._finished.pop(run.key)
        self._forget(run)

    def _acquire(self, run: MemoryRun) -> None:
        """Add a run to the unfinished runs."""
        if not self._places.fits(run.caller):
            raise self._build_error()
        self._reserve(run, run.size)
        self._places.hold(run.caller)
        self._unfinished[run.key] = run
        self._by_workflow.setdefault(run.key[0], {})[run.key] = run
        if scope := run.key[2]:
            self._scopes.setdefault(run.key[:2], {})[scope] = None

    def _reserve(self, run: MemoryRun, size: int) -> None:
        rounded = -(-size // BLOCK_SIZE) * BLOCK_SIZE
        if rounded < run.reserved:
            self._bytes.release(run.caller, run.reserved - rounded)
        elif not self._bytes.try_acquire(run.caller, rounded - run.reserved):
            rounded = max(size, run.reserved)
            if not self._bytes.try_acquire(run.caller, rounded - run.reserved):
                raise self._build_size_error(rounded - run.reserved)
        run.reserved = rounded

    def _release(self, run: MemoryRun) -> bool:
        """Remove a run from the unfinished runs, and return whether it was there."""
        self._remove_from_pending(run)
        if self._unfinished.pop(run.key, None) is None:
            return False
        self._places.release(run.caller)
        self._bytes.release(run.caller, run.reserved)
        run.reserved = 0
        return True

    def _forget(self, run: MemoryRun) -> None:
        """Remove a run from the runs of its workflow, and from the scopes."""
        runs = self._by_workflow.get(run.key[0], {})
        if runs.pop(run.key, None) is not None and not runs:
            del self._by_workflow[run.key[0]]
        scope = run.key[2]
        if scope and (scopes := self._scopes.get(run.key[:2])):
            scopes.pop(scope, None)
            if not scopes:
                del self._scopes[run.key[:2]]

    def _remove_from_pending(self, run: MemoryRun) -> None:
        if runs := self._pending.get(run.caller):
            runs.pop(run.key, None)
            if not runs:
                del self._pending[run.caller]

    def _remove_pending_run(self, caller: str) -> None:
        """Remove the oldest run that the caller created but never started."""
        key = next(iter(self._pending.get(caller, {})), None)
        if key is not None:
            self.remove(self._unfinished[key])

    def _build_error(self) -> TooManyRuns:
        return TooManyRuns(
            f"There are {len(self._unfinished)} unfinished runs, and this caller may add no more.",
            "Resume or cancel some runs, or increase MemoryEngine(max_unfinished=...).",
        )

    def _build_size_error(self, amount: int) -> TooManyRuns:
        held = self._bytes.capacity - self._bytes.free
        return TooManyRuns(
            f"The run needs {amount} more bytes, but the unfinished runs take {held} of at most "
            f"{self._bytes.capacity} bytes, and this caller may add no more.",
            "Return smaller values, cancel some runs, or increase MemoryEngine(max_bytes=...).",
        )
