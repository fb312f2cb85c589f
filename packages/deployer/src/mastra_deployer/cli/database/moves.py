"""``mastra runs move`` lets runs continue with another description of their workflow."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import click

from mastra_core.errors import Conflict, InvalidInput
from mastra_core.workflows.durable.fingerprints.run_mover import KnownFingerprint, RunMover
from mastra_core.workflows.durable.run_management import RunManager
from mastra_core.workflows.durable.store.run_rows import RunRow
from mastra_deployer.cli.database.run_manager import call_manager
from mastra_deployer.cli.options import ENV_FILE, Options, project_options
from mastra_deployer.cli.terminal import Terminal

__all__ = ("list_fingerprints", "move_runs")

_MAX_REASONS = 10  # in the answer


class _Moves(NamedTuple):
    """The result of a move: the target, the ids of the moved runs, and why other runs stay."""

    target: str
    moved: list[str]
    refused: dict[str, str]


@click.command("fingerprints")
@click.argument("workflow")
@ENV_FILE
@project_options
def list_fingerprints(options: Options, workflow: str) -> None:
    """List the fingerprints of a workflow, and the living processes that have them."""
    with Terminal(as_json=options.as_json) as terminal:
        found = call_manager(options, lambda manager: manager.mover.list_fingerprints(workflow))
        lines = [_format_fingerprint(each) for each in found]
        terminal.answer(
            {"fingerprints": [_summarize(each) for each in found]},
            *(lines or [f"No process had the workflow {workflow}."]),
        )


@click.command("move")
@click.argument("run_id", default="")
@click.option("--workflow", default="", help="The id of the workflow.")
@click.option("--from", "source", default="", help="Move all unfinished runs of a fingerprint.")
@click.option("--to", "target", default="", help="Default: the one that living processes have.")
@ENV_FILE
@project_options
def move_runs(options: Options, run_id: str, workflow: str, source: str, target: str) -> None:
    """Let runs continue with another description of their workflow.

    A run is moved only if its recorded outcomes fit the other description: everything before the
    last step with an outcome must be the same.
    """
    with Terminal(as_json=options.as_json) as terminal:
        if bool(run_id) == bool(source) or (source and not workflow):
            raise InvalidInput(
                "There is no selection of runs to move.",
                "Write either RUN_ID, or --from FINGERPRINT --workflow NAME.",
            )

        async def move(manager: RunManager) -> _Moves:
            if run_id:
                row = (await manager.find(run_id, workflow)).row
                fingerprint = await manager.mover.select_target(row.workflow, target)
                await manager.mover.move(row, fingerprint)
                return _Moves(fingerprint.fingerprint, [row.run_id], {})
            return await _move_all(manager.mover, workflow, source, target)

        moves = call_manager(options, move)
        lines = [f"{len(moves.moved)} runs continue with the fingerprint {moves.target}."]
        reasons = [f"{name}: {reason}" for name, reason in moves.refused.items()]
        if reasons:
            lines += [f"{len(reasons)} runs stay as they are:", *reasons[:_MAX_REASONS]]
        terminal.answer(
            {"to": moves.target, "moved": moves.moved, "refused": moves.refused}, *lines
        )


async def _move_all(mover: RunMover, workflow: str, source: str, target: str) -> _Moves:
    fingerprint = await mover.select_target(workflow, target)
    moves = _Moves(fingerprint.fingerprint, [], {})
    async for row in mover.iter_unfinished(source):
        try:
            await _move_run(mover, row, workflow, fingerprint)
            moves.moved.append(row.run_id)
        except Conflict as conflict:
            moves.refused[row.run_id] = conflict.message
    return moves


async def _move_run(mover: RunMover, row: RunRow, workflow: str, target: KnownFingerprint) -> None:
    if row.workflow != workflow:
        raise Conflict(f"The run is of the workflow {row.workflow!r}.", f"Write {row.workflow}.")
    await mover.move(row, target)


def _summarize(each: KnownFingerprint) -> dict[str, Any]:
    return {
        "fingerprint": each.fingerprint,
        "createdAt": each.created_at,
        "processes": list(each.processes),
    }


def _format_fingerprint(each: KnownFingerprint) -> str:
    created = dt.datetime.fromtimestamp(each.created_at / 1000, tz=dt.UTC)
    processes = ", ".join(each.processes) or "no living process"
    return f"{each.fingerprint}  since {created:%Y-%m-%d %H:%M:%S}  {processes}"
