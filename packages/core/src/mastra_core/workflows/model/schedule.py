"""Schedules of a workflow: when runs start by themselves, and with which input."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Iterable, Mapping
from typing import Any

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.workflows.model.cron_expression import CronExpression

__all__ = ("Schedule", "as_schedules", "build_schedule_id")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Starts runs of a workflow at the times of a cron expression.

    :param cron: five fields (minute, hour, day of the month, month, day of the week), six fields
        with the second first, or a nickname such as ``@daily``.
    :param timezone: the name of the time zone, such as ``Europe/Berlin``.
    :param input: the input of each run.
    :param state: the initial shared state of each run.
    :param context: the request context of each run.
    :param metadata: values that the API shows, for example to describe the schedule.
    :param id: the id, which is needed if the workflow has several schedules. The id of a schedule
        must not change between deploys.
    :raises ConfigError: when the expression or the time zone is invalid, or an argument has the
        wrong type.
    """

    cron: str
    timezone: str = "UTC"
    input: Any = None
    state: Mapping[str, Any] | None = None
    context: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    id: str = ""

    def __post_init__(self) -> None:
        check_types(vars(self), Schedule.__annotations__)
        self.find_next(0)

    def find_next(self, after: int) -> int:
        """Return the first scheduled time after a moment, in milliseconds since the epoch.

        :param after: the moment, in milliseconds since the epoch.
        """
        moment = dt.datetime.fromtimestamp(after / 1000, dt.UTC)
        found = self._expression.find_next(moment, self._zone)
        return int(found.timestamp()) * 1000

    @functools.cached_property
    def _expression(self) -> CronExpression:
        return CronExpression(self.cron)

    @functools.cached_property
    def _zone(self) -> dt.tzinfo:
        if self.timezone == "UTC":
            return dt.UTC
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise ConfigError(
                f"The time zone {self.timezone!r} is unknown.",
                "Write a name such as 'Europe/Berlin'. If the system has no time zones, install "
                "the package tzdata.",
            ) from None


def as_schedules(value: Any) -> tuple[Schedule, ...]:
    """Convert a setting to schedules.

    :param value: a cron expression, a schedule, several schedules, or ``None``.
    :raises ConfigError: when the value has another type, when two schedules have the same id, or
        when one of several schedules has no id.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return (Schedule(value),)
    if isinstance(value, Schedule):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise ConfigError(
            f"schedule={value!r} is not a schedule.", "Write Schedule('0 9 * * *', input=...)."
        )
    schedules = tuple(each for item in value for each in as_schedules(item))
    ids = [each.id for each in schedules]
    if len(schedules) > 1 and (len({*ids}) < len(ids) or not all(ids)):
        raise ConfigError(
            f"The schedules of one workflow need different ids, but the ids are {ids!r}.",
            "Give each schedule an id of its own: Schedule('0 9 * * *', id='morning').",
        )
    return schedules


def build_schedule_id(workflow: str, schedule: Schedule) -> str:
    """Return an id for a schedule that is unique among the schedules of all workflows.

    :param workflow: the id of the workflow.
    :param schedule: the schedule.
    """
    return f"wf_{workflow}__{schedule.id}" if schedule.id else f"wf_{workflow}"
