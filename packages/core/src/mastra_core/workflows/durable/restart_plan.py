"""Decide what a restarted run keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mastra_core.workflows.durable.durable_journal import decode_outcomes
from mastra_core.workflows.durable.store.run_rows import JournalData, RunRow
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_checks import require_restartable
from mastra_core.workflows.engine.run_events import RunRewound
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.step_parts import drop_last_answers, get_part_owner
from mastra_core.workflows.engine.time_travel import drop_final_failures, select_kept_keys

__all__ = ("RestartPlan", "plan_restart")


class RestartPlan(NamedTuple):
    """The changes that a restart makes to the journal of a run.

    :param event: the first event of the next execution.
    :param keep: the keys of the outcomes that stay.
    :param drop: the keys of the events that are emitted again, and of the answers that are
        forgotten.
    """

    event: RunRewound
    keep: set[str]
    drop: set[str]


async def plan_restart(store: RunStore, row: RunRow, record: RunRecord) -> RestartPlan:
    """Plan the restart of a run; finished steps are not executed again.

    :param store: the store.
    :param row: the run in the store.
    :param record: the record of the run.
    :raises Conflict: when the run is pending or paused, or has succeeded.
    """
    require_restartable(record)
    data = await store.read_journal(row.id)
    outcomes = decode_outcomes(record.run_id, data)
    remaining = drop_last_answers(drop_final_failures(outcomes))
    again = [path for path, step in record.steps.items() if step.status != "success"]
    return RestartPlan(
        RunRewound(steps=tuple(again)),
        {*remaining},
        (data.emitted - select_kept_keys(data.emitted, remaining) - _select_parts(data, remaining))
        | {key for key in data.wakes if key.endswith(":timeout")}
        | {key for key in data.answers if "#".join(key.rsplit("!", 1)) not in remaining}
        | (_list_refused_answers(outcomes) & {*data.answers}),
    )


def _list_refused_answers(outcomes: Mapping[str, Outcome]) -> set[str]:
    """Return the keys of the waits whose data was invalid, so that their steps wait again."""
    refused = [key.rpartition("#") for key, each in outcomes.items() if each.refused]
    return {f"{address}!{int(n) - 1}" for address, _, n in refused}


def _select_parts(data: JournalData, outcomes: Mapping[str, Outcome]) -> set[str]:
    """Return the keys of the emitted events that belong to step calls with kept parts."""
    owners = {get_part_owner(key) for key in outcomes} - {""}
    return {key for key in data.emitted if get_part_owner(key) in owners}
