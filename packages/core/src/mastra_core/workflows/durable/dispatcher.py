"""Execute the runs of this process, and look for further runs in the store."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from mastra_core.errors import StorageError
from mastra_core.freezing import (
    collect_tasks,
    freezes_between_requests,
    get_background_role,
    get_deferral,
    hold_response,
)
from mastra_core.logger import get_logger
from mastra_core.request_scope import is_being_cancelled
from mastra_core.telemetry import leave_request
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.execution import Execution, ExecutionLimits
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.followed_runs import FollowedRuns
from mastra_core.workflows.durable.heartbeat import (
    Heartbeat,
    find_dead_members,
    identify_machine,
)
from mastra_core.workflows.durable.run_claims import RunClaims
from mastra_core.workflows.durable.run_load import LoadMonitor
from mastra_core.workflows.durable.schedules.scheduler import Scheduler
from mastra_core.workflows.durable.store.run_rows import Member, RunRow
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Dispatcher", "DispatcherSettings", "LookTimes")

_BUSY_INTERVAL = 0.1  # seconds between two looks at the store while runs are executed or watched
_IDLE_INTERVAL = 0.25
_ORPHAN_INTERVAL = 1.0
_PURGE_INTERVAL = 60.0
_PURGE_SIZE = 500
_PENDING_AGE = 24 * 3600  # seconds for which a run that never starts is kept
_ERROR_INTERVAL = 1.0
_RELEASE_TIMEOUT = 5.0


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


class Dispatcher:
    """Executes runs in one event loop, from ``open`` to ``close``.

    :param store: the store.
    :param settings: the settings.
    :param workflows: the workflows that this process knows.
    :param runs: the handles of runs that callers still use, by key.
    :param looks: when to repeat the expensive searches of the store; by default not shared with
        other dispatchers.
    """

    def __init__(
        self,
        store: RunStore,
        settings: DispatcherSettings,
        workflows: KnownWorkflows,
        runs: WeakValueDictionary[int, DurableRun],
        looks: LookTimes | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._store, self._settings, self._workflows = store, settings, workflows
        self._runs = runs
        name = settings.name or f"{socket.gethostname()}-{os.getpid()}"
        self.member = Member(
            id=f"{name}-{os.urandom(6).hex()}",
            name=name,
            machine=identify_machine(),
            process=os.getpid(),
        )
        self.monitor = LoadMonitor(store)
        self._executions: dict[int, Execution] = {}
        self._followed_runs = FollowedRuns(store, runs, self._executions)
        self._claims = RunClaims(store, workflows, self._executions, settings.max_concurrency)
        self._heartbeat: Heartbeat | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._kicked = asyncio.Event()
        self._looks = LookTimes() if looks is None else looks
        self._scheduler = Scheduler(store, workflows.current, self.member.id)
        self._claim_tasks: set[asyncio.Task[None]] = set()  # that a request waits for
        self._is_closing = False
        self._freezes = freezes_between_requests() and not store.single_process
        self._role = get_background_role() if self._freezes else ""

    def look_soon(self) -> None:
        """Check the store soon; called when a run waits in the store."""
        if not self._settings.max_concurrency:
            return
        self._kicked.set()
        self._claim_before_freeze()

    def _claim_before_freeze(self) -> None:
        """Claim runs before the response ends, on platforms that freeze the process after it."""
        if (deferral := get_deferral()) is not None:
            deferral.has_runs = True
        elif self._freezes and not self._is_closing:
            claim = asyncio.create_task(self._try_to_claim_runs())
            self._claim_tasks.add(claim)
            claim.add_done_callback(self._claim_tasks.discard)
            hold_response(claim)

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

    async def _prepare_lease(self) -> None:
        """Begin the lease of the process; called before the process holds a run."""
        if self._freezes:
            await self._renew_frozen_lease()

    async def _renew_frozen_lease(self) -> None:
        """Renew a lease that may have ended while the process was frozen."""
        await self._store.beat(self.member, self._settings.lease)

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

    def _follow(self) -> None:
        """Do nothing, because this dispatcher reads all watched runs from the store regularly."""

    async def announce(self) -> None:
        """Notify other processes of the workflows that this process executes.

        :raises StorageError: when the database cannot be used.
        """
        if self._store.single_process:
            return
        is_worker = self._settings.max_concurrency > 0
        fingerprints = tuple(self._workflows.fingerprints) if is_worker else ()
        self.member = msgspec.structs.replace(self.member, fingerprints=fingerprints)
        if self._heartbeat is not None:
            self._heartbeat.member = self.member
        await self._workflows.store_descriptions()
        await self._store.beat(self.member, self._settings.lease)

    async def open(self) -> None:
        """Connect, report this process, and begin to execute runs that are due.

        :raises StorageError: when the database cannot be used.
        """
        await self._store.open()
        if not self._store.single_process:
            await self.announce()
            self._heartbeat = Heartbeat(self._store.copy(), self.member, self._settings.lease)
            self._heartbeat.start()
        for work in (self._watch(), self._listen()):
            # Without a new context, the trace of the request that connects first would get the
            # spans of all later looks.
            context = contextvars.Context()
            task = asyncio.create_task(work, name="durable runs", context=context)
            self._tasks.append(task)

    async def close(self) -> None:
        """Stop the runs of this process, and let other processes continue them."""
        self._is_closing = True
        if self.loop is asyncio.get_running_loop():  # a loop that has ended has no tasks
            await self._stop_tasks()
        await self._stop_heartbeat()
        # Without a release, the lease ends by itself.
        with contextlib.suppress(StorageError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT):
                # Otherwise a step that takes longer than a background function may would be
                # repeated for ever.
                await self._store.release(self.member.id, counts=self._role == "worker")

    async def _stop_tasks(self) -> None:
        tasks = [*self._tasks, *self._claim_tasks]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        executions = [*self._executions.values()]
        await asyncio.gather(*(execution.release() for execution in executions))

    async def _stop_heartbeat(self) -> None:
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            await asyncio.to_thread(heartbeat.stop)

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

    async def continue_runs(self) -> None:
        """Execute the runs that are due or whose process died, until each has ended or waits."""
        with collect_tasks() as tasks:
            await self._claim_runs(now=True)
            while pending := [task for task in tasks if not task.done()]:
                await asyncio.wait(pending)

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
                self._kicked.set()  # other runs may wait
                self._claim_before_freeze()

    async def _watch(self) -> None:
        try:
            while not is_being_cancelled():
                await self._look()
                interval = _BUSY_INTERVAL if self._followed_runs.list() else _IDLE_INTERVAL
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(interval):
                        await self._kicked.wait()
                self._kicked.clear()
        finally:  # also at the end of an event loop in which nobody has closed the engine
            if self._heartbeat is not None:
                self._heartbeat.request_stop()

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
                await asyncio.sleep(_ERROR_INTERVAL)
            except Exception:  # noqa: BLE001  # one damaged run must not stop the others
                get_logger("mastra.workflows").exception("durable runs wait")
                is_complete = False
                await asyncio.sleep(_ERROR_INTERVAL)
        return is_complete

    def _list_jobs(self) -> Sequence[Callable[[], Awaitable[None]]]:
        follow_runs = self._followed_runs.refresh
        if self._freezes and not self._followed_runs.list():
            return (follow_runs, self._purge_runs)  # no request may wait for a claimed run
        if self._role == "caller" and not self._followed_runs.has_watched_released_run():
            return (follow_runs, self._purge_runs)  # the worker executes other runs
        return (
            self._fire_schedules,
            follow_runs,
            self._claim_runs,
            self._purge_runs,
            self.monitor.measure,
        )

    async def _fire_schedules(self) -> None:
        await self._scheduler.fire_due()  # before the claim, which finds the started runs

    async def _listen(self) -> None:
        """Check the store as soon as another process notifies this process of changed runs."""
        while not is_being_cancelled():
            try:
                async for _ in self._store.listen():
                    self._kicked.set()
                return
            except StorageError:  # the watcher reports it
                await asyncio.sleep(_ERROR_INTERVAL)

    async def _claim_runs(self, *, now: bool = False) -> None:
        if self._freezes:
            await self._renew_frozen_lease()
        await self._claim(orphans=False)
        if time.monotonic() < self._looks.next_orphans and not now:
            return
        self._looks.next_orphans = time.monotonic() + _ORPHAN_INTERVAL
        await self._claim_orphans()

    async def _try_to_claim_runs(self) -> None:
        try:
            await self._claim_runs()
        except StorageError as error:
            get_logger("mastra.workflows").error("durable runs wait: %s", error)

    async def _claim_orphans(self) -> None:
        await self._release_lost_runs()
        if self._store.single_process:
            return
        dead = find_dead_members(await self._store.list_members(), self.member.machine)
        if dead:
            await self._store.remove_members([member.id for member in dead])
        await self._claim(orphans=True)
        await self._workflows.park_others(self.member.fingerprints)

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
