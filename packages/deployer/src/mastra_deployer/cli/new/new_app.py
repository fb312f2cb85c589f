"""``mastra new app``, the default of ``mastra new``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import VERBOSE
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.scaffold.render import (
    get_compatible_range,
    is_on_index,
    render_template,
    write_files,
)

__all__ = ("new_app", "require_empty")

_UNRELEASED = """\

## uv lock

The packages of mastra are not on an index yet. Build their wheels in a clone of mastra, and let uv
find them there:

```
for name in core server deployer; do uv build --wheel --out-dir wheels packages/$name; done
export UV_FIND_LINKS=$PWD/wheels
```

Then `uv lock`, `uv sync` and `mastra build` work in this project, also with `--locked`.\
"""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@click.command("app")
@click.argument("app", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@VERBOSE
def new_app(app: Path, as_json: bool) -> None:
    """Create a project in the directory APP: an agent, a workflow and tests.

    The agent needs no API key.
    """
    name = app.absolute().name
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a project.",
            "Use letters, digits, '-', '_' and '.'. Begin and end with a letter or digit.",
        )
    require_empty(app)
    is_released = is_on_index("mastra-core")
    pin = get_compatible_range("mastra-core")
    values = {"name": name, "pin": pin, "unreleased": "" if is_released else _UNRELEASED}
    written = write_files(render_template("app", values), app)
    note = (
        ()
        if is_released
        else ("`uv lock` needs wheels of mastra. README.md says how to build them.",)
    )
    Terminal(as_json=as_json).answer(
        {"project": str(app.absolute()), "files": [str(path) for path in written]},
        f"Created {app}/. Next:",
        f"  cd {shlex.quote(str(app))} && mastra dev",
        "and to serve it in production: mastra build && python .mastra/index.py",
        *note,
    )


def require_empty(directory: Path) -> None:
    """Raise an error if the path is a file, or a directory that is not empty.

    :param directory: the directory to write into.
    :raises ConfigError: when the directory has files, or is a file.
    """
    if directory.is_file() or (directory.exists() and any(directory.iterdir())):
        raise ConfigError(f"{str(directory)!r} is not empty.", "Choose another directory.")
