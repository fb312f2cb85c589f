"""Claim waiting runs from the store, up to the maximum that this process executes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping

from mastra_core.freezing import get_deferral
from mastra_core.workflows.durable.execution import Execution
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.store.run_rows import Member, RunRow
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("RunClaims",)


class RunClaims:
    """Limits how many runs this process executes at a time, and claims runs up to this limit.

    :param store: the store.
    :param workflows: the workflows that this process knows.
    :param executions: the executions of this process, by the key of their run.
    :param max_concurrency: the maximum number of runs that the process executes at a time.
    :param max_claimed: the process claims runs only while it executes fewer runs than this; by
        default ``max_concurrency``.
    :param on_claim: awaited before the process claims a run that it has found.
    """

    def __init__(
        self,
        store: RunStore,
        workflows: KnownWorkflows,
        executions: Mapping[int, Execution],
        max_concurrency: int,
        *,
        max_claimed: int | None = None,
        on_claim: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store, self._workflows, self._executions = store, workflows, executions
        self._max_concurrency = max_concurrency
        self._max_claimed = max_concurrency if max_claimed is None else max_claimed
        self._on_claim = on_claim
        self._has_backlog = False
        self._reserved = 0  # places of runs that start, or are claimed, at this moment
        self._lock = asyncio.Lock()
        # Since when runs are held without an execution, by their key and attempt.
        self._unknown: dict[tuple[int, int], float] = {}

    @contextlib.contextmanager
    def reserve(self, count: int = 1) -> Iterator[None]:
        """Reserve places until the block ends, so that no other run gets them.

        :param count: the number of places.
        """
        self._reserved += count
        try:
            yield
        finally:
            self._reserved -= count

    def must_wait(self, workflow: Workflow, fingerprint: str) -> bool:
        """Return whether a run with a reserved place must wait in the queue.

        A run must wait if the process has no workflow with the run's fingerprint, or already
        executes the maximum number of runs. It also waits if other runs wait already, if its
        workflow has a maximum of concurrent runs, or if the request leaves its runs to a background
        function.

        :param workflow: the workflow of the run.
        :param fingerprint: the fingerprint with which the run is executed.
        """
        if fingerprint not in self._workflows.fingerprints:
            return True
        is_over_full = len(self._executions) + self._reserved > self._max_concurrency
        self._has_backlog = self._has_backlog or is_over_full
        is_limited = workflow.id in self._list_limits()
        return self._has_backlog or is_limited or get_deferral() is not None

    def forget_backlog(self) -> None:
        """Allow new runs to start without a wait in the queue."""
        self._has_backlog = False

    async def has_claimable(self, member: Member, *, orphans: bool) -> bool:
        """Return whether the process could execute a run that is in the store.

        :param member: this process.
        :param orphans: ``True`` to look for runs of dead processes, ``False`` to look for due runs.
        :raises StorageError: when the database cannot be used.
        """
        ids = self._list_ids()
        return bool(ids) and await self._store.has_claimable(
            member, ids, orphans=orphans, concurrency=self._list_limits()
        )

    async def claim(self, member: Member, *, orphans: bool) -> list[RunRow]:
        """Claim as many runs as this process may still execute, and return them.

        :param member: this process.
        :param orphans: ``True`` to claim runs of dead processes, ``False`` to claim due runs.
        :raises StorageError: when the database cannot be used.
        """
        # A second claim would find no free place, and miss a run that must wait for the first one.
        async with self._lock:
            if self._count_free() <= 0 or not self._workflows.fingerprints:
                return []
            # A read first, because a write transaction waits for other processes.
            if not await self.has_claimable(member, orphans=orphans):
                self._has_backlog = self._has_backlog and orphans
                return []
            if self._on_claim is not None:
                await self._on_claim()
            return await self._claim_free_places(member, orphans=orphans)

    async def _claim_free_places(self, member: Member, *, orphans: bool) -> list[RunRow]:
        free = self._count_free()
        if free <= 0:
            return []
        with self.reserve(free):  # no run may start in these places meanwhile
            rows = await self._store.claim(
                member, self._list_ids(), free, orphans=orphans, concurrency=self._list_limits()
            )
        self._has_backlog = len(rows) == free
        return rows

    async def release_lost_runs(self, member: Member, age: float) -> None:
        """Release runs that this process holds but does not execute.

        A run is held but not executed if the store has committed its start, but the response of the
        database was lost or the caller was cancelled. A run that is just being started is also held
        but not executed, so this method releases only runs that an earlier call, at least ``age``
        seconds before, has found as well.

        :param member: this process.
        :param age: the minimum number of seconds between the two calls that find the run.
        :raises StorageError: when the database cannot be used.
        """
        attempts = await self._store.list_held(member.id)
        now, earlier = time.monotonic(), self._unknown
        self._unknown = {
            (id_, attempt): earlier.get((id_, attempt), now)
            for id_, attempt in attempts.items()
            if id_ not in self._executions
        }
        for (id_, attempt), since in [*self._unknown.items()]:
            if now - since >= age:
                await self._store.release_run(id_, member.id, attempt)

    def _count_free(self) -> int:
        count = len(self._executions)
        free = self._max_concurrency - count - self._reserved
        return min(free, self._max_claimed - count)

    def _list_ids(self) -> dict[str, str]:
        """Return the ids of the known workflows, by fingerprint."""
        return {key: each.id for key, each in self._workflows.fingerprints.items()}

    def _list_limits(self) -> dict[str, int]:
        """Return the maximum number of concurrent runs of workflows, by id."""
        known = reversed([*self._workflows.fingerprints.values()])
        return {each.id: each.concurrency for each in known if each.concurrency is not None}
