"""Read variables from the environment, from ``--env-file`` and from ``.env``.

In development, ``.env.local`` and ``.env.development`` are read after ``.env``.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Sequence
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project

__all__ = (
    "DEVELOPMENT_ENV_FILES",
    "ENV_FILES",
    "list_file_variables",
    "read_environment",
    "read_user_environment",
)

ENV_FILES = (".env",)
DEVELOPMENT_ENV_FILES = (".env", ".env.local", ".env.development")  # the later wins


def read_environment(
    project: Project, env_file: Path | None = None, names: Sequence[str] = ENV_FILES
) -> dict[str, str]:
    """Return all variables. A variable of this process overrides a variable in a file.

    :param project: the project whose files are read.
    :param env_file: the file of ``--env-file``, which overrides the files in ``names``.
    :param names: files in the project's root; a later file overrides an earlier file.
    :raises ConfigError: when ``env_file`` does not exist, or is neither a file nor a pipe.
    """
    if env_file is not None and not (env_file.is_file() or env_file.is_fifo()):
        fault = "is neither a file nor a pipe" if env_file.exists() else "does not exist"
        raise ConfigError(f"The file {str(env_file)!r} {fault}.", "Pass --env-file FILE.")
    files = [*(project.root / name for name in names), *([env_file] if env_file else [])]
    values: dict[str, str] = {}
    for file in files:
        values.update(_read_env_file(file))
    return {**values, **os.environ}


def list_file_variables(project: Project, env_file: Path | None = None) -> frozenset[str]:
    """Return the names of the variables in ``.env`` and ``--env-file``.

    :param project: the project whose files are read.
    :param env_file: the file of ``--env-file``.
    """
    files = [*(project.root / name for name in ENV_FILES), *([env_file] if env_file else [])]
    return frozenset(name for file in files for name in _read_env_file(file))


def read_user_environment(project: Project, env_file: Path | None = None) -> dict[str, str]:
    """Return the variables that the user set, without those from the project's files.

    A file within the project counts as a project file, even if ``--env-file`` names it.

    :param project: the project.
    :param env_file: the file of ``--env-file``.
    """
    is_own = env_file is not None and not env_file.resolve().is_relative_to(project.root.resolve())
    own = _read_env_file(env_file) if is_own and env_file else {}
    return {**own, **os.environ}


def _read_env_file(file: Path) -> dict[str, str]:
    if file.is_fifo():
        return _read_pipe(file)
    return _parse_env_file(file) if file.is_file() else {}


@functools.cache
def _read_pipe(file: Path) -> dict[str, str]:
    """Return the variables of a pipe, which can be read only once."""
    return _parse_env_file(file)


def _parse_env_file(file: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    try:
        values = dotenv_values(stream=io.StringIO(file.read_text(encoding="utf-8")))
    except UnicodeDecodeError:
        raise ConfigError(f"{str(file)!r} is not UTF-8.", "Save it as UTF-8.") from None
    return {name: value for name, value in values.items() if value is not None}
