"""Execute the runs of a process that lives longer than a request."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

import msgspec

from mastra_core.errors import StorageError
from mastra_core.freezing import collect_tasks
from mastra_core.override import override
from mastra_core.request_scope import is_being_cancelled
from mastra_core.workflows.durable.dispatcher import (
    ERROR_INTERVAL,
    Dispatcher,
    DispatcherSettings,
    LookTimes,
)
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.heartbeat import Heartbeat, find_dead_members
from mastra_core.workflows.durable.schedules.scheduler import Scheduler
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("ProcessDispatcher",)

_BUSY_INTERVAL = 0.1  # seconds between two looks at the store while runs are executed or watched
_IDLE_INTERVAL = 0.25
_RELEASE_TIMEOUT = 5.0


class ProcessDispatcher(Dispatcher):
    """Executes runs in one event loop, from ``open`` to ``close``.

    :param store: the store.
    :param settings: the settings.
    :param workflows: the workflows that this process knows.
    :param runs: the handles of runs that callers still use, by key.
    """

    def __init__(
        self,
        store: RunStore,
        settings: DispatcherSettings,
        workflows: KnownWorkflows,
        runs: WeakValueDictionary[int, DurableRun],
    ) -> None:
        super().__init__(store, settings, workflows, runs, LookTimes())
        self._scheduler = Scheduler(store, workflows.current, self.member.id)
        self._heartbeat: Heartbeat | None = None
        self._tasks: list[asyncio.Task[None]] = []

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

    @override
    async def announce(self) -> None:
        if self._store.single_process:
            return
        is_worker = self._settings.max_concurrency > 0
        fingerprints = tuple(self._workflows.fingerprints) if is_worker else ()
        self.member = msgspec.structs.replace(self.member, fingerprints=fingerprints)
        if self._heartbeat is not None:
            self._heartbeat.member = self.member
        await self._workflows.store_descriptions()
        await self._store.beat(self.member, self._settings.lease)

    @override
    async def close(self) -> None:
        if self.loop is asyncio.get_running_loop():  # a loop that has ended has no tasks
            await self._stop_tasks(self._tasks)
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            await asyncio.to_thread(heartbeat.stop)
        # Without a release, the lease ends by itself.
        with contextlib.suppress(StorageError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT):
                await self._release_lease()

    async def _stop_tasks(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Cancel tasks, and let other processes continue the runs of this process."""
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        executions = [*self._executions.values()]
        await asyncio.gather(*(execution.release() for execution in executions))

    async def _release_lease(self) -> None:
        await self._store.release(self.member.id)

    @override
    def look_soon(self) -> None:
        if self._settings.max_concurrency:
            self._kicked.set()

    @override
    async def continue_runs(self) -> None:
        self._looks.next_orphans = 0.0
        with collect_tasks() as tasks:
            await self._claim_runs()
            while pending := [task for task in tasks if not task.done()]:
                await asyncio.wait(pending)

    @override
    def _follow(self) -> None:
        pass  # each look reads all watched runs from the store

    @override
    async def _prepare_lease(self) -> None:
        pass  # the heartbeat renews the lease

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

    async def _listen(self) -> None:
        """Check the store as soon as another process notifies this process of changed runs."""
        while not is_being_cancelled():
            try:
                async for _ in self._store.listen():
                    self._kicked.set()
                return
            except StorageError:  # the watcher reports it
                await asyncio.sleep(ERROR_INTERVAL)

    @override
    def _list_jobs(self) -> Sequence[Callable[[], Awaitable[object]]]:
        return (
            self._scheduler.fire_due,  # before the claim, which finds the started runs
            self._followed_runs.refresh,
            self._claim_runs,
            self._purge_runs,
            self.monitor.measure,
        )

    @override
    async def _claim_orphans(self) -> None:
        await self._release_lost_runs()
        if self._store.single_process:
            return
        dead = find_dead_members(await self._store.list_members(), self.member.machine)
        if dead:
            await self._store.remove_members([member.id for member in dead])
        await self._claim(orphans=True)
        await self._workflows.park_others(self.member.fingerprints)
