"""``mastra runs`` lists and changes the durable runs in a database."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import click

from mastra_core.errors import InvalidInput
from mastra_core.schema import dump
from mastra_core.workflows.durable.run_management import RunManager, StoredRun
from mastra_core.workflows.durable.store.run_rows import Backlog, ParkedRuns
from mastra_core.workflows.engine.run_query import RunQuery
from mastra_deployer.cli.database.moves import list_fingerprints, move_runs
from mastra_deployer.cli.database.run_manager import call_manager
from mastra_deployer.cli.options import ENV_FILE, Options, project_options
from mastra_deployer.cli.terminal import Terminal

__all__ = ("runs",)

_WORKFLOW = click.option("--workflow", default="", help="The id of the workflow.")
_RUN_ID = click.argument("run_id")
_STATUSES = ("running", "waiting", "suspended", "paused", "success", "failed", "canceled")


@click.group()
def runs() -> None:
    """List, show, move and change the durable runs of workflows.

    The runs are in the database that MASTRA_DATABASE_URL names in the environment, --env-file or
    .env. Servers on this database execute them.
    """


@runs.command("list")
@_WORKFLOW
@click.option("--status", type=click.Choice(_STATUSES), default=None, help="Only such runs.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@ENV_FILE
@project_options
def list_runs(options: Options, workflow: str, status: str | None, limit: int) -> None:
    """List the newest runs, and count all runs by status."""
    query = RunQuery(status=status or "", limit=limit)

    async def read(manager: RunManager) -> tuple[list[StoredRun], dict[str, int], Backlog]:
        found = await manager.list(workflow, query)
        counts = await manager.count(workflow, query)
        return found, counts, await manager.measure_backlog()

    with Terminal(as_json=options.as_json) as terminal:
        found, counts, backlog = call_manager(options, read)
        parked = [each for each in backlog.parked if workflow in ("", each.workflow)]
        total = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
        terminal.answer(
            {
                "runs": [_summarize(run) for run in found],
                "counts": counts,
                "parked": dump(parked),
            },
            *map(_format_line, found),
            total or "There are no runs.",
            *map(_format_parked, parked),
        )


@runs.command("show")
@_RUN_ID
@_WORKFLOW
@ENV_FILE
@project_options
def show_run(options: Options, run_id: str, workflow: str) -> None:
    """Show a run, its steps, and the runs that it has started."""

    async def read(manager: RunManager) -> tuple[StoredRun, dict[str, Any]]:
        run = await manager.find(run_id, workflow)
        parent = await manager.find_parent(run)
        relatives = {
            "parentRunId": None if parent is None else parent.run_id,
            "children": [
                {"workflowId": workflow, "runId": run_id, "status": status}
                for workflow, run_id, status in await manager.list_children(run)
            ],
        }
        return run, relatives

    with Terminal(as_json=options.as_json) as terminal:
        run, relatives = call_manager(options, read)
        details = {**_summarize(run), **relatives, "steps": dump(run.record.steps)}
        terminal.answer({"run": details}, *_format_details(run, relatives))


@runs.command("cancel")
@_RUN_ID
@_WORKFLOW
@ENV_FILE
@project_options
def cancel_run(options: Options, run_id: str, workflow: str) -> None:
    """Cancel a run. The server that executes it stops its steps within a second."""
    _change_run(options, run_id, workflow, RunManager.cancel)


@runs.command("resume")
@_RUN_ID
@_WORKFLOW
@click.option("--step", default="", help="The path of the step, if several are suspended.")
@click.option("--data", default="null", help="The data of the step, as JSON.")
@ENV_FILE
@project_options
def resume_run(options: Options, run_id: str, workflow: str, step: str, data: str) -> None:
    """Resume a suspended run. The step checks the data."""

    async def resume(manager: RunManager, run: StoredRun) -> None:
        await manager.resume(run, _parse_json(data), step)

    _change_run(options, run_id, workflow, resume)


@runs.command("retry")
@_RUN_ID
@_WORKFLOW
@ENV_FILE
@project_options
def retry_run(options: Options, run_id: str, workflow: str) -> None:
    """Continue a failed run. Its finished steps are not executed again."""
    _change_run(options, run_id, workflow, RunManager.retry)


runs.add_command(list_fingerprints)
runs.add_command(move_runs)


def _change_run(
    options: Options,
    run_id: str,
    workflow: str,
    change: Callable[[RunManager, StoredRun], Awaitable[None]],
) -> None:
    async def find_and_change(manager: RunManager) -> StoredRun:
        await change(manager, await manager.find(run_id, workflow))
        return await manager.find(run_id, workflow)

    with Terminal(as_json=options.as_json) as terminal:
        run = call_manager(options, find_and_change)
        terminal.answer({"run": _summarize(run)}, _format_line(run))


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidInput(
            f"The data {text!r} is not JSON.",
            """Write, for example, --data '{"approved": true}'.""",
        ) from None


def _summarize(run: StoredRun) -> dict[str, Any]:
    row, record = run.row, run.record
    return {
        "runId": row.run_id,
        "workflowId": row.workflow,
        "resourceId": row.resource_id,
        "status": record.status,
        "suspendedSteps": record.suspended_steps,
        "createdAt": row.created_at,
        "updatedAt": record.updated_at,
        "attempt": row.attempt,
        "holder": row.holder,
        "fingerprint": row.fingerprint,
        "priority": row.priority,
        "error": None if record.error is None else dump(record.error),
    }


def _format_parked(runs: ParkedRuns) -> str:
    return (
        f"{runs.count} runs of {runs.workflow} are parked, because no living process has their "
        f"fingerprint {runs.fingerprint}. Start such a process, or move the runs: "
        f"mastra runs move --from {runs.fingerprint} --workflow {runs.workflow}"
    )


def _format_line(run: StoredRun) -> str:
    created = dt.datetime.fromtimestamp(run.row.created_at / 1000, tz=dt.UTC)
    steps = ", ".join(run.record.suspended_steps)
    line = f"{created:%Y-%m-%d %H:%M:%S}  {run.row.run_id}  {run.row.workflow}  {run.record.status}"
    return f"{line}: {steps}" if steps else line


def _format_details(run: StoredRun, relatives: dict[str, Any]) -> Iterator[str]:
    row, record = run.row, run.record
    yield _format_line(run)
    yield f"  fingerprint {row.fingerprint}"
    if row.holder:
        yield f"  executed by {row.holder}, attempt {row.attempt}"
    if row.priority:
        yield f"  priority {row.priority}"
    if relatives["parentRunId"]:
        yield f"  started by run {relatives['parentRunId']}"
    for path, step in record.steps.items():
        yield f"  {path}: {step.status}"
    for child in relatives["children"]:
        yield f"  started run {child['runId']}: {child['workflowId']} {child['status']}"
    if record.error is not None:
        yield f"  {record.error.name}: {record.error.message}"
