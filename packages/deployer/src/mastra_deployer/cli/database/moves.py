"""``mastra runs move`` lets runs continue with a changed description of their workflow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.database.run_access import RESOURCE, SERVER_URL, call_operation
from mastra_deployer.cli.options import ENV_FILE, Options, project_options
from mastra_deployer.cli.terminal import Terminal

__all__ = ("list_fingerprints", "move_runs")

_MAX_REASONS = 10  # in the answer
_MAX_PAGES = 100_000  # of 500 runs
_MAX_SECONDS = 24 * 3600


@click.command("fingerprints")
@click.argument("workflow")
@SERVER_URL
@ENV_FILE
@project_options
def list_fingerprints(options: Options, workflow: str, url: str) -> None:
    """List the fingerprints of a workflow, and the running processes that have each one."""
    with Terminal(as_json=options.as_json) as terminal:
        answer = call_operation(options, url, "list_fingerprints", workflow=workflow)
        lines = [_format_fingerprint(each) for each in answer["fingerprints"]]
        terminal.answer(
            answer, *(lines or [f"No fingerprints are stored for the workflow {workflow}."])
        )


@click.command("move")
@click.argument("run_id", default="")
@click.option("--workflow", default="", help="The id of the workflow.")
@RESOURCE
@click.option(
    "--from",
    "source",
    default="",
    metavar="FINGERPRINT",
    help="Move all unfinished runs with this fingerprint.",
)
@click.option(
    "--to",
    "target",
    default="",
    metavar="FINGERPRINT",
    help="New fingerprint of the runs; default: that of the living processes.",
)
@SERVER_URL
@ENV_FILE
@project_options
def move_runs(
    options: Options,
    run_id: str,
    workflow: str,
    resource: str,
    source: str,
    target: str,
    url: str,
) -> None:
    """Let runs continue with a changed description of their workflow.

    A run is moved only if its recorded outcomes have the same meaning in the new description. Both
    descriptions must have the same nodes before the last node with a recorded outcome.
    """
    with Terminal(as_json=options.as_json) as terminal:
        if bool(run_id) == bool(source) or (source and not workflow):
            raise ConfigError(
                "The command does not say which runs to move.",
                "Write either RUN_ID, or --from FINGERPRINT --workflow NAME.",
            )
        selection = {"run_id": run_id, "workflow": workflow, "resource": resource, "source": source}
        moved: list[str] = []
        refused: dict[str, str] = {}
        for page in _iter_pages(options, url, {**selection, "target": target}):
            target = page["to"]
            moved += page["moved"]
            refused.update(page["refused"])
        answer = {"to": target, "moved": moved, "refused": refused}
        terminal.answer(answer, *_format_moves(answer))


def _iter_pages(options: Options, url: str, selection: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Move runs in pages, all to the target of the first page; a server must not repeat a page."""
    from mastra_deployer.kit.http.pages import iter_pages

    def move(after: int) -> tuple[dict[str, Any], int | None]:
        page = call_operation(options, url, "move_runs", **selection, after=after)
        selection["target"] = page["to"]
        return page, page["next"]

    yield from iter_pages(
        move,
        0,
        description="the list of moved runs",
        hint="Run the same command again.",
        max_pages=_MAX_PAGES,
        max_seconds=_MAX_SECONDS,
    )


def _format_moves(answer: dict[str, Any]) -> list[str]:
    moved = len(answer["moved"])
    subject = "1 run continues" if moved == 1 else f"{moved} runs continue"
    lines = [f"{subject} with the fingerprint {answer['to']}."]
    reasons = [f"{name}: {reason}" for name, reason in answer["refused"].items()]
    if reasons:
        lines += [f"Unchanged runs: {len(reasons)}", *reasons[:_MAX_REASONS]]
    return lines


def _format_fingerprint(each: dict[str, Any]) -> str:
    created = dt.datetime.fromtimestamp(each["createdAt"] / 1000, tz=dt.UTC)
    processes = ", ".join(each["processes"]) or "no living process"
    unfinished = f"{each['unfinished']} unfinished"
    return f"{each['fingerprint']}  since {created:%Y-%m-%d %H:%M:%S}  {unfinished}  {processes}"
