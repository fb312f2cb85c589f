"""Execute durable runs, and look for further runs in the store."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from mastra_core.errors import StorageError
from mastra_core.freezing import hold_response
from mastra_core.logger import get_logger
from mastra_core.telemetry import leave_request
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.execution import Execution, ExecutionLimits
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.followed_runs import FollowedRuns
from mastra_core.workflows.durable.heartbeat import identify_machine
from mastra_core.workflows.durable.run_claims import RunClaims
from mastra_core.workflows.durable.run_load import LoadMonitor
from mastra_core.workflows.durable.store.run_rows import Member, RunRow
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("ERROR_INTERVAL", "Dispatcher", "DispatcherSettings", "LookTimes")

ERROR_INTERVAL = 1.0  # seconds until the store is used again after an error
_ORPHAN_INTERVAL = 1.0
_PURGE_INTERVAL = 60.0
_PURGE_SIZE = 500
_PENDING_AGE = 24 * 3600  # seconds for which a run that never starts is kept


class DispatcherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings for the execution of runs in one process.

    :param name: the name of the process.
    :param max_concurrency: the maximum number of runs that the process executes at a time.
    :param lease: the seconds after which a process that does not report counts as dead.
    :param max_age: the seconds for which a finished run is kept.
    :param limits: the limits of each execution.
    """

    name: str
    max_concurrency: int
    lease: float
    max_age: float
    limits: ExecutionLimits


class LookTimes(msgspec.Struct):
    """When to repeat expensive queries, as values of ``time.monotonic()``.

    :param next_orphans: the time of the next search for the runs of dead processes.
    :param next_purge: the time of the next search for old runs.
    """

    next_orphans: float = 0.0
    next_purge: float = 0.0


class Dispatcher(abc.ABC):
    """Executes runs, and claims further runs from the store.

    A subclass decides when to look at the store, and how other processes notice that this one has
    ended.

    :param store: the store.
    :param settings: the settings.
    :param workflows: the workflows that this process knows.
    :param runs: the handles of runs that callers still use, by key.
    :param looks: when to repeat the expensive searches of the store.
    """

    def __init__(
        self,
        store: RunStore,
        settings: DispatcherSettings,
        workflows: KnownWorkflows,
        runs: WeakValueDictionary[int, DurableRun],
        looks: LookTimes,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._store, self._settings, self._workflows = store, settings, workflows
        self._runs, self._looks = runs, looks
        name = settings.name or f"{socket.gethostname()}-{os.getpid()}"
        self.member = Member(
            id=f"{name}-{os.urandom(6).hex()}",
            name=name,
            machine=identify_machine(),
            process=os.getpid(),
        )
        self.monitor = LoadMonitor(store)
        self._executions: dict[int, Execution] = {}
        self._followed_runs = self._create_followed_runs()
        self._claims = self._create_claims()
        self._kicked = asyncio.Event()

    def _create_followed_runs(self) -> FollowedRuns:
        return FollowedRuns(self._store, self._runs, self._executions)

    def _create_claims(self) -> RunClaims:
        concurrency = self._settings.max_concurrency
        return RunClaims(self._store, self._workflows, self._executions, concurrency)

    @abc.abstractmethod
    def look_soon(self) -> None:
        """Check the store soon; called when a run waits in the store."""

    @abc.abstractmethod
    async def continue_runs(self) -> None:
        """Execute the runs that are due or whose process died, until each has ended or waits."""

    @abc.abstractmethod
    async def announce(self) -> None:
        """Notify other processes of the workflows that this process executes.

        :raises StorageError: when the database cannot be used.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Stop the runs of this process, and let other processes continue them."""

    @abc.abstractmethod
    def _follow(self) -> None:
        """Read the events of a run that a caller watches."""

    @abc.abstractmethod
    async def _prepare_lease(self) -> None:
        """Begin the lease of the process; called before the process holds a run."""

    @abc.abstractmethod
    def _list_jobs(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """Return the work of one look at the store, in order."""

    @abc.abstractmethod
    async def _claim_orphans(self) -> None:
        """Execute the runs of processes that have ended."""

    @contextlib.asynccontextmanager
    async def reserve(self, workflow: Workflow, fingerprint: str) -> AsyncIterator[str]:
        """Reserve a place for a run until the block ends.

        :param workflow: the workflow of the run.
        :param fingerprint: the fingerprint with which the run is executed.
        :returns: the id of this process, or an empty text if the run must wait in the queue.
        """
        with self._claims.reserve():
            if self._claims.must_wait(workflow, fingerprint):
                yield ""
            else:
                await self._prepare_lease()
                yield self.member.id

    def get_run(self, workflow: Workflow, row: RunRow) -> DurableRun:
        """Return the handle of a run.

        :param workflow: the workflow.
        :param row: the run in the store.
        """
        run = self._runs.get(row.id)
        if run is None:
            known = self._workflows.find(row.fingerprint, workflow)
            run = self._runs[row.id] = DurableRun(known, row, self._store, self._follow)
        return run

    def execute(self, run: DurableRun, row: RunRow, context: dict[str, Any]) -> None:
        """Execute a run that this process holds.

        :param run: the run.
        :param row: the run in the store.
        :param context: the request context of the steps.
        """
        earlier = self._executions.get(run.key)
        if earlier is not None:
            earlier.abandon()
        execution = Execution(
            self._store,
            run,
            row,
            context,
            self._settings.limits,
            on_child=self.look_soon,
            on_end=self._remove_execution,
        )
        self._executions[run.key] = execution
        self._followed_runs.mark_executed(run)
        run.workflow = self._workflows.find(row.fingerprint, run.workflow)
        run.is_executed = True
        execution.start()
        if execution.task is not None:
            hold_response(execution.task)

    def find_execution(self, row: RunRow) -> Execution | None:
        """Return the execution of a run in this process, or ``None`` if there is none.

        :param row: the run in the store.
        """
        execution = self._executions.get(row.id)
        is_present = execution is not None and execution.row.attempt == row.attempt
        return execution if is_present else None

    async def has_waiting_runs(self) -> bool:
        """Return whether this process could execute a due run, or a run of a dead process.

        :raises StorageError: when the database cannot be used.
        """
        has_claimable = self._claims.has_claimable
        is_due = await has_claimable(self.member, orphans=False)
        return is_due or await has_claimable(self.member, orphans=True)

    def stop_execution(self, run: DurableRun) -> None:
        """Stop the execution of a run in this process, if there is one.

        :param run: the run.
        """
        execution = self._executions.get(run.key)
        if execution is not None:
            execution.abandon()

    def _remove_execution(self, execution: Execution) -> None:
        if self._executions.get(execution.run.key) is execution:
            is_awaited = (
                len(self._executions) >= self._settings.max_concurrency
                or execution.run.workflow.concurrency is not None
                or execution.row.parent is not None
            )
            del self._executions[execution.run.key]
            execution.run.is_executed = False
            if is_awaited:
                self._notice_free_place()

    def _notice_free_place(self) -> None:
        """Check the store soon, because other runs may wait for the place of an ended run."""
        self._kicked.set()

    async def _look(self) -> bool:
        """Check the store once for changes by other processes and for runs to execute.

        :returns: whether the store could be used.
        """
        is_complete = True
        for work in self._list_jobs():
            try:
                await work()
            except StorageError as error:
                get_logger("mastra.workflows").error("durable runs wait: %s", error)
                is_complete = False
                await asyncio.sleep(ERROR_INTERVAL)
            except Exception:  # noqa: BLE001  # one damaged run must not stop the others
                get_logger("mastra.workflows").exception("durable runs wait")
                is_complete = False
                await asyncio.sleep(ERROR_INTERVAL)
        return is_complete

    async def _claim_runs(self) -> None:
        await self._claim(orphans=False)
        if time.monotonic() >= self._looks.next_orphans:
            self._looks.next_orphans = time.monotonic() + _ORPHAN_INTERVAL
            await self._claim_orphans()

    async def _release_lost_runs(self) -> None:
        await self._claims.release_lost_runs(self.member, _ORPHAN_INTERVAL / 2)

    async def _claim(self, *, orphans: bool) -> None:
        for row in await self._claims.claim(self.member, orphans=orphans):
            if orphans:
                self.monitor.count_takeover()
                get_logger("mastra.workflows").warning(
                    "run %s was taken over from a process that has ended", row.run_id
                )
            run = self.get_run(self._workflows.fingerprints[row.fingerprint], row)
            with leave_request():  # the request that looks is not the one that started the run
                self.execute(run, row, msgspec.json.decode(row.context))

    async def _purge_runs(self) -> None:
        if time.monotonic() < self._looks.next_purge:
            return
        now = get_timestamp_ms()
        count = await self._store.purge(
            finished_before=now - int(self._settings.max_age * 1000),
            pending_before=now - _PENDING_AGE * 1000,
            limit=_PURGE_SIZE,
        )
        self._looks.next_purge = time.monotonic() + (0 if count == _PURGE_SIZE else _PURGE_INTERVAL)
