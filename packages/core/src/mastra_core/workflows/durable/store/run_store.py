"""The protocol of a store for durable runs.

A store is a set of small transactions. Each transaction is a conditional update, so that several
processes may use one store at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Literal, Protocol

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
from mastra_core.workflows.engine.run_query import RunQuery

__all__ = ("RunStore",)


class RunStore(Protocol):
    """Stores runs with their journals, their events, and the process that executes each run."""

    @property
    def single_process(self) -> bool:
        """Whether only one process can use the store."""

    def copy(self) -> RunStore:
        """Return a store for the same database with connections of its own, for another thread."""

    async def open(self) -> None:
        """Connect, and create or migrate the tables.

        :raises StorageError: when the database cannot be used, or was written by a newer version of
            mastra.
        """

    async def close(self) -> None:
        """Close the connections; a later call opens them again."""

    def listen(self) -> AsyncIterator[None]:
        """Yield each time runs may have changed; end at once if the store has no notifications.

        If the store has no notifications, a process notices a change when it next queries the
        store.

        :raises StorageError: when the connection is lost.
        """

    async def create(self, new: NewRun, max_unfinished: int) -> RunRow | None:
        """Create a run, or return the creator's existing run with this id.

        :param new: the run. A creator that is confined to a resource also finds a run that an
            unconfined creator has created for this resource.
        :param max_unfinished: the maximum number of unfinished runs of a caller; the application
            itself has no maximum.
        :returns: the run, or ``None`` if the caller has too many unfinished runs.
        """

    async def find(self, workflow: str, run_id: str, scope: str | None) -> RunRow | None:
        """Return a run, or ``None`` if there is none.

        :param workflow: the id of the workflow.
        :param run_id: the id of the run.
        :param scope: the resource that the caller may access; ``None`` for any. With ``None``, the
            method prefers a run whose creator is not confined to a resource.
        """

    async def read(self, run: int, after: int = 0) -> tuple[RunRow, list[str]] | None:
        """Return a run and its events, or ``None`` if there is none.

        :param run: the key of the run.
        :param after: the number of events to skip.
        """

    async def read_journal(self, run: int) -> JournalData:
        """Return the journal of a run.

        :param run: the key of the run.
        """

    async def read_states(self, runs: Collection[int]) -> dict[int, RunState]:
        """Return the states of runs by key, without runs that do not exist.

        :param runs: the keys of the runs.
        """

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
        """Begin an execution, unless another caller has begun one first.

        After this call, the store refuses commits of earlier executions.

        :param row: the run's row, as the caller read it before.
        :param holder: the process that is to execute the run; empty if any process may execute it.
        :param event: the JSON of the first event, after which the run is running.
        :param settings: the JSON of ``ExecutionSettings``.
        :param context: the JSON of the new request context; the previous one by default.
        :param keep: the keys of the outcomes to keep. With ``None``, the store deletes the run's
            whole journal, cancels its child runs, and detaches these from the run.
        :param drop: the keys of the events that may be emitted again, and the keys of the answers
            that the run forgets; no effect if ``keep`` is ``None``.
        :param fingerprint: the fingerprint of the workflow; the previous one by default.
        :param priority: the new priority; the previous one by default.
        :returns: the new row, or ``None`` if the run has changed since the caller read it.
        """

    async def commit(
        self, run: int, holder: str, attempt: int, number: int, batch: Batch
    ) -> CommitResult:
        """Store a batch, if the process still holds the run.

        :param run: the key of the run.
        :param holder: the id of the process.
        :param attempt: the attempt that commits.
        :param number: the number of earlier commits of this attempt. A commit that is repeated
            after a lost connection is stored once.
        :param batch: the batch to store.
        """

    async def answer(
        self,
        run: int,
        holder: str,
        answers: Sequence[tuple[str, str]],
        data: str,
        context: str | None = None,
    ) -> tuple[RunRow | None, int]:
        """Resume waits; a wait that was resumed before is not resumed again.

        :param run: the key of the run.
        :param holder: the process that executes the run if no process executes it yet; empty if any
            process may do so.
        :param answers: the key of each wait, and the JSON of its event.
        :param data: the JSON of the data that resumes the waits.
        :param context: the JSON of the new request context; the previous one by default.
        :returns: the new row, and how many waits were resumed; the row is ``None`` if no wait was
            resumed, or if the run has ended.
        """

    async def cancel(self, run: int, event: str) -> bool:
        """End a run that has not ended, wherever it is executed.

        :param run: the key of the run.
        :param event: the JSON of the last event of the run.
        :returns: ``False`` if the run had already ended.
        """

    async def has_claimable(
        self,
        member: Member,
        workflows: Mapping[str, str],
        *,
        orphans: bool,
        concurrency: Mapping[str, int] | None = None,
    ) -> bool:
        """Return whether ``claim`` would assign a run.

        :param member: the process.
        :param workflows: the ids of the workflows that the process executes, by fingerprint.
        :param orphans: select the runs of dead processes, instead of the runs that are due.
        :param concurrency: the same argument as for ``claim``.
        """

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

        Of the runs that are due, the run that has waited longest is assigned first. Each point of a
        run's priority counts as a further minute of waiting.

        :param member: the process.
        :param workflows: the ids of the workflows that the process executes, by fingerprint.
        :param limit: the maximum number of runs to assign.
        :param orphans: select the runs of dead processes, instead of the runs that are due.
        :param concurrency: the maximum number of runs that all processes together may hold, by the
            id of the workflow. A workflow without an entry has no limit.
        """

    async def release(self, member: str, *, counts: bool = False) -> None:
        """Release all runs of a process that stops; other processes continue the runs.

        :param member: the id of the process.
        :param counts: whether to increase the number of takeovers of each run, as after the death
            of a process.
        """

    async def list_held(self, member: str) -> dict[int, int]:
        """Return the attempt number of each run that a process holds, by the key of the run.

        :param member: the id of the process.
        """

    async def release_run(self, run: int, member: str, attempt: int) -> None:
        """Release one run, so that any process can continue it.

        :param run: the key of the run.
        :param member: the id of the process.
        :param attempt: the attempt that the process holds; the method releases only this attempt.
        """

    async def beat(self, member: Member, lease: float) -> None:
        """Record that a process is alive.

        :param member: the process.
        :param lease: the seconds after which the process counts as dead.
        """

    async def list_members(self, *, living: bool = False) -> list[Member]:
        """Return all processes that have reported, including dead processes.

        :param living: return only the processes whose lease has not ended.
        """

    async def remove_members(self, ids: Collection[str]) -> None:
        """Remove dead processes, so that other processes can claim their runs.

        :param ids: the ids of the processes.
        """

    async def list(self, workflow: str, query: RunQuery) -> list[tuple[RunRow, list[str]]]:
        """Return runs with the events of their records, newest first.

        A store may omit ``StepWrote`` events, because they are not part of a record.

        :param workflow: the id of the workflow; empty for all workflows.
        :param query: selects the runs.
        """

    async def count(self, workflow: str, query: RunQuery) -> dict[str, int]:
        """Return the number of selected runs by status, on all pages of the query.

        :param workflow: the id of the workflow; empty for all workflows.
        :param query: selects the runs.
        """

    async def read_schedules(
        self, schedule: str = "", within: int | None = None
    ) -> tuple[int, Sequence[ScheduleRow]]:
        """Return the time of the database, in milliseconds since the epoch, and schedules.

        :param schedule: the id of the only schedule to return; empty for all.
        :param within: return only active schedules that are due in so many milliseconds, and
            schedules whose process is dead; ``None`` for all.
        """

    async def register_schedule(self, schedule: ScheduleRow) -> None:
        """Add a schedule; if it is stored already, record that this process has registered it.

        If the expression or the time zone of the stored schedule differs, the expression, the time
        zone and the next start are replaced.

        :param schedule: the schedule.
        """

    async def set_schedule_status(
        self, schedule: str, status: Literal["active", "paused"], next_at: int
    ) -> None:
        """Pause or continue a schedule; do nothing if it has the status already.

        :param schedule: the id of the schedule.
        :param status: the new status.
        :param next_at: the time of the next start, in milliseconds since the epoch.
        """

    async def fire_schedule(
        self,
        schedule: ScheduleRow,
        next_at: int,
        new: NewRun,
        event: str,
        settings: str,
        context: str | None = None,
    ) -> bool:
        """Start the due run of a schedule, unless the schedule has changed since the caller read
        it.

        The start of the run and the change of the schedule are one transaction.

        :param schedule: the schedule's row, as the caller read it before.
        :param next_at: when the schedule starts the run after this one, in milliseconds since the
            epoch.
        :param new: the run.
        :param event: the JSON of the first event of the run.
        :param settings: the JSON of ``ExecutionSettings``.
        :param context: the JSON of the request context.
        :returns: whether this caller has started the run.
        """

    async def start_child(
        self,
        parent: RunRow,
        wait: tuple[str, bool],
        new: NewRun,
        event: str,
        settings: str,
        max_unfinished: int,
    ) -> ChildStart:
        """Start a child run for a parent run, unless the child run was started before.

        The parent's wait for the child run has a key that ends with ``!`` and the number of the
        attempt. After a restart, attempts are counted from 1 again. If the child run of an attempt
        has failed, the attempt gets the child run that a later attempt started before the restart,
        unless this one has failed too. The child run is canceled together with its parent. If the
        parent waits, one transaction stores the end of the child run and the answer of the wait.

        :param parent: the row of the run that starts the child run, as the executing process has
            read it.
        :param wait: the key of the parent's wait, and whether the parent waits for the child's end.
        :param new: the run.
        :param event: the JSON of the first event of the run.
        :param settings: the JSON of ``ExecutionSettings``.
        :param max_unfinished: the maximum number of unfinished runs of a caller; the application
            itself has no maximum.
        """

    async def list_children(self, run: int) -> Sequence[tuple[str, str, str]]:
        """Return the workflow, the id and the status of each child run of ``run``.

        :param run: the key of the run.
        """

    async def delete(self, run: int, *, only_pending: bool = False) -> None:
        """Delete a run.

        :param run: the key of the run.
        :param only_pending: delete the run only if it was never started.
        """

    async def purge(self, *, finished_before: int, pending_before: int, limit: int) -> int:
        """Delete old runs, and return their number.

        :param finished_before: delete runs that ended before this time, in milliseconds since the
            epoch.
        :param pending_before: delete runs that were created before this time and never started.
        :param limit: the maximum number of runs to delete.
        """

    async def store_workflows(self, workflows: Sequence[KnownWorkflow]) -> None:
        """Store the descriptions of workflows, unless they are stored already.

        :param workflows: the descriptions.
        """

    async def list_workflows(self, workflow: str) -> Sequence[KnownWorkflow]:
        """Return the stored descriptions of a workflow, newest first.

        :param workflow: the id of the workflow.
        """

    async def list_unfinished(self, fingerprint: str, after: int, limit: int) -> Sequence[RunRow]:
        """Return the started, unfinished runs with a fingerprint, ordered by their keys.

        :param fingerprint: the fingerprint.
        :param after: return only runs whose key is greater.
        :param limit: the maximum number of runs to return.
        """

    async def count_unfinished(self, workflow: str) -> Mapping[str, int]:
        """Return the number of started, unfinished runs by fingerprint.

        :param workflow: the id of the workflow.
        """

    async def park(self, limit: int) -> Sequence[ParkedRuns]:
        """Park the waiting runs that no living process can execute.

        Both due runs and runs of dead processes are parked. A parked run is not due, until
        ``unpark``, ``move`` or another change of the run makes it due.

        :param limit: the maximum number of runs to park.
        :returns: the parked runs by fingerprint.
        """

    async def unpark(self, fingerprints: Collection[str], limit: int) -> int:
        """Let processes execute the parked runs again, and return the number of these runs.

        :param fingerprints: the fingerprints of the runs.
        :param limit: the maximum number of runs to unpark.
        """

    async def measure_backlog(self) -> Backlog:
        """Count the runs that wait for a process."""

    async def move(self, row: RunRow, fingerprint: str) -> bool:
        """Set the fingerprint of a run, unless the run has changed or a process executes it.

        :param row: the run's row, as the caller read it before.
        :param fingerprint: the new fingerprint.
        :returns: whether the run was moved.
        """
