"""Values of environment variables: the real environment, then ``--env-file``, then ``.env``.

In development two more files are read before ``.env``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Environment, Project
from mastra_core.secret import Secret

__all__ = ("DEVELOPMENT", "ENV", "app_values", "read_environment")

ENV = (".env",)
DEVELOPMENT = (".env", ".env.local", ".env.development")  # the later wins


def read_environment(
    project: Project, env_file: Path | None = None, names: Sequence[str] = ENV
) -> dict[str, str]:
    """Every value there is, the real environment first.

    :param names: files in the project's root, of which the later wins.
    :raises ConfigError: when ``env_file`` is not there.
    """
    if env_file is not None and not env_file.is_file():
        raise ConfigError(f"There is no file {str(env_file)!r}.", "Pass --env-file FILE.")
    files = [*(project.root / name for name in names), *([env_file] if env_file else [])]
    values: dict[str, str] = {}
    for file in files:
        values.update(_read(file))
    return {**values, **os.environ}


def app_values(
    declared: Environment, values: Mapping[str, str], project: Project | None = None
) -> dict[str, Secret]:
    """The declared variables of the app, as secrets.

    :param project: whose code the error names the places in.
    :raises ConfigError: when a required one has no value.
    """
    missing = [name for name in declared.required if not values.get(name, "").strip()]
    if missing:
        from mastra_deployer.checks.variable_locations import (
            places_of,  # nothing is searched where all is well
        )

        places = places_of(project, missing) if project else {}
        read = [f"{name} is read in {', '.join(where)}." for name, where in places.items()]
        cure = "Set them, or put them in .env; the app declares them in [tool.mastra.env]."
        raise ConfigError(
            f"Required environment variables are not set: {', '.join(missing)}.",
            "\n".join([cure, *read]),
        )
    return {name: Secret(values[name]) for name in declared.names if values.get(name, "").strip()}


def _read(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(file)
    except UnicodeDecodeError:
        raise ConfigError(f"{str(file)!r} is not UTF-8.", "Save it as UTF-8.") from None
    return {name: value for name, value in found.items() if value is not None}
