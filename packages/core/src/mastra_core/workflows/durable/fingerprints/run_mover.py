"""Move runs to another fingerprint of their workflow, if their outcomes fit its description."""

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
    :param created_at: when a process first had it, in milliseconds since the epoch.
    :param processes: the names of the living processes that execute its runs.
    :param description: the structure of the workflow.
    """

    fingerprint: str
    created_at: int
    processes: tuple[str, ...]
    description: WorkflowDescription


class RunMover:
    """Lets runs continue with another description of their workflow.

    :param store: the store.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store

    async def list_fingerprints(self, workflow: str) -> list[KnownFingerprint]:
        """Return the fingerprints of a workflow, newest first.

        :param workflow: the id of the workflow.
        """
        members = await self._store.list_members(living=True)
        return [
            KnownFingerprint(
                each.fingerprint,
                each.created_at,
                tuple(one.name for one in members if each.fingerprint in one.fingerprints),
                msgspec.json.decode(each.description, type=WorkflowDescription),
            )
            for each in await self._store.list_workflows(workflow)
        ]

    async def select_target(self, workflow: str, fingerprint: str = "") -> KnownFingerprint:
        """Return the fingerprint to which runs are moved.

        :param workflow: the id of the workflow.
        :param fingerprint: the fingerprint; by default the one that living processes have.
        :raises NotFound: when the database does not know the fingerprint.
        :raises Conflict: when no process, or processes of several fingerprints, are alive.
        """
        known = await self.list_fingerprints(workflow)
        hint = f"Look at its fingerprints: mastra runs fingerprints {workflow}"
        if fingerprint:
            for each in known:
                if each.fingerprint == fingerprint:
                    return each
            raise NotFound(f"No process had the fingerprint {fingerprint!r} of {workflow!r}.", hint)
        living = [each for each in known if each.processes]
        if not living:
            raise Conflict(
                f"No living process has the workflow {workflow!r}.",
                f"Start such a process, or write --to FINGERPRINT. {hint}",
            )
        if len(living) > 1:
            raise Conflict(
                f"Living processes have {len(living)} fingerprints of the workflow {workflow!r}.",
                f"Name one of them: --to FINGERPRINT. {hint}",
            )
        return living[0]

    async def move(self, row: RunRow, target: KnownFingerprint) -> None:
        """Let a run continue with another fingerprint.

        :param row: the run.
        :param target: the fingerprint.
        :raises Conflict: when the recorded outcomes do not fit the other description, or the run
            has ended, is executed or has changed.
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
            raise Conflict(f"The run {row.run_id!r} has changed in between.", "Try again.")

    async def list_unfinished(self, fingerprint: str, after: int, limit: int) -> Sequence[RunRow]:
        """Return started runs with a fingerprint that have not ended, in the order of their keys.

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
            f"The description {row.fingerprint!r} of the run {row.run_id!r} is not stored.",
            "Start a process that has it.",
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
            f"The run {row.run_id!r} is executed by {row.holder!r}.",
            "Wait until it rests, or stop that process.",
        )
