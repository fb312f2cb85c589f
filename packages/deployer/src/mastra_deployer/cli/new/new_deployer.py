"""``mastra new deployer``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.new.new_app import require_empty
from mastra_deployer.cli.options import VERBOSE
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.scaffold.render import (
    get_compatible_range,
    is_on_index,
    render_template,
    write_files,
)

__all__ = ("new_deployer",)

_PREFIX = "mastra-deployer-"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_LENGTH = 24  # letters; longer names would make lines of the package longer than 100 characters


@click.command("deployer")
@click.argument("name", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@VERBOSE
def new_deployer(name: Path, as_json: bool) -> None:
    """Create a deployer package for the platform NAME, in ./mastra-deployer-NAME.

    The package deploys to an invented platform, and passes the conformance suite. The README of the
    package says what to change for the real platform.
    """
    word = name.name.removeprefix(_PREFIX)
    if not _NAME.fullmatch(word) or len(word) > _MAX_LENGTH or word == "server":
        raise ConfigError(
            f"{word!r} cannot be the name of a target.",
            f"Use at most {_MAX_LENGTH} characters: a-z, digits and '-', as in `mastra new "
            "deployer fly-io`.",
        )
    directory = name.parent / f"{_PREFIX}{word}"
    require_empty(directory)
    files = render_template("deployer", _build_values(word))
    written = write_files(files, directory)
    unreleased = "mastra is not on an index yet: use an environment that has its packages."
    note = () if is_on_index("mastra-core") else (unreleased,)
    Terminal(as_json=as_json).answer(
        {"package": str(directory.absolute()), "files": [str(path) for path in written]},
        f"Created {directory}/. Next:",
        f"  cd {shlex.quote(str(directory))} && pip install -e . --group dev && pytest",
        *note,
    )


def _build_values(name: str) -> dict[str, str]:
    title = name.replace("-", " ").title()
    return {
        "NAME": name.replace("-", "_"),
        "name": name,
        "title": title,
        "cls": f"{title.replace(' ', '')}Deployer",
        "ENV": name.replace("-", "_").upper(),
        "core": get_compatible_range("mastra-core"),
        "deployer": get_compatible_range("mastra-deployer"),
    }
