"""Execute runs in a process that its platform freezes between two requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

from mastra_core.errors import StorageError
from mastra_core.freezing import get_background_role, get_deferral, hold_response
from mastra_core.logger import get_logger
from mastra_core.override import override
from mastra_core.workflows.durable.dispatcher import DispatcherSettings
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.process_dispatcher import ProcessDispatcher
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("FreezableDispatcher",)


class FreezableDispatcher(ProcessDispatcher):
    """Claims runs only while a request waits, because the process is frozen between two requests.

    The lease may end while the process is frozen, so each claim renews the lease.

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
        super().__init__(store, settings, workflows, runs)
        self._role = get_background_role()
        self._claim_tasks: set[asyncio.Task[None]] = set()  # that a request waits for
        self._is_closing = False

    @override
    async def close(self) -> None:
        self._is_closing = True
        await super().close()

    @override
    async def _stop_tasks(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        await super()._stop_tasks([*tasks, *self._claim_tasks])

    @override
    async def _release_lease(self) -> None:
        # A step that takes longer than a background function may would be repeated for ever.
        await self._store.release(self.member.id, counts=self._role == "worker")

    @override
    def look_soon(self) -> None:
        super().look_soon()
        if not self._settings.max_concurrency:
            return
        if (deferral := get_deferral()) is not None:
            deferral.has_runs = True
        elif not self._is_closing:  # claim the run before the response ends
            claim = asyncio.create_task(self._try_to_claim_runs())
            self._claim_tasks.add(claim)
            claim.add_done_callback(self._claim_tasks.discard)
            hold_response(claim)

    @override
    def _notice_free_place(self) -> None:
        self.look_soon()

    @override
    async def _prepare_lease(self) -> None:
        await self._store.beat(self.member, self._settings.lease)

    @override
    def _list_jobs(self) -> Sequence[Callable[[], Awaitable[object]]]:
        leaves_runs = self._role == "caller" and not self._followed_runs.has_watched_released_run()
        # No request may wait for a claimed run, or the background function executes the run.
        if leaves_runs or not self._followed_runs.list():
            return (self._followed_runs.refresh, self._purge_runs)
        return super()._list_jobs()

    @override
    async def _claim_runs(self) -> None:
        await self._prepare_lease()
        await super()._claim_runs()

    async def _try_to_claim_runs(self) -> None:
        try:
            await self._claim_runs()
        except StorageError as error:
            get_logger("mastra.workflows").error("durable runs wait: %s", error)
