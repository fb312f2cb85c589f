"""Runs in an SQL database. Each method is one transaction with conditional updates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Literal, TypeVar

from mastra_core.workflows.durable.child_queries import list_children, start_child
from mastra_core.workflows.durable.fingerprints.fingerprint_queries import (
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
from mastra_core.workflows.durable.queue_queries import (
    claim_from_queues,
    claim_one_by_one,
    group_queues,
    list_open_queues,
)
from mastra_core.workflows.durable.run_queries import (
    answer_waits,
    begin_execution,
    cancel_run,
    claim_runs,
    commit_batch,
    count_runs,
    create_run,
    delete_runs,
    find_run,
    has_claimable,
    list_held,
    list_members,
    list_runs,
    purge_runs,
    read_journal,
    read_run,
    read_states,
    release_run,
    release_runs,
    remove_members,
    report_member,
)
from mastra_core.workflows.durable.run_rows import (
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
from mastra_core.workflows.durable.schedules.schedule_queries import (
    fire_schedule,
    read_schedules,
    register_schedule,
    set_schedule_status,
)
from mastra_core.workflows.durable.transactions import Queries, Query, RunDatabase
from mastra_core.workflows.engine.run_query import RunQuery

__all__ = ("SqlRunStore",)

T = TypeVar("T")


class SqlRunStore:
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
    def single_process(self) -> bool:
        """Whether only one process can use the store."""
        return self._database.single_process

    def copy(self) -> SqlRunStore:
        """Return a store for the same database with connections of its own, for another thread."""
        return SqlRunStore(self._database.copy())

    async def open(self) -> None:
        """Connect, and create or migrate the tables.

        :raises StorageError: when the database cannot be used, or is of a newer version of mastra.
        """
        await self._database.open()

    async def close(self) -> None:
        """Close the connections; a later call opens them again."""
        await self._database.close()

    def listen(self) -> AsyncIterator[None]:
        """Yield each time runs may have changed; end at once if the database has no notifications.

        :raises StorageError: when the connection is lost.
        """
        return self._database.listen()

    async def create(self, new: NewRun, max_unfinished: int) -> RunRow | None:
        """Create a run, or return the creator's existing run with this id.

        :param new: the run. A creator that is confined also gets a run of its resource that an
            unconfined creator has created.
        :param max_unfinished: the maximum number of unfinished runs of a caller with a name.
        :returns: the run, or ``None`` if the caller has too many unfinished runs.
        """
        return await self._database.write(lambda: create_run(new, max_unfinished))

    async def find(self, workflow: str, run_id: str, scope: str | None) -> RunRow | None:
        """Return a run, or ``None`` if there is none.

        :param workflow: the id of the workflow.
        :param run_id: the id of the run.
        :param scope: the resource that the caller may access; ``None`` for any. Runs of unconfined
            creators are then preferred.
        """
        return await self._database.read(lambda: find_run(workflow, run_id, scope))

    async def read(self, run: int, after: int = 0) -> tuple[RunRow, list[str]] | None:
        """Return a run and its events, or ``None`` if there is none.

        :param run: the key of the run.
        :param after: the number of events to skip.
        """
        return await self._database.read(lambda: read_run(run, after))

    async def read_journal(self, run: int) -> JournalData:
        """Return the journal of a run.

        :param run: the key of the run.
        """
        return await self._database.read(lambda: read_journal(run))

    async def read_states(self, runs: Collection[int]) -> dict[int, RunState]:
        """Return the states of the existing runs among the given keys.

        :param runs: the keys of the runs.
        """
        return await self._database.read(lambda: read_states([*runs]))

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
        """Begin an execution, unless another caller was faster.

        Earlier executions can commit nothing any more.

        :param row: the run as the caller has read it.
        :param holder: the process that executes the run; empty if any may.
        :param event: the JSON of the first event, after which the run is running.
        :param settings: the JSON of ``ExecutionSettings``.
        :param context: the JSON of the new request context; the previous one by default.
        :param keep: the keys of the outcomes that stay; ``None`` if no outcome stays, and the
            child runs are canceled and released.
        :param drop: the keys of the events that may be emitted again.
        :param fingerprint: the fingerprint of the workflow; the previous one by default.
        :param priority: the new priority; the previous one by default.
        :returns: the new row, or ``None`` if the run has changed since.
        """
        values = (holder, event, settings, context, priority, fingerprint)
        now, kept = self._database.now, None if keep is None else {*keep}
        return await self._change(
            lambda: begin_execution(row, values, kept, {*drop}, now),
            lambda begun: begun is not None and not holder,
        )

    async def commit(
        self, run: int, holder: str, attempt: int, number: int, batch: Batch
    ) -> CommitResult:
        """Store a batch, if the process still holds the run.

        :param run: the key of the run.
        :param holder: the id of the process.
        :param attempt: the attempt that commits.
        :param number: the number of earlier commits of the attempt. A commit that is repeated after
            a lost connection is stored once.
        :param batch: the batch to store.
        """
        return await self._database.write(
            lambda: commit_batch(run, (holder, attempt, number), batch, self._database.now)
        )

    async def answer(
        self,
        run: int,
        holder: str,
        answers: Sequence[tuple[str, str]],
        data: str,
        context: str | None = None,
    ) -> tuple[RunRow | None, int]:
        """Resume waits; each wait is resumed once.

        :param run: the key of the run.
        :param holder: the process that executes the run if no other process does; empty if any may.
        :param answers: the key of each wait, and the JSON of its event.
        :param data: the JSON of the data.
        :param context: the JSON of the new request context; the previous one by default.
        :returns: the new row, and how many waits were resumed; the row is ``None`` if there were
            none, or the run has ended.
        """
        return await self._change(
            lambda: answer_waits(run, holder, answers, data, context, self._database.now),
            lambda result: result[0] is not None and result[0].holder != (holder or None),
        )

    async def cancel(self, run: int, event: str) -> bool:
        """End a run that has not ended, wherever it is executed.

        :param run: the key of the run.
        :param event: the JSON of its last event.
        :returns: whether the run had not ended.
        """
        now, has_locks = self._database.now, self._database.has_locks
        return await self._change(lambda: cancel_run(run, event, now, has_locks=has_locks), bool)

    async def has_claimable(
        self, member: Member, workflows: Mapping[str, str], *, orphans: bool
    ) -> bool:
        """Return whether ``claim`` would assign a run.

        :param member: the process.
        :param workflows: the ids of the workflows that the process executes, by fingerprint.
        :param orphans: select the runs of dead processes, instead of the runs that are due.
        """
        now, names = self._database.now, sorted(workflows)
        return await self._database.read(
            lambda: has_claimable(member.id, names, now, orphans=orphans)
        )

    async def claim(
        self,
        member: Member,
        workflows: Mapping[str, str],
        limit: int,
        *,
        orphans: bool,
        concurrency: Mapping[str, int] | None = None,
    ) -> list[RunRow]:
        """Assign runs to a process that executes them.

        :param member: the process.
        :param workflows: the ids of the workflows that the process executes, by fingerprint.
        :param limit: the maximum number of runs.
        :param orphans: select the runs of dead processes, instead of the runs that are due.
        :param concurrency: the maximum number of runs that all processes may hold at a time, by the
            id of the workflow.
        """
        if concurrency and not orphans:  # a run that is taken over was held before
            return await self._claim_from_queues(member, workflows, limit, concurrency)
        # A read transaction first, because a write transaction waits for other processes.
        if not await self.has_claimable(member, workflows, orphans=orphans):
            return []
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
        queues = group_queues(workflows, concurrency)
        found = await self._database.read(lambda: list_open_queues(queues, now))
        if not found:
            return []
        if not self._database.has_locks:
            return await self._database.write(
                lambda: claim_one_by_one(member.id, found, limit, now)
            )
        return await self._database.write(
            lambda: claim_from_queues(member.id, found, limit, now, locking)
        )

    async def release(self, member: str) -> None:
        """Give up all runs of a process that stops; other processes continue them.

        :param member: the id of the process.
        """
        await self._change(lambda: release_runs(member), lambda _: True)

    async def list_held(self, member: str) -> dict[int, int]:
        """Return the runs that a process holds: the number of the attempt by the key of the run.

        :param member: the id of the process.
        """
        return await self._database.read(lambda: list_held(member))

    async def release_run(self, run: int, member: str, attempt: int) -> None:
        """Give up one run, so that any process can continue it.

        :param run: the key of the run.
        :param member: the id of the process.
        :param attempt: the attempt that the process holds.
        """
        await self._change(lambda: release_run(run, member, attempt), lambda _: True)

    async def beat(self, member: Member, lease: float) -> None:
        """Record that a process is alive.

        :param member: the process.
        :param lease: the seconds after which the process counts as dead.
        """
        await self._database.write(
            lambda: report_member(member, f"{self._database.now} + {int(lease * 1000)}")
        )

    async def list_members(self, *, living: bool = False) -> list[Member]:
        """Return all processes that have reported, including dead processes.

        :param living: return only the processes whose lease has not ended.
        """
        since = self._database.now if living else "0"
        return await self._database.read(lambda: list_members(since))

    async def remove_members(self, ids: Collection[str]) -> None:
        """Remove dead processes, so that other processes can claim their runs.

        :param ids: the ids of the processes.
        """
        await self._database.write(lambda: remove_members([*ids]))

    async def list(self, workflow: str, query: RunQuery) -> list[tuple[RunRow, list[str]]]:
        """Return runs with their events, newest first.

        :param workflow: the id of the workflow; empty for all workflows.
        :param query: selects the runs.
        """
        return await self._database.read(lambda: list_runs(workflow, query))

    async def count(self, workflow: str, query: RunQuery) -> dict[str, int]:
        """Return the number of all selected runs by status; the page of the query has no effect.

        :param workflow: the id of the workflow; empty for all workflows.
        :param query: selects the runs.
        """
        return await self._database.read(lambda: count_runs(workflow, query))

    async def read_schedules(self) -> tuple[int, Sequence[ScheduleRow]]:
        """Return the time of the database, in milliseconds since the epoch, and all schedules."""
        return await self._database.read(lambda: read_schedules(self._database.now))

    async def register_schedule(self, schedule: ScheduleRow) -> None:
        """Add a schedule; replace expression, time zone and next start if one of the first differs.

        :param schedule: the schedule.
        """
        await self._database.write(lambda: register_schedule(schedule))

    async def set_schedule_status(
        self, schedule: str, status: Literal["active", "paused"], next_at: int
    ) -> None:
        """Pause or continue a schedule; do nothing if it has the status already.

        :param schedule: the id of the schedule.
        :param status: the new status.
        :param next_at: the next start, in milliseconds since the epoch.
        """
        await self._database.write(lambda: set_schedule_status(schedule, status, next_at))

    async def fire_schedule(
        self,
        schedule: ScheduleRow,
        next_at: int,
        new: NewRun,
        event: str,
        settings: str,
        context: str | None = None,
    ) -> bool:
        """Start the run that is due, unless the schedule has changed since the caller has read it.

        The start of the run and the change of the schedule are one transaction.

        :param schedule: the schedule as the caller has read it.
        :param next_at: the start after this one, in milliseconds since the epoch.
        :param new: the run.
        :param event: the JSON of its first event.
        :param settings: the JSON of ``ExecutionSettings``.
        :param context: the JSON of the request context.
        :returns: whether this caller has started the run.
        """
        values = (event, settings, context)
        return await self._change(
            lambda: fire_schedule(schedule, next_at, new, values, self._database.now), bool
        )

    async def start_child(
        self,
        parent: RunRow,
        wait: tuple[str, bool],
        new: NewRun,
        event: str,
        settings: str,
        max_unfinished: int,
    ) -> ChildStart:
        """Start a run for another run, unless it was started before.

        The started run is canceled together with its parent. If the parent waits, the end of the
        run and the answer of the wait are one transaction.

        :param parent: the run that starts it, as its process holds it.
        :param wait: the key of the parent's wait, and whether the parent waits for the end.
        :param new: the run.
        :param event: the JSON of its first event.
        :param settings: the JSON of ``ExecutionSettings``.
        :param max_unfinished: the maximum number of unfinished runs of a caller with a name.
        """
        values, now = (event, settings), self._database.now
        return await self._change(
            lambda: start_child(parent, wait, new, values, max_unfinished, now),
            lambda result: result.kind == "started",
        )

    async def list_children(self, run: int) -> Sequence[tuple[str, str, str]]:
        """Return workflow, id and status of the runs that a run has started.

        :param run: the key of the run.
        """
        return await self._database.read(lambda: list_children(run))

    async def delete(self, run: int) -> None:
        """Delete a run.

        :param run: the key of the run.
        """
        await self._database.write(lambda: delete_runs([run]))

    async def purge(self, *, finished_before: int, pending_before: int, limit: int) -> int:
        """Delete old runs, and return their number.

        :param finished_before: delete runs that ended before this time, in milliseconds since the
            epoch.
        :param pending_before: delete runs that were created before this time and never started.
        :param limit: the maximum number of runs to delete.
        """
        return await self._database.write(
            lambda: purge_runs(finished_before, pending_before, limit, self._database.now)
        )

    async def store_workflows(self, workflows: Sequence[KnownWorkflow]) -> None:
        """Store the descriptions of workflows, unless they are stored already.

        :param workflows: the descriptions.
        """
        await self._database.write(lambda: store_workflows(workflows))

    async def list_workflows(self, workflow: str) -> Sequence[KnownWorkflow]:
        """Return the stored descriptions of a workflow, newest first.

        :param workflow: the id of the workflow.
        """
        return await self._database.read(lambda: list_workflows(workflow))

    async def list_unfinished(self, fingerprint: str, after: int, limit: int) -> Sequence[RunRow]:
        """Return started runs with a fingerprint that have not ended, in the order of their keys.

        :param fingerprint: the fingerprint.
        :param after: return only runs whose key is greater.
        :param limit: the maximum number of runs.
        """
        return await self._database.read(lambda: list_unfinished(fingerprint, after, limit))

    async def park(self, limit: int) -> Sequence[ParkedRuns]:
        """Park the waiting runs that no living process can execute.

        :param limit: the maximum number of runs.
        :returns: the parked runs by fingerprint.
        """
        now, locking = self._database.now, self._database.skip_locked
        if not await self._database.read(lambda: has_unknown(now)):
            return []
        return await self._change(lambda: park_runs(limit, now, locking), bool)

    async def unpark(self, fingerprints: Collection[str], limit: int) -> int:
        """Let processes execute the parked runs again, and return the number of these runs.

        :param fingerprints: the fingerprints of the runs.
        :param limit: the maximum number of runs.
        """
        names, locking = sorted(fingerprints), self._database.skip_locked
        if not names or not await self._database.read(lambda: has_parked(names)):
            return 0
        return await self._change(lambda: unpark_runs(names, limit, locking), bool)

    async def measure_backlog(self) -> Backlog:
        """Count the runs that wait for a process."""
        return await self._database.read(lambda: measure_backlog(self._database.now))

    async def move(self, row: RunRow, fingerprint: str) -> bool:
        """Let a run continue with another fingerprint, unless it has changed or is executed.

        :param row: the run as the caller has read it.
        :param fingerprint: the new fingerprint.
        """
        return await self._change(lambda: move_run(row, fingerprint), bool)

    async def _change(
        self, transact: Callable[[], Queries[T]], concerns_others: Callable[[T], bool]
    ) -> T:
        """Execute a transaction, and notify other processes if its result concerns them."""

        def transact_and_notify() -> Queries[T]:
            result = yield from transact()
            if self._database.notification and concerns_others(result):
                yield Query(self._database.notification)
            return result

        return await self._database.write(transact_and_notify)
