"""``mastra runs`` lists and changes the durable runs in a database, or on a server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from mastra_core.errors import ConfigError
from mastra_deployer.cli.database.moves import list_fingerprints, move_runs
from mastra_deployer.cli.database.run_access import (
    RESOURCE,
    SERVER_URL,
    Operation,
    call_operation,
)
from mastra_deployer.cli.options import ENV_FILE, CommandGroup, Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.output.columns import align_columns

__all__ = ("runs",)

_WORKFLOW = click.option("--workflow", default="", help="The id of the workflow.")
_RUN_ID = click.argument("run_id")
_STATUSES = ("running", "waiting", "suspended", "paused", "success", "failed", "canceled")


@click.group(cls=CommandGroup)
def runs() -> None:
    """List, show, move and change the durable runs of workflows.

    The runs are in the database that MASTRA_DATABASE_URL names in the environment, --env-file or
    .env. The servers that use this database execute the runs. Resume and retry do not wait for a
    server, so they show the status "running". Show the run to see its later status.

    With --url, the commands send requests to a server, and do not open the database. If the server
    requires a token, set the variable MASTRA_SERVER_TOKEN to the token.
    """


@runs.command("list")
@_WORKFLOW
@click.option(
    "--status", type=click.Choice(_STATUSES), default=None, help="List only runs with this status."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Maximum number of runs.",
)
@SERVER_URL
@ENV_FILE
@project_options
def list_runs(options: Options, workflow: str, status: str | None, limit: int, url: str) -> None:
    """List the newest runs, and count all runs by status."""
    with Terminal(as_json=options.as_json) as terminal:
        answer = call_operation(
            options, url, "list_runs", workflow=workflow, status=status or "", limit=limit
        )
        counts = answer["counts"]
        total = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
        terminal.answer(
            answer,
            *_format_rows(answer["runs"]),
            total or "There are no runs.",
            *map(_format_parked, answer["parked"]),
        )


@runs.command("show")
@_RUN_ID
@_WORKFLOW
@RESOURCE
@SERVER_URL
@ENV_FILE
@project_options
def show_run(options: Options, run_id: str, workflow: str, resource: str, url: str) -> None:
    """Show a run, its steps, and the runs that it has started."""
    with Terminal(as_json=options.as_json) as terminal:
        answer = call_operation(
            options, url, "show_run", run_id=run_id, workflow=workflow, resource=resource
        )
        terminal.answer(answer, *_format_details(answer["run"]))


@runs.command("cancel")
@_RUN_ID
@_WORKFLOW
@RESOURCE
@SERVER_URL
@ENV_FILE
@project_options
def cancel_run(options: Options, run_id: str, workflow: str, resource: str, url: str) -> None:
    """Cancel a run. The server that executes the run stops the steps within a second."""
    selection = {"run_id": run_id, "workflow": workflow, "resource": resource}
    _change_run(options, url, "cancel_run", **selection)


@runs.command("resume")
@_RUN_ID
@_WORKFLOW
@RESOURCE
@click.option(
    "--step", default="", help="Path of the step to resume, if several steps are suspended."
)
@click.option("--data", default="null", help="Data for the step, as JSON.")
@SERVER_URL
@ENV_FILE
@project_options
def resume_run(
    options: Options,
    run_id: str,
    workflow: str,
    resource: str,
    step: str,
    data: str,
    url: str,
) -> None:
    """Resume a suspended run. The suspended step checks the data."""
    value = _parse_json(data)
    selection = {"run_id": run_id, "workflow": workflow, "resource": resource}
    _change_run(options, url, "resume_run", **selection, step=step, data=value)


@runs.command("retry")
@_RUN_ID
@_WORKFLOW
@RESOURCE
@SERVER_URL
@ENV_FILE
@project_options
def retry_run(options: Options, run_id: str, workflow: str, resource: str, url: str) -> None:
    """Continue a failed run. The finished steps of the run are not executed again."""
    selection = {"run_id": run_id, "workflow": workflow, "resource": resource}
    _change_run(options, url, "retry_run", **selection)


runs.add_command(list_fingerprints)
runs.add_command(move_runs)


def _change_run(options: Options, url: str, operation: Operation, **arguments: Any) -> None:
    with Terminal(as_json=options.as_json) as terminal:
        answer = call_operation(options, url, operation, **arguments)
        terminal.answer(answer, *_format_rows([answer["run"]]))


def _parse_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())  # refuses NaN and Infinity, unlike json
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise ConfigError(
            f"The data {text!r} is not JSON.",
            """Write, for example, --data '{"approved": true}'.""",
        ) from None


def _format_parked(runs: dict[str, Any]) -> str:
    fingerprint, workflow, count = runs["fingerprint"], runs["workflow"], runs["count"]
    subject = "1 run of {} is" if count == 1 else f"{count} runs of {{}} are"
    return (
        f"{subject.format(workflow)} parked, because no living process has the fingerprint "
        f"{fingerprint}. Start such a process, or move the parked runs: "
        f"mastra runs move --from {fingerprint} --workflow {workflow}"
    )


def _format_rows(runs: Sequence[dict[str, Any]]) -> list[str]:
    return align_columns([_list_columns(run) for run in runs])


def _list_columns(run: dict[str, Any]) -> list[str]:
    created = dt.datetime.fromtimestamp(run["createdAt"] / 1000, tz=dt.UTC)
    steps = ", ".join(run["suspendedSteps"])
    status = f"{run['status']}: {steps}" if steps else run["status"]
    return [f"{created:%Y-%m-%d %H:%M:%S}", run["runId"], run["workflowId"], status]


def _format_details(run: dict[str, Any]) -> Iterator[str]:
    yield from _format_rows([run])
    yield f"  fingerprint {run['fingerprint']}"
    if run.get("parked"):  # a server of an earlier version does not send it
        yield (
            "  parked, because no living process has this fingerprint. Start such a process, or "
            f"move the run: mastra runs move {run['runId']}"
        )
    if run["holder"]:
        yield f"  executed by {run['holder']}, attempt {run['attempt']}"
    if run["priority"]:
        yield f"  priority {run['priority']}"
    if run["parentRunId"]:
        yield f"  started by run {run['parentRunId']}"
    for path, step in run["steps"].items():
        yield f"  {path}: {step['status']}"
    for child in run["children"]:
        yield f"  started run {child['runId']}: {child['workflowId']} {child['status']}"
    if run["error"] is not None:
        yield f"  {run['error']['name']}: {run['error']['message']}"
