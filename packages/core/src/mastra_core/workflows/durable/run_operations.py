"""The operations of ``mastra runs``, whose results are JSON builtins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core.errors import Conflict, InvalidInput, NotFound
from mastra_core.schema import dump
from mastra_core.workflows.durable.fingerprints.run_mover import KnownFingerprint, RunMover
from mastra_core.workflows.durable.run_management import RunManager, StoredRun
from mastra_core.workflows.durable.store.run_rows import AGENT_PREFIX, RunRow
from mastra_core.workflows.engine.run_query import RunQuery

__all__ = ("RunOperations",)

_MOVE_PAGE = 500  # runs that one operation moves


class RunOperations:
    """Lists, shows, changes and moves the runs of a database.

    :param manager: the manager of the runs.
    :param resource: show and change only the runs of this resource; all runs by default.
    :param context: the request context of the runs that are resumed or retried; by default, a run
        keeps the context of its last execution.
    """

    def __init__(
        self,
        manager: RunManager,
        resource: str = "",
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self._manager = manager
        self._resource = resource
        self._context = context

    async def list_runs(
        self, workflow: str = "", status: str = "", limit: int = 20
    ) -> dict[str, Any]:
        """Return the newest runs, the number of runs by status, and which runs are parked.

        :param workflow: the id of the workflow; all by default.
        :param status: the status of the runs; any by default.
        :param limit: the maximum number of runs to return.
        """
        query = RunQuery(
            status=status, resource_id=self._resource, limit=limit, finished_steps="none"
        )
        found = await self._manager.list(workflow, query)
        counts = await self._manager.count(workflow, query)
        parked = () if self._resource else (await self._manager.measure_backlog()).parked
        return {
            "runs": [_summarize_run(run) for run in found],
            "counts": counts,
            "parked": dump([each for each in parked if workflow in ("", each.workflow)]),
        }

    async def show_run(self, run_id: str, workflow: str = "", resource: str = "") -> dict[str, Any]:
        """Return a run, its steps, the runs that it has started, and whether it is parked.

        :param run_id: the id of the run.
        :param workflow: the id of the workflow; required if several workflows have a run with this
            id.
        :param resource: names the owner if several owners have a run with this id.
        :raises NotFound: when there is no such run.
        """
        run = await self._find(run_id, workflow, resource)
        parent = await self._manager.find_parent(run)
        children = [
            {"workflowId": workflow, "runId": run_id, "status": status}
            for workflow, run_id, status in await self._manager.list_children(run)
        ]
        relatives = {
            "parentRunId": None if parent is None else parent.run_id,
            "children": children,
        }
        facts = {**relatives, "parked": await self._is_parked(run)}
        return {"run": {**_summarize_run(run), **facts, "steps": dump(run.record.steps)}}

    async def _is_parked(self, run: StoredRun) -> bool:
        """Return whether a run is due, but no living process has its fingerprint."""
        if run.record.status != "running":
            return False
        parked = (await self._manager.measure_backlog()).parked
        description = (run.row.workflow, run.row.fingerprint)
        return description in [(each.workflow, each.fingerprint) for each in parked]

    async def cancel_run(
        self, run_id: str, workflow: str = "", resource: str = ""
    ) -> dict[str, Any]:
        """Cancel a run, and return its new state.

        :param run_id: the id of the run.
        :param workflow: the id of the workflow; required if several workflows have a run with this
            id.
        :param resource: names the owner if several owners have a run with this id.
        :raises NotFound: when there is no such run.
        :raises Conflict: when the run has ended.
        """
        run = await self._find(run_id, workflow, resource)
        await self._manager.cancel(run)
        return await self._show_change(run)

    async def resume_run(
        self,
        run_id: str,
        workflow: str = "",
        step: str = "",
        data: Any = None,
        resource: str = "",
    ) -> dict[str, Any]:
        """Resume a suspended step, and return the new state of the run.

        :param run_id: the id of the run.
        :param workflow: the id of the workflow; required if several workflows have a run with this
            id.
        :param step: the path of the step; may be empty if exactly one step is suspended.
        :param data: the data that resumes the step, as JSON builtins.
        :param resource: names the owner if several owners have a run with this id.
        :raises NotFound: when there is no such run.
        :raises Conflict: when the run or the step is not suspended, or when the run belongs to an
            agent.
        """
        run = await self._find(run_id, workflow, resource)
        if run.row.workflow.startswith(AGENT_PREFIX):  # only its routes check a decision
            raise Conflict(
                f"The run {run_id!r} of an agent waits for a decision about a tool call.",
                "Decide the call: POST /api/agents/ID/approve-tool-call",
            )
        await self._manager.resume(run, data, step, self._choose_context(run))
        return await self._show_change(run)

    async def retry_run(
        self, run_id: str, workflow: str = "", resource: str = ""
    ) -> dict[str, Any]:
        """Continue a failed run, and return its new state.

        :param run_id: the id of the run.
        :param workflow: the id of the workflow; required if several workflows have a run with this
            id.
        :param resource: names the owner if several owners have a run with this id.
        :raises NotFound: when there is no such run.
        :raises Conflict: when the run has succeeded.
        """
        run = await self._find(run_id, workflow, resource)
        await self._manager.retry(run, self._choose_context(run))
        return await self._show_change(run)

    async def list_fingerprints(self, workflow: str) -> dict[str, Any]:
        """Return the fingerprints of a workflow, with their processes and unfinished runs.

        :param workflow: the id of the workflow.
        """
        found = await self._manager.mover.list_fingerprints(workflow)
        return {"fingerprints": [_summarize_fingerprint(each) for each in found]}

    async def move_runs(
        self,
        run_id: str = "",
        workflow: str = "",
        source: str = "",
        target: str = "",
        after: int = 0,
        resource: str = "",
    ) -> dict[str, Any]:
        """Let runs continue with a changed description of their workflow.

        One call looks at 500 runs at most. If the result has a number in ``next``, more runs
        follow: call again with this number as ``after``.

        :param run_id: the id of the run; empty with ``source``.
        :param workflow: the id of the workflow.
        :param source: the fingerprint whose unfinished runs are moved; empty with ``run_id``.
        :param target: the new fingerprint; by default, the fingerprint that the living processes
            report.
        :param after: move only runs whose key is greater.
        :param resource: names the owner if several owners have a run with this id.
        :raises InvalidInput: when neither or both of ``run_id`` and ``source`` are set, or when
            ``source`` is set without ``workflow``.
        :raises Conflict: when the run cannot be moved, or no target can be selected.
        """
        if bool(run_id) == bool(source) or (source and not workflow):
            raise InvalidInput(
                "The request does not say which runs to move.",
                "Write either RUN_ID, or --from FINGERPRINT --workflow NAME.",
            )
        if source:
            return await self._move_page(workflow, source, target, after)
        row = (await self._find(run_id, workflow, resource)).row
        mover = self._manager.mover
        known = await mover.select_target(row.workflow, target)
        await mover.move(row, known)
        return {"to": known.fingerprint, "moved": [row.run_id], "refused": {}, "next": None}

    async def _move_page(
        self, workflow: str, source: str, target: str, after: int
    ) -> dict[str, Any]:
        mover = self._manager.mover
        known = await mover.select_target(workflow, target)
        rows = await mover.list_unfinished(source, after, _MOVE_PAGE)
        moved: list[str] = []
        refused: dict[str, str] = {}
        for row in rows:
            try:
                await _move_run(mover, row, workflow, known)
                moved.append(row.run_id)
            except Conflict as conflict:
                refused[row.run_id] = conflict.message
        following = rows[-1].id if len(rows) == _MOVE_PAGE else None
        return {"to": known.fingerprint, "moved": moved, "refused": refused, "next": following}

    def _choose_context(self, run: StoredRun) -> Mapping[str, Any] | None:
        """Return the operator's context, completed with the values of the stored context."""
        if self._resource or not self._context:  # a confined caller gets no values of others
            return self._context
        return {**msgspec.json.decode(run.row.context), **self._context}

    async def _find(self, run_id: str, workflow: str, resource: str) -> StoredRun:
        return await self._manager.find(run_id, workflow, self._resource or resource)

    async def _show_change(self, run: StoredRun) -> dict[str, Any]:
        found = await self._manager.read(run)
        if found is None:  # the run was deleted in between
            raise NotFound(
                f"There is no run {run.row.run_id!r}.", "List the runs: mastra runs list"
            )
        return {"run": _summarize_run(found)}


async def _move_run(mover: RunMover, row: RunRow, workflow: str, target: KnownFingerprint) -> None:
    if row.workflow != workflow:
        raise Conflict(
            f"The run belongs to the workflow {row.workflow!r}.", f"Write {row.workflow}."
        )
    await mover.move(row, target)


def _summarize_run(run: StoredRun) -> dict[str, Any]:
    row, record = run.row, run.record
    return {
        "runId": row.run_id,
        "workflowId": row.workflow,
        "resourceId": row.resource_id,
        "status": record.status,
        "suspendedSteps": record.suspended_steps,
        "createdAt": row.created_at,
        "updatedAt": record.updated_at,
        "attempt": row.attempt,
        "holder": row.holder,
        "fingerprint": row.fingerprint,
        "priority": row.priority,
        "error": None if record.error is None else dump(record.error),
    }


def _summarize_fingerprint(each: KnownFingerprint) -> dict[str, Any]:
    return {
        "fingerprint": each.fingerprint,
        "createdAt": each.created_at,
        "processes": list(each.processes),
        "unfinished": each.unfinished,
    }
