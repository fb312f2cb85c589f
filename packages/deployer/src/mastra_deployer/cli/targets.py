"""``mastra targets``."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from mastra_core.errors import ConsentError, MastraError
from mastra_core.logs.escape import escape_line
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.output.wrap import get_terminal_width, wrap_text
from mastra_deployer.plugins.hook_calls import HookCaller
from mastra_deployer.plugins.manager import list_installed_deployers
from mastra_deployer.project.discovery import find_project, get_config

__all__ = ("targets",)

_VERBS = "deploy plan deployments promote rollback canary logs env doctor destroy preview".split()
_COMMANDS = {verb: verb for verb in _VERBS} | {"plan": "deploy --dry-run"}


@click.command()
@project_options
def targets(options: Options) -> None:
    """Show the installed targets with their commands, and the targets of this project."""
    project = find_project(options.directory, options.app, sources=False)
    configured, root = get_config(project).targets, project.root
    installed = [_describe_deployer(name, root) for name in sorted(list_installed_deployers())]
    deployers = {name: str(table.get("deployer", name)) for name, table in configured.items()}
    private = [
        _describe_deployer(deployer, root)
        for deployer in sorted(set(deployers.values()) - {item["name"] for item in installed})
    ]
    shown = [_escape(item) for item in (*installed, *private)]
    terminal = Terminal(as_json=options.as_json)
    terminal.answer(
        {"installed": installed, "private": private, "configured": deployers},
        *_format_table(shown),
        "",
        *_format_summaries(shown),
        *_format_configured(deployers),
    )


def _describe_deployer(name: str, root: Path) -> dict[str, Any]:
    """Describe one deployer, even if it is broken."""
    try:
        line = HookCaller(name, root)
    except ConsentError as error:
        return {"name": name, "summary": f"not loaded: {error.hint}", "verbs": []}
    except MastraError as error:
        return {"name": name, "summary": f"broken: {error.message}", "verbs": []}
    verbs = [verb for verb in _VERBS if line.has_hook(verb)]
    return {"name": name, "summary": line.target.summary, "verbs": verbs}


def _escape(deployer: dict[str, Any]) -> dict[str, Any]:
    name, summary = escape_line(deployer["name"]), escape_line(deployer["summary"])
    return {**deployer, "name": name, "summary": summary}


def _format_table(deployers: list[dict[str, Any]]) -> list[str]:
    """Return a row for each command and a column for each target."""
    names = [item["name"] for item in deployers]
    head = max(map(len, _COMMANDS.values()))
    rows = [
        [_COMMANDS[verb].ljust(head), *_format_marks(verb, deployers)]
        for verb in _VERBS
        if any(_is_supported(verb, item["verbs"]) for item in deployers)
    ]
    return ["  ".join(row).rstrip() for row in [[" " * head, *names], *rows]]


def _format_marks(verb: str, deployers: list[dict[str, Any]]) -> list[str]:
    return [
        ("yes" if _is_supported(verb, item["verbs"]) else "-").ljust(len(item["name"]))
        for item in deployers
    ]


def _is_supported(verb: str, hooks: Collection[str]) -> bool:
    """Return whether a deployer supports a command; a dry run needs only ``mastra_deploy``."""
    return verb in hooks or (verb == "plan" and "deploy" in hooks)


def _format_summaries(deployers: list[dict[str, Any]]) -> list[str]:
    width = get_terminal_width(sys.stdout)
    head = max((len(item["name"]) for item in deployers), default=0) + 2
    texts = (
        wrap_text(item["summary"], width, first=item["name"].ljust(head), indent=" " * head)
        for item in deployers
    )
    return [line for text in texts for line in text.split("\n")]


def _format_configured(deployers: Mapping[str, str]) -> list[str]:
    if not deployers:
        return []
    head = max(map(len, deployers)) + 2
    rows = [escape_line(f"{name.ljust(head)}{deployer}") for name, deployer in deployers.items()]
    return ["", "Configured here, each with its deployer:", *(f"  {row}" for row in rows)]
