"""``mastra targets``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mastra_core.errors import MastraError
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.plugins.hook_calls import Line
from mastra_deployer.plugins.manager import installed_deployers
from mastra_deployer.project.config import read_config, read_pyproject

__all__ = ("targets",)

_VERBS = "deploy plan deployments promote rollback canary logs env doctor destroy preview".split()


@click.command()
@project_options
def targets(options: Options) -> None:
    """Show the targets that are installed, what each can do, and those configured here."""
    configured = read_config(read_pyproject(options.directory)).targets
    installed = [_installed(name, options.directory) for name in sorted(installed_deployers())]
    named = {name: str(table.get("deployer", name)) for name, table in configured.items()}
    private = [
        _installed(deployer, options.directory)
        for deployer in sorted(set(named.values()) - {item["name"] for item in installed})
    ]
    terminal = Terminal(as_json=options.as_json)
    terminal.answer(
        {"installed": installed, "private": private, "configured": named},
        *(_line(item) for item in (*installed, *private)),
        *(f"{name}: configured here, deployer {deployer}" for name, deployer in named.items()),
    )


def _installed(name: str, root: Path) -> dict[str, Any]:
    """One deployer; a broken one is shown as such and does not hide the others."""
    try:
        line = Line(name, root)
    except MastraError as error:
        return {"name": name, "summary": f"broken: {error.message}", "verbs": []}
    verbs = [verb for verb in _VERBS if line.can(verb)]
    return {"name": name, "summary": line.target.summary, "verbs": verbs}


def _line(item: dict[str, Any]) -> str:
    verbs = f" ({', '.join(item['verbs'])})" if item["verbs"] else ""
    return f"{item['name']}: {item['summary']}{verbs}"
