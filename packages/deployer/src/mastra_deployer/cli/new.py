"""``mastra new``."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import VERBOSE
from mastra_deployer.cli.terminal import Terminal

__all__ = ("new",)

_TEMPLATE = Path(__file__).parent.parent / "template"
# Installers and tools leave files with these names out of a package.
_RENAMED = {"gitignore": ".gitignore", "env.example": ".env.example"}
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@click.command()
@click.argument("app", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")
@VERBOSE
def new(app: Path, as_json: bool) -> None:
    """Make a project in the directory APP: an agent, a workflow and tests. It needs no key."""
    name = app.absolute().name
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a project.",
            "Use letters, digits, '-', '_' and '.', a letter or digit at both ends.",
        )
    if app.exists() and any(app.iterdir()):
        raise ConfigError(f"{str(app)!r} is not empty.", "Choose another directory.")
    written = [_write(source, app, name) for source in sorted(_TEMPLATE.rglob("*"))]
    Terminal(as_json=as_json).answer(
        {"project": str(app.absolute()), "files": [str(path) for path in written if path]},
        f"Made {app}/. Next:",
        f"  cd {app} && mastra build && python .mastra/index.py",
    )


def _write(source: Path, app: Path, name: str) -> Path | None:
    if source.is_dir() or "__pycache__" in source.parts:
        return None
    relative = source.relative_to(_TEMPLATE)
    target = app / relative.parent / _RENAMED.get(relative.name, relative.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    major, minor, *_ = metadata.version("mastra-core").split(".")
    text = source.read_text(encoding="utf-8").format(
        name=name, major=f"{major}.{minor}", next=f"{major}.{int(minor) + 1}"
    )
    target.write_text(text, encoding="utf-8")
    return target
