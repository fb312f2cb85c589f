"""Move runs to another description of their workflow, if their recorded outcomes fit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from mastra_core.errors import Conflict, NotFound
from mastra_core.workflows.durable.fingerprints.journal_fit import check_fit
from mastra_core.workflows.durable.store.run_rows import ExecutionSettings, RunRow
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.model.description import WorkflowDescription

__all__ = ("KnownFingerprint", "RunMover")

_IMMOVABLE = frozenset(("pending", "success", "canceled"))


class KnownFingerprint(NamedTuple):
    """A fingerprint of a workflow that the database knows.

    :param fingerprint: the fingerprint.
    :param created_at: when a process first reported the fingerprint, in milliseconds since the
        epoch.
    :param processes: the names of the living processes that execute runs with this fingerprint.
    :param unfinished: the number of started, unfinished runs with this fingerprint.
    :param description: the structure of the workflow.
    """

    fingerprint: str
    created_at: int
    processes: tuple[str, ...]
    unfinished: int
    description: WorkflowDescription


class RunMover:
    """Lets runs continue with a changed description of their workflow.

    :param store: the store.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store

    async def list_fingerprints(self, workflow: str) -> list[KnownFingerprint]:
        """Return the fingerprints of a workflow, newest first.

        :param workflow: the id of the workflow.
        """
        members = await self._store.list_members(living=True)
        counts = await self._store.count_unfinished(workflow)
        return [
            KnownFingerprint(
                each.fingerprint,
                each.created_at,
                tuple(one.name for one in members if each.fingerprint in one.fingerprints),
                counts.get(each.fingerprint, 0),
                msgspec.json.decode(each.description, type=WorkflowDescription),
            )
            for each in await self._store.list_workflows(workflow)
        ]

    async def select_target(self, workflow: str, fingerprint: str = "") -> KnownFingerprint:
        """Return the fingerprint to which runs are moved.

        :param workflow: the id of the workflow.
        :param fingerprint: the fingerprint; by default, the fingerprint that the living processes
            report.
        :raises NotFound: when the database does not know the fingerprint.
        :raises Conflict: when no process is alive that executes the workflow, or when the living
            processes have several fingerprints.
        """
        known = await self.list_fingerprints(workflow)
        hint = f"List the fingerprints: mastra runs fingerprints {workflow}"
        if fingerprint:
            for each in known:
                if each.fingerprint == fingerprint:
                    return each
            raise NotFound(
                f"No fingerprint {fingerprint!r} is stored for the workflow {workflow!r}.", hint
            )
        living = [each for each in known if each.processes]
        if not living:
            raise Conflict(
                f"No living process has the workflow {workflow!r}.",
                f"Start a process that has the workflow, or pass --to FINGERPRINT. {hint}",
            )
        if len(living) > 1:
            raise Conflict(
                f"Living processes have {len(living)} fingerprints of the workflow {workflow!r}.",
                f"Name one of the fingerprints: --to FINGERPRINT. {hint}",
            )
        return living[0]

    async def move(self, row: RunRow, target: KnownFingerprint) -> None:
        """Let a run continue with another fingerprint.

        :param row: the run.
        :param target: the fingerprint.
        :raises Conflict: when the recorded outcomes do not fit the target's description, or when
            the run has ended, is being executed, or has changed.
        """
        _require_movable(row, target)
        journal = await self._store.read_journal(row.id)
        start = msgspec.json.decode(row.settings, type=ExecutionSettings).start
        check_fit(
            await self._get_description(row),
            target.description,
            {*journal.outcomes, *journal.emitted, *journal.answers, *journal.wakes},
            () if start is None else start.path,
        )
        if not await self._store.move(row, target.fingerprint):
            raise Conflict(f"Another process has changed the run {row.run_id!r}.", "Try again.")

    async def list_unfinished(self, fingerprint: str, after: int, limit: int) -> Sequence[RunRow]:
        """Return the started, unfinished runs with a fingerprint, ordered by their keys.

        :param fingerprint: the fingerprint.
        :param after: return only runs whose key is greater.
        :param limit: the maximum number of runs to return.
        """
        return await self._store.list_unfinished(fingerprint, after, limit)

    async def _get_description(self, row: RunRow) -> WorkflowDescription:
        for each in await self._store.list_workflows(row.workflow):
            if each.fingerprint == row.fingerprint:
                return msgspec.json.decode(each.description, type=WorkflowDescription)
        raise Conflict(
            f"The description of the workflow with which the run {row.run_id!r} started "
            f"({row.fingerprint!r}) is not stored.",
            "Start a process that has this description.",
        )


def _require_movable(row: RunRow, target: KnownFingerprint) -> None:
    if row.status in _IMMOVABLE:
        raise Conflict(
            f"The run {row.run_id!r} cannot be moved: its status is {row.status!r}.",
            "Move runs that have started, and that have not ended or have failed.",
        )
    if row.fingerprint == target.fingerprint:
        raise Conflict(
            f"The run {row.run_id!r} has the fingerprint {row.fingerprint!r} already.",
            "Name another one: --to FINGERPRINT.",
        )
    if row.holder:
        raise Conflict(
            f"The process {row.holder!r} is executing the run {row.run_id!r}.",
            "Wait until the run is suspended, or stop that process.",
        )
