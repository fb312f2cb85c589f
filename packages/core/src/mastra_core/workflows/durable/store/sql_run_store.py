"""Runs in an SQL database. Each method is one transaction with conditional updates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Literal, TypeVar

from mastra_core.override import override
from mastra_core.workflows.durable.store.child_queries import list_children, start_child
from mastra_core.workflows.durable.store.claim_queries import (
    claim_runs,
    has_claimable,
    list_held,
    release_run,
    release_runs,
)
from mastra_core.workflows.durable.store.end_queries import cancel_run
from mastra_core.workflows.durable.store.execution_queries import (
    answer_waits,
    begin_execution,
    commit_batch,
)
from mastra_core.workflows.durable.store.fingerprint_queries import (
    count_unfinished,
    has_parked,
    has_unknown,
    list_unfinished,
    list_workflows,
    measure_backlog,
    move_run,
    park_runs,
    store_workflows,
    unpark_runs,
)
from mastra_core.workflows.durable.store.journal_queries import read_journal
from mastra_core.workflows.durable.store.member_queries import (
    list_members,
    remove_members,
    report_member,
)
from mastra_core.workflows.durable.store.queue_queries import (
    Queue,
    claim_from_queues,
    claim_one_by_one,
    group_queues,
    list_open_queues,
)
from mastra_core.workflows.durable.store.run_queries import (
    count_runs,
    create_run,
    delete_run,
    find_run,
    list_runs,
    purge_runs,
    read_run,
    read_states,
)
from mastra_core.workflows.durable.store.run_rows import (
    Backlog,
    Batch,
    ChildStart,
    CommitResult,
    JournalData,
    KnownWorkflow,
    Member,
    NewRun,
    ParkedRuns,
    RunRow,
    RunState,
    ScheduleRow,
)
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.durable.store.schedule_queries import (
    fire_schedule,
    read_schedules,
    register_schedule,
    set_schedule_status,
)
from mastra_core.workflows.durable.store.transactions import Queries, Query, RunDatabase
from mastra_core.workflows.engine.run_query import RunQuery

__all__ = ("SqlRunStore",)

T = TypeVar("T")


class SqlRunStore(RunStore):
    """Stores runs in an SQL database.

    :param database: executes the transactions.
    """

    def __init__(self, database: RunDatabase) -> None:
        self._database = database

    @property
    def kind(self) -> str:
        """The kind of the database, such as ``postgresql``."""
        return self._database.kind

    @property
    @override
    def single_process(self) -> bool:
        return self._database.single_process

    @override
    def copy(self) -> SqlRunStore:
        return SqlRunStore(self._database.copy())

    @override
    async def open(self) -> None:
        await self._database.open()

    async def check(self) -> None:
        """Check that the database answers, unless it has answered in the last few seconds.

        :raises StorageError: when the database cannot be used.
        """
        await self._database.check()

    @override
    async def close(self) -> None:
        await self._database.close()

    @override
    def listen(self) -> AsyncIterator[None]:
        return self._database.listen()

    @override
    async def create(self, new: NewRun, max_unfinished: int) -> RunRow | None:
        return await self._database.write(lambda: create_run(new, max_unfinished))

    @override
    async def find(self, workflow: str, run_id: str, scope: str | None) -> RunRow | None:
        return await self._database.read(lambda: find_run(workflow, run_id, scope))

    @override
    async def read(self, run: int, after: int = 0) -> tuple[RunRow, list[str]] | None:
        return await self._database.read(lambda: read_run(run, after))

    @override
    async def read_journal(self, run: int) -> JournalData:
        return await self._database.read(lambda: read_journal(run))

    @override
    async def read_states(self, runs: Collection[int]) -> dict[int, RunState]:
        return await self._database.read(lambda: read_states([*runs]))

    @override
    async def begin(
        self,
        row: RunRow,
        holder: str,
        event: str,
        settings: str,
        context: str | None = None,
        *,
        keep: Collection[str] | None = (),
        drop: Collection[str] = (),
        fingerprint: str = "",
        priority: int | None = None,
    ) -> RunRow | None:
        values = (holder, event, settings, context, priority, fingerprint)
        now, kept = self._database.now, None if keep is None else {*keep}
        return await self._change(
            lambda: begin_execution(row, values, kept, {*drop}, now),
            lambda begun: begun is not None and not holder,
        )

    @override
    async def commit(
        self, run: int, holder: str, attempt: int, number: int, batch: Batch
    ) -> CommitResult:
        return await self._database.write(
            lambda: commit_batch(run, (holder, attempt, number), batch, self._database.now)
        )

    @override
    async def answer(
        self,
        run: int,
        holder: str,
        answers: Sequence[tuple[str, str]],
        data: str,
        context: str | None = None,
    ) -> tuple[RunRow | None, int]:
        return await self._change(
            lambda: answer_waits(run, holder, answers, data, context, self._database.now),
            lambda result: result[0] is not None and result[0].holder != (holder or None),
        )

    @override
    async def cancel(self, run: int, event: str) -> bool:
        now, has_locks = self._database.now, self._database.has_locks
        return await self._change(lambda: cancel_run(run, event, now, has_locks=has_locks), bool)

    @override
    async def has_claimable(
        self,
        member: Member,
        workflows: Mapping[str, str],
        *,
        orphans: bool,
        concurrency: Mapping[str, int] | None = None,
    ) -> bool:
        if concurrency and not orphans:
            return bool(await self._list_open_queues(workflows, concurrency))
        now, names = self._database.now, sorted(workflows)
        return await self._database.read(
            lambda: has_claimable(member.id, names, now, orphans=orphans)
        )

    @override
    async def claim(
        self,
        member: Member,
        workflows: Mapping[str, str],
        limit: int,
        *,
        orphans: bool,
        concurrency: Mapping[str, int] | None = None,
    ) -> list[RunRow]:
        if concurrency and not orphans:  # a run that is taken over was held before
            return await self._claim_from_queues(member, workflows, limit, concurrency)
        now, names = self._database.now, sorted(workflows)
        locking = self._database.skip_locked
        return await self._database.write(
            lambda: claim_runs(member.id, names, limit, now, locking, orphans=orphans)
        )

    async def _claim_from_queues(
        self,
        member: Member,
        workflows: Mapping[str, str],
        limit: int,
        concurrency: Mapping[str, int],
    ) -> list[RunRow]:
        now, locking = self._database.now, self._database.skip_locked
        found = await self._list_open_queues(workflows, concurrency)
        if not found:
            return []
        if not self._database.has_locks:
            return await self._database.write(
                lambda: claim_one_by_one(member.id, found, limit, now)
            )
        return await self._database.write(
            lambda: claim_from_queues(member.id, found, limit, now, locking)
        )

    async def _list_open_queues(
        self, workflows: Mapping[str, str], concurrency: Mapping[str, int]
    ) -> Sequence[Queue]:
        queues, now = group_queues(workflows, concurrency), self._database.now
        return await self._database.read(lambda: list_open_queues(queues, now))

    @override
    async def release(self, member: str, *, counts: bool = False) -> None:
        await self._change(lambda: release_runs(member, counts=counts), lambda _: True)

    @override
    async def list_held(self, member: str) -> dict[int, int]:
        return await self._database.read(lambda: list_held(member))

    @override
    async def release_run(self, run: int, member: str, attempt: int) -> None:
        await self._change(lambda: release_run(run, member, attempt), lambda _: True)

    @override
    async def beat(self, member: Member, lease: float) -> None:
        await self._database.write(
            lambda: report_member(member, f"{self._database.now} + {int(lease * 1000)}")
        )

    @override
    async def list_members(self, *, living: bool = False) -> list[Member]:
        since = self._database.now if living else "0"
        return await self._database.read(lambda: list_members(since))

    @override
    async def remove_members(self, ids: Collection[str]) -> None:
        await self._database.write(lambda: remove_members([*ids]))

    @override
    async def list(self, workflow: str, query: RunQuery) -> list[tuple[RunRow, list[str]]]:
        return await self._database.read(lambda: list_runs(workflow, query), scans=True)

    @override
    async def count(self, workflow: str, query: RunQuery) -> dict[str, int]:
        return await self._database.read(lambda: count_runs(workflow, query), scans=True)

    @override
    async def read_schedules(
        self, schedule: str = "", within: int | None = None
    ) -> tuple[int, Sequence[ScheduleRow]]:
        return await self._database.read(
            lambda: read_schedules(self._database.now, schedule, within)
        )

    @override
    async def register_schedule(self, schedule: ScheduleRow) -> None:
        await self._database.write(lambda: register_schedule(schedule))

    @override
    async def set_schedule_status(
        self, schedule: str, status: Literal["active", "paused"], next_at: int
    ) -> None:
        await self._database.write(lambda: set_schedule_status(schedule, status, next_at))

    @override
    async def fire_schedule(
        self,
        schedule: ScheduleRow,
        next_at: int,
        new: NewRun,
        event: str,
        settings: str,
        context: str | None = None,
    ) -> bool:
        values = (event, settings, context)
        return await self._change(
            lambda: fire_schedule(schedule, next_at, new, values, self._database.now), bool
        )

    @override
    async def start_child(
        self,
        parent: RunRow,
        wait: tuple[str, bool],
        new: NewRun,
        event: str,
        settings: str,
        max_unfinished: int,
    ) -> ChildStart:
        values, now = (event, settings), self._database.now
        return await self._change(
            lambda: start_child(parent, wait, new, values, max_unfinished, now),
            lambda result: result.kind == "started",
        )

    @override
    async def list_children(self, run: int) -> Sequence[tuple[str, str, str]]:
        return await self._database.read(lambda: list_children(run))

    @override
    async def delete(self, run: int, *, only_pending: bool = False) -> None:
        await self._database.write(lambda: delete_run(run, only_pending=only_pending))

    @override
    async def purge(self, *, finished_before: int, pending_before: int, limit: int) -> int:
        return await self._database.write(
            lambda: purge_runs(finished_before, pending_before, limit, self._database.now)
        )

    @override
    async def store_workflows(self, workflows: Sequence[KnownWorkflow]) -> None:
        await self._database.write(lambda: store_workflows(workflows))

    @override
    async def list_workflows(self, workflow: str) -> Sequence[KnownWorkflow]:
        return await self._database.read(lambda: list_workflows(workflow))

    @override
    async def list_unfinished(self, fingerprint: str, after: int, limit: int) -> Sequence[RunRow]:
        return await self._database.read(lambda: list_unfinished(fingerprint, after, limit))

    @override
    async def count_unfinished(self, workflow: str) -> Mapping[str, int]:
        return await self._database.read(lambda: count_unfinished(workflow))

    @override
    async def park(self, limit: int) -> Sequence[ParkedRuns]:
        now, locking = self._database.now, self._database.skip_locked
        if not await self._database.read(lambda: has_unknown(now)):
            return []
        return await self._change(lambda: park_runs(limit, now, locking), bool)

    @override
    async def unpark(self, fingerprints: Collection[str], limit: int) -> int:
        names, locking = sorted(fingerprints), self._database.skip_locked
        if not names or not await self._database.read(lambda: has_parked(names)):
            return 0
        return await self._change(lambda: unpark_runs(names, limit, locking), bool)

    @override
    async def measure_backlog(self) -> Backlog:
        return await self._database.read(lambda: measure_backlog(self._database.now))

    @override
    async def move(self, row: RunRow, fingerprint: str) -> bool:
        return await self._change(lambda: move_run(row, fingerprint), bool)

    async def _change(
        self, transact: Callable[[], Queries[T]], concerns_others: Callable[[T], bool]
    ) -> T:
        """Execute a transaction, and notify other processes if ``concerns_others(result)``."""

        def transact_and_notify() -> Queries[T]:
            result = yield from transact()
            if self._database.notification and concerns_others(result):
                yield Query(self._database.notification)
            return result

        return await self._database.write(transact_and_notify)
