"""Selections of runs for lists and counts, and pages of lists."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import InvalidInput
from mastra_core.workflows.engine.run_record import RunRecord

__all__ = ("RunCursor", "RunPage", "RunQuery")


_COUNTS = ("run_id_length", "last_events", "offset", "limit")
_TIMES = ("since", "until", "updated_since")
_MAX_NUMBER = 2**63 - 1  # the greatest integer of a database
_CHOICES = {"order": ("created", "updated"), "finished_steps": ("all", "outer", "none")}


class RunCursor(NamedTuple):
    """The position of a run in a list; it stays valid when other runs leave the list.

    :param time: the time by which the list is ordered, in milliseconds since the epoch.
    :param key: the key of the run in its store; runs with the same time are ordered by this key.
    """

    time: int
    key: int


class RunPage(NamedTuple):
    """A part of a list of runs.

    :param records: the records of the runs.
    :param cursor: the position of the last run of this page, after which the next page begins;
        ``None`` if the page is not full, which means that it is the last page.
    """

    records: list[RunRecord]
    cursor: RunCursor | None


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Selects runs of a workflow, newest first.

    :param run_id: the id of the run; any by default.
    :param run_id_prefix: select the runs whose ids begin with this text; all runs by default.
    :param run_id_length: select the runs whose ids have this number of characters; all runs by
        default.
    :param status: select the runs with this status, or with one of several statuses; all runs by
        default.
    :param resource_id: the owner of the runs; any by default.
    :param since: the earliest time of creation, in milliseconds since the epoch.
    :param until: the latest time of creation, in milliseconds since the epoch.
    :param thread: the thread of agent runs; any by default. Only durable engines know the thread of
        a run.
    :param updated_since: the earliest time of the last change, in milliseconds since the epoch.
    :param order: how durable engines sort the runs: by the time of creation, or by the time of the
        last change.
    :param last_events: how many of the latest events of each durable run to read, in addition to
        its first event. The records omit all other events. By default, all events are read.
    :param finished_steps: which steps the records of finished durable runs contain: ``all``,
        ``none``, or ``outer`` for the steps of the workflow without nested steps and ``foreach``
        items. The engine does not read the events of omitted steps.
    :param after: list only the runs after this position. Unlike ``offset``, a position skips no run
        if earlier runs leave the list between two pages.
    :param offset: how many of the selected runs to skip.
    :param limit: the maximum number of runs; all by default.
    :raises InvalidInput: for a value of the wrong type, a negative number or an unknown choice.
    """

    run_id: str = ""
    run_id_prefix: str = ""
    run_id_length: int | None = None
    status: str | tuple[str, ...] = ""
    resource_id: str = ""
    since: int | None = None
    until: int | None = None
    thread: str = ""
    updated_since: int | None = None
    order: Literal["created", "updated"] = "created"
    last_events: int | None = None
    finished_steps: Literal["all", "outer", "none"] = "all"
    after: RunCursor | None = None
    offset: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        check_types(msgspec.structs.asdict(self), RunQuery.__annotations__, InvalidInput)
        for name in (*_COUNTS, *_TIMES):
            number, least = getattr(self, name), 0 if name in _COUNTS else -_MAX_NUMBER
            if number is not None and not least <= number <= _MAX_NUMBER:
                raise InvalidInput(
                    f"The value {name}={number!r} of RunQuery is out of its range.",
                    f"Use a number from {least} to {_MAX_NUMBER}.",
                )
        if self.after is not None and not isinstance(self.after, tuple):
            raise InvalidInput(
                f"The value after={self.after!r} of RunQuery is not a position.",
                "Pass the cursor of the previous page.",
            )
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise InvalidInput(
                    f"The value {name}={value!r} of RunQuery does not exist.",
                    f"Use {', '.join(choices)}.",
                )

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses of the selected runs; empty for all runs."""
        if isinstance(self.status, str):
            return (self.status,) if self.status else ()
        return tuple(self.status)

    def matches(self, record: RunRecord) -> bool:
        """Return whether the query selects a run; ``after``, ``offset`` and ``limit`` have no
        effect.

        :param record: the record of the run.
        """
        return (
            self.run_id in ("", record.run_id)
            and record.run_id.startswith(self.run_id_prefix)
            and self.run_id_length in (None, len(record.run_id))
            and (not self.status or record.status in self.statuses)
            and (not self.resource_id or record.resource_id == self.resource_id)
            and (self.since is None or record.created_at >= self.since)
            and (self.until is None or record.created_at <= self.until)
            and (self.updated_since is None or record.updated_at >= self.updated_since)
        )
