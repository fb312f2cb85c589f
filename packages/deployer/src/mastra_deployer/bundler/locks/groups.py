"""Extras and dependency groups as pyproject.toml has them for every tool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import ConfigError
from mastra_deployer.project.suggest import suggest

__all__ = ("chosen", "group_lines")


def chosen(pyproject: Mapping[str, Any], extras: Iterable[str], groups: Iterable[str]) -> list[str]:
    """Requirement lines of the extras and groups that were asked for.

    :raises ConfigError: for one that does not exist.
    """
    optional = pyproject.get("project", {}).get("optional-dependencies", {})
    tables = pyproject.get("dependency-groups", {})
    lines = [line for name in extras for line in optional[known(name, optional, "extras")]]
    return lines + [
        line for name in groups for line in group_lines(tables, known(name, tables, "groups"))
    ]


def known(name: str, table: Iterable[str], key: str) -> str:
    """``name`` as ``table`` spells it.

    :param key: of [tool.mastra.build], for the error.
    :raises ConfigError: when it is not there.
    """
    spelled = {canonicalize_name(item): item for item in table}
    if (found := spelled.get(canonicalize_name(name))) is None:
        raise ConfigError(
            f"[tool.mastra.build] {key}: the project has no {name!r}.",
            suggest(name, tuple(spelled.values())) if spelled else f"It has no {key} at all.",
        )
    return found


def group_lines(
    tables: Mapping[str, Any], name: str, seen: frozenset[str] = frozenset()
) -> Iterator[str]:
    """The lines of a dependency group, those of included groups in their place.

    :raises ConfigError: for a group that includes itself, or one that is not there.
    """
    if name in seen:
        raise ConfigError(
            f"The dependency group {name!r} includes itself.", "Take out one include-group."
        )
    for item in tables[known(name, tables, "groups")]:
        if isinstance(item, str):
            yield item
        else:
            yield from group_lines(tables, str(item.get("include-group")), seen | {name})
