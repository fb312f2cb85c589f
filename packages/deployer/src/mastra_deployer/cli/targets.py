"""``mastra targets``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mastra_core.errors import ConsentError, MastraError
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.plugins.hook_calls import HookCaller
from mastra_deployer.plugins.manager import list_installed_deployers
from mastra_deployer.project.config import parse_config, read_pyproject

__all__ = ("targets",)

_VERBS = "deploy plan deployments promote rollback canary logs env doctor destroy preview".split()


@click.command()
@project_options
def targets(options: Options) -> None:
    """Show the installed targets with their commands, and the targets configured here."""
    configured = parse_config(read_pyproject(options.directory)).targets
    root = options.directory
    installed = [_describe_deployer(name, root) for name in sorted(list_installed_deployers())]
    deployers = {name: str(table.get("deployer", name)) for name, table in configured.items()}
    private = [
        _describe_deployer(deployer, root)
        for deployer in sorted(set(deployers.values()) - {item["name"] for item in installed})
    ]
    terminal = Terminal(as_json=options.as_json)
    terminal.answer(
        {"installed": installed, "private": private, "configured": deployers},
        *(_format_line(item) for item in (*installed, *private)),
        *(f"{name}: configured here, deployer {deployer}" for name, deployer in deployers.items()),
    )


def _describe_deployer(name: str, root: Path) -> dict[str, Any]:
    """Describe one deployer; a broken one does not hide the others."""
    try:
        line = HookCaller(name, root)
    except ConsentError as error:
        return {"name": name, "summary": f"not loaded: {error.hint}", "verbs": []}
    except MastraError as error:
        return {"name": name, "summary": f"broken: {error.message}", "verbs": []}
    verbs = [verb for verb in _VERBS if line.has_hook(verb)]
    return {"name": name, "summary": line.target.summary, "verbs": verbs}


def _format_line(item: dict[str, Any]) -> str:
    verbs = f" ({', '.join(item['verbs'])})" if item["verbs"] else ""
    return f"{item['name']}: {item['summary']}{verbs}"
