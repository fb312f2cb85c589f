"""Show, pause, continue and run the schedules of the registered workflows."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mastra_core.errors import Conflict, NotFound
from mastra_core.workflows.durable.schedules.scheduler import build_run_id, map_schedules
from mastra_core.workflows.durable.store.run_rows import ScheduleRow
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.engine.run_query import RunQuery
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.model.schedule import Schedule
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("ScheduleManager", "StoredSchedule")


class StoredSchedule(NamedTuple):
    """A schedule of a registered workflow.

    :param row: the schedule in the store.
    :param workflow: the workflow.
    :param schedule: the schedule as the application defines it.
    """

    row: ScheduleRow
    workflow: Workflow
    schedule: Schedule


class ScheduleManager:
    """Manages the schedules of an engine.

    :param engine: the engine.
    :param store: the store.
    :param workflows: the workflows that this process knows, by id.
    :param open: opens the store.
    """

    def __init__(
        self,
        engine: Engine,
        store: RunStore,
        workflows: Mapping[str, Workflow],
        open: Callable[[], Awaitable[Any]],
    ) -> None:
        self._engine, self._store, self._workflows = engine, store, workflows
        self._open = open

    async def list(self) -> list[StoredSchedule]:
        """Return the schedules of the workflows, by id.

        :raises StorageError: when the database cannot be used.
        """
        known = map_schedules(self._workflows.values())
        if not known:
            return []
        await self._open()
        _, rows = await self._store.read_schedules()
        return [StoredSchedule(row, *known[row.id]) for row in rows if row.id in known]

    async def get(self, id: str) -> StoredSchedule:
        """Return the schedule with an id.

        :param id: the id of the stored schedule: ``wf_WORKFLOW``, or ``wf_WORKFLOW__ID`` if the
            schedule itself has an id.
        :raises NotFound: when there is no such schedule.
        :raises StorageError: when the database cannot be used.
        """
        known = map_schedules(self._workflows.values())
        if id in known:
            await self._open()
            _, rows = await self._store.read_schedules(id)
            if rows:
                return StoredSchedule(rows[0], *known[id])
        raise NotFound(f"There is no schedule {id!r}.", "List the schedules.")

    async def pause(self, id: str) -> StoredSchedule:
        """Prevent the schedule from starting runs until ``resume``, even after a restart.

        :param id: the id of the schedule.
        :raises NotFound: when there is no such schedule.
        """
        stored = await self.get(id)
        await self._store.set_schedule_status(id, "paused", stored.row.next_at)
        return await self.get(id)

    async def resume(self, id: str) -> StoredSchedule:
        """Let a paused schedule start runs again, from its next time after now.

        :param id: the id of the schedule.
        :raises NotFound: when there is no such schedule.
        """
        stored = await self.get(id)
        now, _ = await self._store.read_schedules(id)
        await self._store.set_schedule_status(id, "active", stored.schedule.find_next(now))
        return await self.get(id)

    async def run(self, id: str) -> Run:
        """Start a run now; the next time of the schedule stays the same.

        :param id: the id of the schedule.
        :raises NotFound: when there is no such schedule.
        """
        stored = await self.get(id)
        schedule = stored.schedule
        for moment in itertools.count(get_timestamp_ms()):
            if moment % 1000 == 0:  # the schedule itself starts runs at whole seconds
                continue
            run = await self._engine.create(stored.workflow, build_run_id(id, moment))
            with contextlib.suppress(Conflict):  # another call in this millisecond
                await self._engine.start(
                    run, schedule.input, schedule.context, state=schedule.state
                )
                return run
        raise AssertionError

    async def find_run(self, entry: StoredSchedule, *, with_steps: bool = True) -> RunRecord | None:
        """Return the record of the run that was started last, or ``None`` if it was removed.

        :param entry: the schedule.
        :param with_steps: whether the record of a finished run has the steps.
        """
        query = RunQuery(run_id=entry.row.last_run, finished_steps="all" if with_steps else "none")
        found = await self._engine.list(entry.workflow, query)
        return found[0] if found else None

    async def list_runs(
        self, id: str, limit: int = 50, *, with_steps: bool = True
    ) -> Sequence[RunRecord]:
        """Return the runs that a schedule has started, newest first.

        :param id: the id of the schedule.
        :param limit: the maximum number of runs to return.
        :param with_steps: whether the records of finished runs contain their steps.
        :raises NotFound: when there is no such schedule.
        """
        stored = await self.get(id)
        # The length excludes a schedule whose id continues this one: report_2 for report.
        length = len(build_run_id(id, get_timestamp_ms()))
        query = RunQuery(
            run_id_prefix=build_run_id(id, 0)[:-1],
            run_id_length=length,
            limit=limit,
            finished_steps="all" if with_steps else "none",
        )
        return await self._engine.list(stored.workflow, query)
