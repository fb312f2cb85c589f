"""Find variables with names that the platform reserves."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Problem, Target

__all__ = ("check_reserved_variables", "refuse_reserved_variables")

_MAX_SHOWN = 10  # patterns in a hint


def check_reserved_variables(target: Target, names: Iterable[str]) -> list[Problem]:
    """Return an error for each variable that the platform sets or refuses.

    :param target: the target, which declares its reserved names.
    :param names: the names of the app's variables.
    """
    return [
        Problem(
            message=f"The environment variable {name!r} is reserved by {target.name!r}.",
            hint=f"Choose another name. These names are reserved: {_list_patterns(target)}.",
            where="pyproject.toml",
        )
        for name in names
        if _is_reserved(target, name)
    ]


def refuse_reserved_variables(target: Target, names: Iterable[str]) -> None:
    """Raise an error for variables that the platform sets or refuses.

    :param target: the target, which declares its reserved names.
    :param names: the names of the variables to set.
    :raises ConfigError: naming them.
    """
    reserved = [name for name in names if _is_reserved(target, name)]
    if reserved:
        raise ConfigError(
            f"{', '.join(map(repr, reserved))} cannot be set, because {target.name!r} reserves "
            f"{'this name' if len(reserved) == 1 else 'these names'}.",
            f"Choose another name. These names are reserved: {_list_patterns(target)}.",
        )


def _is_reserved(target: Target, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in target.reserved_variables)


def _list_patterns(target: Target) -> str:
    patterns = target.reserved_variables
    more = f" and {len(patterns) - _MAX_SHOWN} more" if len(patterns) > _MAX_SHOWN else ""
    return f"{', '.join(patterns[:_MAX_SHOWN])}{more}"
