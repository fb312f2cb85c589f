"""Execute durable runs within one request, on platforms whose event loop ends with each request."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from mastra_core.errors import StorageError
from mastra_core.override import override
from mastra_core.request_scope import get_current_request, keep_alive
from mastra_core.workflows.durable.dispatcher import (
    Dispatcher,
    DispatcherSettings,
    LookTimes,
)
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.execution import Execution
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.followed_runs import FollowedRuns
from mastra_core.workflows.durable.run_claims import RunClaims
from mastra_core.workflows.durable.store.run_rows import RunRow
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("RequestDispatcher",)

# Seconds between two looks at the store; each takes queries, whose number is limited.
_MIN_INTERVAL, _MAX_INTERVAL = 0.05, 1.0
_MAX_FAILURES = 3  # failed looks in sequence, after which a request without runs looks no more
_BEATS = 4  # reports for each lease
_MAX_TAKEN_UP = 2  # runs that a request takes over at a time, because its queries are limited
_MAX_FAILED_LOOKS = 5  # failed looks in sequence, after which the request gives up its runs


class RequestDispatcher(Dispatcher):
    """Executes runs until each has ended or waits, and reads the events of other runs for callers.

    Each request counts as a process, because another request can neither wake nor stop its tasks.
    When a dispatcher first looks at the store, it takes over due runs, and runs whose request was
    lost.

    :param store: the store.
    :param settings: the settings.
    :param workflows: the workflows that this process knows.
    :param looks: when to repeat the expensive searches of the store; shared by all requests of the
        process.
    """

    def __init__(
        self,
        store: RunStore,
        settings: DispatcherSettings,
        workflows: KnownWorkflows,
        looks: LookTimes,
    ) -> None:
        super().__init__(store, settings, workflows, WeakValueDictionary(), looks)
        self._task: asyncio.Task[None] | None = None
        self._next_report, self._has_reported = 0.0, False

    @override
    def _create_followed_runs(self) -> FollowedRuns:
        return FollowedRuns(self._store, self._runs, self._executions, has_parking=False)

    @override
    def _create_claims(self) -> RunClaims:
        return RunClaims(
            self._store,
            self._workflows,
            self._executions,
            self._settings.max_concurrency,
            max_claimed=_MAX_TAKEN_UP,
            on_claim=self._report,
        )

    @property
    def is_usable(self) -> bool:
        """Whether the event loop of the dispatcher is running."""
        return self.loop is asyncio.get_running_loop()

    @override
    async def announce(self) -> None:
        await self._workflows.store_descriptions()

    @override
    async def _prepare_lease(self) -> None:
        if time.monotonic() >= self._next_report:
            await self._report()

    @override
    def execute(self, run: DurableRun, row: RunRow, context: dict[str, Any]) -> None:
        super().execute(run, row, context)
        self.look_soon()

    @override
    def look_soon(self) -> None:
        self._kicked.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="durable runs")
            keep_alive(self._task)

    @override
    async def continue_runs(self) -> None:
        self._looks.next_orphans = 0.0
        self.look_soon()
        if self._task is not None:
            await asyncio.wait([self._task])

    @override
    def _follow(self) -> None:
        self.look_soon()

    @override
    async def close(self) -> None:
        if self._task is not None and self.is_usable:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        """Query the store repeatedly, while this request executes or watches a run."""
        interval, failures = _MIN_INTERVAL, 0
        try:
            while True:
                self._kicked.clear()
                failures = 0 if await self._look() else failures + 1
                if failures >= _MAX_FAILED_LOOKS:
                    self._give_up()
                    return
                is_needed = self._followed_runs.list() or self._kicked.is_set()
                if not is_needed and not 0 < failures < _MAX_FAILURES:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(interval):
                        await self._kicked.wait()
                interval = min(2 * interval, _MAX_INTERVAL, self._settings.lease / _BEATS)
        finally:
            self._task = None
            executions = [*self._executions.values()]  # there are some after a cancellation only
            await asyncio.gather(*(execution.release() for execution in executions))

    def _give_up(self) -> None:
        """End all waits of this request with an error; other requests continue its runs."""
        error = StorageError(
            "This request can no longer reach the database.",
            "Send the request again. The new request continues the run.",
        )
        for run in self._followed_runs.list().values():
            run.fail(error)
        for execution in [*self._executions.values()]:
            execution.abandon()

    @override
    def _remove_execution(self, execution: Execution) -> None:
        super()._remove_execution(execution)
        self._kicked.set()  # without executions, the work may end

    @override
    def _list_jobs(self) -> Sequence[Callable[[], Awaitable[object]]]:
        return (self._renew_lease, self._followed_runs.refresh, self._claim_runs, self._purge_runs)

    async def _renew_lease(self) -> None:
        if self._executions and time.monotonic() >= self._next_report:
            await self._report()

    async def _report(self) -> None:
        fingerprints = tuple(self._workflows.fingerprints)
        self.member = msgspec.structs.replace(self.member, fingerprints=fingerprints)
        await self._store.beat(self.member, self._settings.lease)
        self._next_report = time.monotonic() + self._settings.lease / _BEATS
        request = get_current_request()
        if request is not None and not self._has_reported:
            self._has_reported = True
            request.on_end(self._end_lease)

    async def _end_lease(self) -> None:
        await self._store.release(self.member.id)

    @override
    async def _claim(self, *, orphans: bool) -> None:
        await super()._claim(orphans=orphans)
        self._claims.forget_backlog()  # a run that this request starts does not wait for these

    @override
    async def _claim_orphans(self) -> None:
        if self._executions:  # otherwise the lease ends soon
            await self._release_lost_runs()
        await self._claim(orphans=True)
