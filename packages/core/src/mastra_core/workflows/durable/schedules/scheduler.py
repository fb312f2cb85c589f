"""Start each run of a schedule at its time, once for all processes together."""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable, Mapping, Sequence

from mastra_core.errors import ConfigError, InvalidInput, StorageError
from mastra_core.logger import get_logger
from mastra_core.schema import dump
from mastra_core.workflows.durable.store.run_rows import (
    ExecutionSettings,
    NewRun,
    ScheduleRow,
    encode,
)
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.engine.run_checks import build_initial_state
from mastra_core.workflows.engine.run_events import RunStarted
from mastra_core.workflows.model.schedule import Schedule, build_schedule_id
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Scheduler", "build_run_id", "map_schedules", "refuse_scheduled_id")

_INTERVAL = 1.0  # seconds between two looks at the schedules
_HORIZON = 2_000  # milliseconds from now of the schedules that a look reads
_ADOPTION = 3.0  # seconds in which a process with the same expression replaces one that has died
_ABANDONED = 60_000  # milliseconds after its time, when a schedule that did not start is abandoned

Schedules = dict[str, tuple[Workflow, Schedule]]


class Scheduler:
    """Starts the runs that are due, unless another process has started them.

    :param store: the store.
    :param workflows: the workflows that this process knows, by id.
    :param member: the id of this process.
    """

    def __init__(self, store: RunStore, workflows: Mapping[str, Workflow], member: str) -> None:
        self._store, self._workflows, self._member = store, workflows, member
        self._registered: set[str] = set()
        self._orphans: dict[str, float] = {}  # since when no living process has an expression
        self._known: tuple[list[Workflow], Schedules] = ([], {})
        self._next_look = 0.0

    async def fire_due(self) -> bool:
        """Start the runs that are due; return whether there were any.

        :raises StorageError: when the database cannot be used.
        """
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _INTERVAL
        known = self._map_known()
        if not known:
            return False
        looked = time.monotonic()
        now, rows = await self._store.read_schedules(within=_HORIZON)
        self._forget_abandoned(known, now, rows)
        if new := known.keys() - self._registered:
            await self._register({id_: known[id_] for id_ in new}, now)
            now, rows = await self._store.read_schedules(within=_HORIZON)
        rows = [row for row in rows if row.status == "active" and _is_known(row, known)]
        due = [row for row in rows if row.next_at <= now]
        times = [
            row.next_at if row.next_at > now else known[row.id][1].find_next(now) for row in rows
        ]
        self._next_look = looked + min([_INTERVAL, *((each - now) / 1000 for each in times)])
        return any([await self._try_fire(*known[row.id], row, now) for row in due])

    def _map_known(self) -> Schedules:
        workflows = [*self._workflows.values()]
        known, schedules = self._known
        if len(known) != len(workflows) or any(map(operator.is_not, known, workflows)):
            schedules = map_schedules(workflows)
            self._known = (workflows, schedules)
        return schedules

    def _forget_abandoned(self, own: Schedules, now: int, rows: Sequence[ScheduleRow]) -> None:
        """Register a schedule again if no process starts its runs any more.

        If the process that registered a schedule has died, another process with the same cron
        expression registers the schedule when it next reads the schedules. If no process has the
        same cron expression, a process with another one registers the schedule after a delay.
        """
        moment = time.monotonic()
        self._orphans = {
            row.id: self._orphans.get(row.id, moment) for row in rows if not row.member
        }
        for row in rows:
            age = moment - self._orphans.get(row.id, moment)
            is_orphan = not row.member and (_is_known(row, own) or age >= _ADOPTION)
            is_due = row.status == "active" and row.next_at < now - _ABANDONED
            is_late = is_due and not _is_known(row, own)
            if is_orphan or is_late:
                self._registered.discard(row.id)

    async def _register(self, schedules: Schedules, now: int) -> None:
        """Store schedules; each schedule starts its first run after ``now``."""
        for id_, (workflow, schedule) in schedules.items():
            row = ScheduleRow(
                id=id_,
                workflow=workflow.id,
                cron=schedule.cron,
                timezone=schedule.timezone,
                next_at=schedule.find_next(now),
                member=self._member,
                created_at=now,
                updated_at=now,
            )
            await self._store.register_schedule(row)
            self._registered.add(id_)

    async def _try_fire(
        self, workflow: Workflow, schedule: Schedule, row: ScheduleRow, now: int
    ) -> bool:
        try:
            return await self._fire(workflow, schedule, row, now)
        except StorageError:
            raise
        except Exception:  # noqa: BLE001  # one schedule must not stop the others
            get_logger("mastra.workflows").exception("schedule %s cannot start a run", row.id)
            return False

    async def _fire(
        self, workflow: Workflow, schedule: Schedule, row: ScheduleRow, now: int
    ) -> bool:
        """Start the run that is due; if servers were down, start one run for all missed times."""
        state = build_initial_state(workflow, schedule.state)
        event = RunStarted(input=dump(schedule.input), state=state)
        run_id = build_run_id(row.id, row.next_at)
        started = await self._store.fire_schedule(
            row,
            schedule.find_next(now),
            NewRun(
                workflow=workflow.id,
                run_id=run_id,
                created_at=now,
                fingerprint=workflow.fingerprint,
            ),
            encode(event),
            encode(ExecutionSettings(state=state)),
            encode(dump(schedule.context)) if schedule.context else None,
        )
        if started:
            get_logger("mastra.workflows").info("schedule %s has started run %s", row.id, run_id)
        return started


def map_schedules(workflows: Iterable[Workflow]) -> Schedules:
    """Return the schedules of workflows, by id.

    :param workflows: the workflows.
    :raises ConfigError: when two workflows have a schedule with the same id.
    """
    schedules: Schedules = {}
    for workflow in workflows:
        for schedule in workflow.schedules:
            id_ = build_schedule_id(workflow.id, schedule)
            other, _ = schedules.setdefault(id_, (workflow, schedule))
            if other is not workflow:
                raise ConfigError(
                    f"The workflows {other.id!r} and {workflow.id!r} have a schedule with the same "
                    f"id {id_!r}.",
                    "Give one of the schedules another id: Schedule(..., id='other').",
                )
    return schedules


def build_run_id(schedule: str, moment: int) -> str:
    """Return the id of the run that a schedule starts at a time.

    :param schedule: the id of the schedule.
    :param moment: the time, in milliseconds since the epoch.
    """
    return f"sched_{schedule}_{moment}"


def refuse_scheduled_id(workflow: Workflow, run_id: str) -> None:
    """Check that a run id chosen by a caller is not an id that a schedule gives its runs.

    With an id of a schedule, a caller could create the schedule's next run before its time and with
    another input, or add runs to the list of runs that the schedule has started.

    :param workflow: the workflow of the run.
    :param run_id: the id of the run.
    :raises InvalidInput: when only a schedule of the workflow may use the id.
    """
    for schedule in workflow.schedules:
        id_ = build_schedule_id(workflow.id, schedule)
        if run_id.startswith(build_run_id(id_, 0)[:-1]):
            raise InvalidInput(
                f"The run id {run_id!r} is reserved for the schedule {id_!r}.",
                "Choose another run id.",
            )


def _is_known(row: ScheduleRow, schedules: Schedules) -> bool:
    """Return whether a stored schedule has the expression and the time zone of this process."""
    if row.id not in schedules:
        return False
    schedule = schedules[row.id][1]
    return (row.cron, row.timezone) == (schedule.cron, schedule.timezone)
