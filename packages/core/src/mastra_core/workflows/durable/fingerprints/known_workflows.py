"""Report which workflows a process executes, and park the runs that no process can execute."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from mastra_core.logger import get_logger
from mastra_core.workflows.durable.schedules.scheduler import map_schedules
from mastra_core.workflows.durable.store.run_rows import KnownWorkflow, ParkedRuns
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.model.definition import WorkflowDefinition
from mastra_core.workflows.model.description import describe_workflow
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("KnownWorkflows",)

_PARK_SIZE = 500


class KnownWorkflows:
    """The workflows that a process knows, by fingerprint, including earlier descriptions.

    :param store: the store.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._workflows: dict[str, Workflow] = {}
        self._current: dict[str, Workflow] = {}
        self._stored: set[str] = set()
        self._reported: set[str] = set()

    @property
    def fingerprints(self) -> Mapping[str, Workflow]:
        """The workflows by fingerprint."""
        return self._workflows

    @property
    def current(self) -> Mapping[str, Workflow]:
        """The workflows by id, without earlier descriptions."""
        return self._current

    @property
    def is_stored(self) -> bool:
        """Whether the descriptions of all workflows are stored."""
        return len(self._stored) == len(self._workflows)

    def add(self, workflow: Workflow) -> None:
        """Add a workflow, its earlier descriptions, and the child workflows whose runs it starts.

        :param workflow: the workflow.
        :raises ConfigError: when another workflow has a schedule with the same id.
        """
        if workflow.schedules and self._current.get(workflow.id) is not workflow:
            map_schedules({**self._current, workflow.id: workflow}.values())
        self._current[workflow.id] = workflow
        if workflow.fingerprint not in self._workflows:
            for each in _iter_descriptions(workflow):
                self._workflows.setdefault(each.fingerprint, each)
                self._add_children(each)

    def _add_children(self, workflow: Workflow) -> None:
        for child in (each for step in workflow.iter_steps() for each in step.list_children()):
            if isinstance(child, Workflow) and child.fingerprint not in self._workflows:
                present = self._current.get(child.id, child)
                self.add(child)
                self._current[child.id] = present

    def find(self, fingerprint: str, default: Workflow) -> Workflow:
        """Return the workflow that executes a run, perhaps an earlier description of it.

        :param fingerprint: the fingerprint of the run.
        :param default: the workflow that the caller uses. The method returns ``default`` if it has
            the fingerprint, or if this process does not know the fingerprint.
        """
        if default.fingerprint == fingerprint:
            return default
        return self._workflows.get(fingerprint, default)

    async def store_descriptions(self) -> None:
        """Store the descriptions of the workflows, because ``mastra runs move`` needs them."""
        new = {key: each for key, each in self._workflows.items() if key not in self._stored}
        if not new:
            return
        now = get_timestamp_ms()
        rows = [
            KnownWorkflow(
                fingerprint=key,
                workflow=each.id,
                description=msgspec.json.encode(describe_workflow(each)).decode(),
                created_at=now,
            )
            for key, each in new.items()
        ]
        await self._store.store_workflows(rows)
        self._stored.update(new)

    async def park_others(self, fingerprints: Collection[str]) -> None:
        """Park runs that no process can execute, and unpark runs that this process can execute.

        :param fingerprints: the fingerprints that this process has reported.
        """
        await self._store.unpark(fingerprints, _PARK_SIZE)
        for runs in await self._store.park(_PARK_SIZE):
            if runs.fingerprint not in self._reported:
                self._reported.add(runs.fingerprint)
                _report(runs)


def _iter_descriptions(workflow: WorkflowDefinition) -> Iterator[Workflow]:
    pending: list[WorkflowDefinition] = [workflow]
    while pending:  # each description may name the one before it, so that the chain grows for years
        each = pending.pop()
        if isinstance(each, Workflow):
            yield each
        pending.extend(reversed(each.previous))


def _report(runs: ParkedRuns) -> None:
    get_logger("mastra.workflows").warning(
        "runs of workflow %r are parked, because no process has the workflow description %s. Start "
        "a process with this description, or move the runs: mastra runs move",
        runs.workflow,
        runs.fingerprint,
    )
