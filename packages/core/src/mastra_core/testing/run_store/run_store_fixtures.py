"""Fixtures and records for tests of a store for durable runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from mastra_core.workflows.durable import Member, NewRun, RunRow, RunStore, ScheduleRow

__all__ = (
    "END",
    "EVENT",
    "Run",
    "RunStoreFixtures",
    "begin_run",
    "build_member",
    "build_run",
    "build_schedule",
)

Run = Callable[[Coroutine[Any, Any, Any]], Any]
END = '{"type":"run-finished","status":"success"}'
EVENT = '{"type":"step-started","step":"a"}'


class RunStoreFixtures:
    """The fixtures of the suite; the author of a store overrides ``store``."""

    @pytest.fixture
    def store(self) -> RunStore:
        """Return a store without runs."""
        pytest.fail(f"{type(self).__name__} needs a fixture `store`: a store without runs.")

    @pytest.fixture
    def run(self, store: RunStore) -> Iterator[Run]:
        """Yield a function that runs a coroutine, and close the store at the end.

        :param store: the store.
        """
        with asyncio.Runner() as runner:
            runner.run(store.open())
            yield runner.run
            runner.run(store.close())


def build_run(run_id: str = "r1", *, scope: str = "", resource_id: str = "") -> NewRun:
    """Build a run of the workflow ``w`` with the fingerprint ``f1``.

    :param run_id: the id of the run.
    :param scope: the resource that the creator is confined to.
    :param resource_id: the owner of the run.
    """
    return NewRun(
        workflow="w",
        run_id=run_id,
        scope=scope,
        resource_id=resource_id,
        created_at=1000,
        fingerprint="f1",
    )


def build_schedule(id: str = "wf_w", next_at: int = 5000, member: str = "") -> ScheduleRow:
    """Build a schedule of the workflow ``w``.

    :param id: the id of the schedule.
    :param next_at: the time of the next start.
    :param member: the process that registers the schedule.
    """
    return ScheduleRow(
        id=id,
        workflow="w",
        cron="* * * * *",
        timezone="UTC",
        next_at=next_at,
        member=member,
        created_at=1,
    )


def build_member(name: str, *fingerprints: str) -> Member:
    """Build a process.

    :param name: the name of the process.
    :param fingerprints: the fingerprints of the workflows that the process executes.
    """
    return Member(id=name, name=name, machine="m", process=1, fingerprints=fingerprints)


def begin_run(store: RunStore, run: Run, run_id: str = "r1") -> RunRow:
    """Create a run, and begin its execution in the process ``one``.

    :param store: the store.
    :param run: the function that runs a coroutine.
    :param run_id: the id of the run.
    """
    created = run(store.create(build_run(run_id), 10))
    row: RunRow = run(store.begin(created, "one", EVENT, "{}", fingerprint="f1"))
    return row
