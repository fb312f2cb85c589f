"""Manage the runs in a database without the application, and without executing them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from mastra_core.agents.suspended_runs import build_ambiguity
from mastra_core.database.url import DatabaseUrl
from mastra_core.errors import Conflict, InvalidInput, NotFound, UnreadableData
from mastra_core.workflows.durable.durable_run import build_listed_record
from mastra_core.workflows.durable.fingerprints.run_mover import RunMover
from mastra_core.workflows.durable.restart_plan import plan_restart
from mastra_core.workflows.durable.run_context import encode_context
from mastra_core.workflows.durable.store.run_rows import Backlog, RunRow, encode
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.durable.store.run_store_factory import create_run_store
from mastra_core.workflows.engine.run_checks import check_resume_data
from mastra_core.workflows.engine.run_events import RunFinished, StepResumed
from mastra_core.workflows.engine.run_query import RunQuery
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("RunManager", "StoredRun", "manage_runs")

_MAX_NAMED = 100  # the maximum number of runs with one id whose workflows an error names


class StoredRun(NamedTuple):
    """A run in a database.

    :param row: the run in the store.
    :param record: the record with the present state of the run.
    :param failure: why the record is incomplete; ``None`` if it is complete.
    """

    row: RunRow
    record: RunRecord
    failure: UnreadableData | None = None


class RunManager:
    """Reads and changes the runs of a store. Servers that use the same database execute the runs.

    ``RunOperations`` builds the answers of ``mastra runs`` and of the server with these methods.

    :param store: the store.
    :param context_keys: the keys of a request context that are stored; all keys by default.
    :param workflows: the workflows that this process knows, by fingerprint.

    ``mover`` lets runs continue with a changed description of their workflow.
    """

    def __init__(
        self,
        store: RunStore,
        context_keys: Collection[str] | None = None,
        workflows: Mapping[str, Workflow] | None = None,
    ) -> None:
        self._store, self._workflows = store, workflows or {}
        self._context_keys = context_keys
        self.mover = RunMover(store)

    async def measure_backlog(self) -> Backlog:
        """Count the runs that wait for a process."""
        return await self._store.measure_backlog()

    async def list(self, workflow: str, query: RunQuery) -> list[StoredRun]:
        """Return runs, newest first.

        :param workflow: the id of the workflow; empty for all workflows.
        :param query: selects the runs.
        """
        found = await self._store.list(workflow, query)
        return [StoredRun(row, *build_listed_record(row, events)) for row, events in found]

    async def count(self, workflow: str, query: RunQuery) -> dict[str, int]:
        """Return the number of runs by status.

        :param workflow: the id of the workflow; empty for all workflows.
        :param query: selects the runs.
        """
        return await self._store.count(workflow, query)

    async def read(self, run: StoredRun) -> StoredRun | None:
        """Return the present state of a run, or ``None`` if it was deleted.

        :param run: the run.
        """
        found = await self._store.read(run.row.id)
        return None if found is None else StoredRun(found[0], *build_listed_record(*found))

    async def find(self, run_id: str, workflow: str = "", resource: str = "") -> StoredRun:
        """Return the run with an id.

        :param run_id: the id of the run.
        :param workflow: the id of the workflow; required if several workflows have a run with this
            id.
        :param resource: the owner of the run; any by default. If several runs match, the method
            prefers a run that the owner has created, and then a run whose creator is not confined
            to a resource.
        :raises NotFound: when there is no such run.
        :raises InvalidInput: when several workflows have a run with this id.
        :raises Conflict: when several owners have a run with this id.
        """
        found = await self.list(
            workflow, RunQuery(run_id=run_id, resource_id=resource, limit=_MAX_NAMED)
        )
        if not found:
            raise NotFound(f"There is no run {run_id!r}.", "List the runs: mastra runs list")
        workflows = {each.row.workflow for each in found}
        if len(workflows) > 1:
            names = ", ".join(sorted(workflows))
            raise InvalidInput(
                f"Several workflows have a run with the id {run_id!r}: {names}.",
                "Name the workflow: --workflow NAME",
            )
        runs = {each.row.scope: each for each in found}
        for scope in (resource, ""):  # as in the engine
            if scope in runs:
                return runs[scope]
        if len(found) > 1:
            raise build_ambiguity(run_id)
        return found[0]

    async def find_parent(self, run: StoredRun) -> RunRow | None:
        """Return the run that has started ``run``; ``None`` if the store has no such run.

        :param run: the run.
        """
        found = None if run.row.parent is None else await self._store.read(run.row.parent)
        return None if found is None else found[0]

    async def list_children(self, run: StoredRun) -> Sequence[tuple[str, str, str]]:
        """Return the workflow, the id and the status of each child run of ``run``.

        :param run: the run.
        """
        return await self._store.list_children(run.row.id)

    async def cancel(self, run: StoredRun) -> None:
        """Cancel a run, and the runs that it has started.

        :param run: the run.
        :raises Conflict: when the run has ended.
        """
        event = RunFinished(status="canceled", state=run.record.state)
        if not await self._store.cancel(run.row.id, encode(event)):
            raise _build_conflict(run, "canceled")

    async def resume(
        self,
        run: StoredRun,
        data: Any,
        step: str = "",
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Resume a suspended step.

        If this process does not know the workflow, the step checks the data.

        :param run: the run.
        :param data: the data that resumes the step, as JSON builtins.
        :param step: the path of the step; may be empty if exactly one step is suspended.
        :param context: the new request context; the stored one by default.
        :raises Conflict: when the run, or the step, is not suspended.
        :raises InvalidInput: when several suspended steps match, or the data does not fit the
            step's type.
        :raises UnreadableData: when an event of the run is damaged.
        """
        _require_complete(run)
        if not run.record.suspended_steps:
            raise _build_conflict(run, "resumed")
        workflow = self._workflows.get(run.row.fingerprint)
        (path,) = await check_resume_data(workflow, run.record, [step], data)
        answer = (run.record.steps[path].key, encode(StepResumed(step=path, data=data)))
        row, _ = await self._store.answer(
            run.row.id, "", [answer], encode(data), encode_context(context, self._context_keys)
        )
        if row is None:
            raise _build_conflict(run, "resumed")

    async def retry(self, run: StoredRun, context: Mapping[str, Any] | None = None) -> None:
        """Continue a failed or stuck run; finished steps are not executed again.

        :param run: the run.
        :param context: the new request context; the stored one by default.
        :raises Conflict: when the run has succeeded, or somebody changes it at the same time.
        :raises UnreadableData: when an event of the run is damaged.
        """
        _require_complete(run)
        if run.record.status in ("pending", "paused", "success"):
            raise _build_conflict(run, "retried")
        plan = await plan_restart(self._store, run.row, run.record)
        row = await self._store.begin(
            run.row,
            "",
            encode(plan.event),
            run.row.settings,
            encode_context(context, self._context_keys),
            keep=plan.keep,
            drop=plan.drop,
        )
        if row is None:
            raise _build_conflict(run, "retried")


def _require_complete(run: StoredRun) -> None:
    if run.failure is not None:
        raise run.failure


def _build_conflict(run: StoredRun, change: str) -> Conflict:
    return Conflict(
        f"The run {run.row.run_id!r} cannot be {change}: its status was {run.record.status!r}.",
        f"Look at its state: mastra runs show {run.row.run_id}",
    )


@asynccontextmanager
async def manage_runs(url: DatabaseUrl) -> AsyncIterator[RunManager]:
    """Yield the manager of the runs in a database.

    :param url: the database.
    :raises StorageError: when the database cannot be used.
    """
    store = create_run_store(url)
    try:
        await store.open()
        yield RunManager(store)
    finally:
        await store.close()
