"""The transactions on schedules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from mastra_core.workflows.durable.store.execution_queries import begin_execution
from mastra_core.workflows.durable.store.query_parts import join_placeholders
from mastra_core.workflows.durable.store.run_queries import create_run
from mastra_core.workflows.durable.store.run_rows import NewRun, ScheduleRow
from mastra_core.workflows.durable.store.transactions import Queries, Query

__all__ = ("fire_schedule", "read_schedules", "register_schedule", "set_schedule_status")

_FIELDS = ScheduleRow.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)


def read_schedules(
    now: str, schedule: str = "", within: int | None = None
) -> Queries[tuple[int, Sequence[ScheduleRow]]]:
    """Read the time of the database, and schedules.

    :param now: an SQL expression for the present time.
    :param schedule: the id of the only schedule to read; empty for all.
    :param within: read only active schedules that are due in so many milliseconds, and schedules
        whose process is dead; ``None`` for all.
    """
    living = f"SELECT id FROM mastra_run_members WHERE lease_until > {now}"  # noqa: S608  # no values
    member = f"CASE WHEN member IN ({living}) THEN member ELSE '' END"
    columns = ", ".join(member if name == "member" else name for name in _FIELDS)
    conditions, values = ["true"], list[Any]()
    if schedule:
        conditions, values = ["id = ?"], [schedule]
    if within is not None:  # a process with many schedules looks often
        conditions.append(
            f"(status = 'active' AND next_at <= {now} + ? OR member NOT IN ({living}))"
        )
        values.append(within)
    rows = yield Query(
        f"SELECT {columns} FROM mastra_run_schedules WHERE {' AND '.join(conditions)} ORDER BY id",  # noqa: S608  # no values
        values,
    )
    ((time_,),) = yield Query(f"SELECT {now}")  # no values
    return time_, [ScheduleRow(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


def register_schedule(schedule: ScheduleRow) -> Queries[None]:
    """Add a schedule, or replace the expression, the time zone and the process of a stored one.

    :param schedule: the schedule.
    """
    values = [getattr(schedule, name) for name in _FIELDS]
    yield Query(
        f"""INSERT INTO mastra_run_schedules ({_COLUMNS}) VALUES ({join_placeholders(_FIELDS)})
        ON CONFLICT (id) DO UPDATE SET cron = excluded.cron, timezone = excluded.timezone,
            next_at = excluded.next_at, member = excluded.member, updated_at = excluded.updated_at
        WHERE mastra_run_schedules.cron <> excluded.cron
            OR mastra_run_schedules.timezone <> excluded.timezone""",  # noqa: S608  # no values
        values,
    )
    yield Query(  # the next start stays
        "UPDATE mastra_run_schedules SET member = ? WHERE id = ? AND cron = ? AND timezone = ? "
        "AND member <> ?",
        (schedule.member, schedule.id, schedule.cron, schedule.timezone, schedule.member),
    )


def set_schedule_status(
    schedule: str, status: Literal["active", "paused"], next_at: int
) -> Queries[None]:
    """Pause or continue a schedule.

    :param schedule: the id of the schedule.
    :param status: the new status.
    :param next_at: the time of the next start.
    """
    yield Query(
        "UPDATE mastra_run_schedules SET status = ?, next_at = ?, updated_at = ? "
        "WHERE id = ? AND status <> ?",
        (status, next_at, time.time_ns() // 1_000_000, schedule, status),
    )


def fire_schedule(
    schedule: ScheduleRow,
    next_at: int,
    new: NewRun,
    values: tuple[str, str, str | None],
    now: str,
) -> Queries[bool]:
    """Start the run that is due, unless the schedule has changed.

    :param schedule: the schedule's row, as the caller read it before.
    :param next_at: when the schedule starts the run after this one.
    :param new: the run.
    :param values: the JSON of the first event of the run, of its settings and of its request
        context.
    :param now: an SQL expression for the present time.
    """
    changed = yield Query(
        """UPDATE mastra_run_schedules SET last_at = next_at, next_at = ?, last_run = ?
        WHERE id = ? AND next_at = ? AND status = 'active' AND cron = ? AND timezone = ?
        RETURNING id""",
        (next_at, new.run_id, schedule.id, schedule.next_at, schedule.cron, schedule.timezone),
    )
    if not changed:
        return False
    row = yield from create_run(new, 0)
    if row is not None and not row.attempt:  # an earlier start of the run counts
        yield from begin_execution(row, ("", *values, None, new.fingerprint), set(), set(), now)
    return True
