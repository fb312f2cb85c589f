"""Read environment variables: the real environment, then ``--env-file``, then ``.env``.

In development two more files are read after ``.env``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Environment, Project
from mastra_core.secret import Secret

__all__ = ("DEVELOPMENT", "ENV_FILES", "app_values", "read_environment")

ENV_FILES = (".env",)
DEVELOPMENT = (".env", ".env.local", ".env.development")  # the later wins


def read_environment(
    project: Project, env_file: Path | None = None, names: Sequence[str] = ENV_FILES
) -> dict[str, str]:
    """Return every known environment variable; the real environment wins.

    :param project: the project whose files are read.
    :param env_file: ``--env-file``; wins over the files in ``names``.
    :param names: files in the project's root, of which a later one wins.
    :raises ConfigError: when ``env_file`` does not exist.
    """
    if env_file is not None and not env_file.is_file():
        raise ConfigError(f"There is no file {str(env_file)!r}.", "Pass --env-file FILE.")
    files = [*(project.root / name for name in names), *([env_file] if env_file else [])]
    values: dict[str, str] = {}
    for file in files:
        values.update(_read_env_file(file))
    return {**values, **os.environ}


def app_values(
    declared: Environment, values: Mapping[str, str], project: Project | None = None
) -> dict[str, Secret]:
    """Return the app's declared variables that have a value, as secrets.

    :param declared: the variables of ``[tool.mastra.env]``.
    :param values: every known environment variable.
    :param project: the project whose code is searched, so that the error says where a missing
        variable is read.
    :raises ConfigError: when a required variable has no value.
    """
    missing = [name for name in declared.required if not values.get(name, "").strip()]
    if missing:
        from mastra_deployer.checks.variable_locations import (
            locate_variables,  # only the error needs it
        )

        locations = locate_variables(project, missing) if project else {}
        reads = [f"{name} is read in {', '.join(where)}." for name, where in locations.items()]
        hint = "Set them, or put them in .env; the app declares them in [tool.mastra.env]."
        raise ConfigError(
            f"Required environment variables are not set: {', '.join(missing)}.",
            "\n".join([hint, *reads]),
        )
    return {name: Secret(values[name]) for name in declared.names if values.get(name, "").strip()}


def _read_env_file(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        values = dotenv_values(file)
    except UnicodeDecodeError:
        raise ConfigError(f"{str(file)!r} is not UTF-8.", "Save it as UTF-8.") from None
    return {name: value for name, value in values.items() if value is not None}
