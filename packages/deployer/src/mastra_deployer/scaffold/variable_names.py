"""Check the names of environment variables before they are written to files of other programs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mastra_core.errors import ConfigError

__all__ = ("require_plain_names",)

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def require_plain_names(names: Iterable[str]) -> None:
    """Raise an error if a name has a meaning in the syntax of YAML, systemd or a shell.

    :param names: names of environment variables.
    :raises ConfigError: when a name has a character that is not a letter, a digit or ``_``.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{name!r} is not a valid name for an environment variable.",
                "Correct it in [tool.mastra.env]. Use letters, digits and '_'.",
            )
