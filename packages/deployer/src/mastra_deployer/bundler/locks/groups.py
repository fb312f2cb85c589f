"""Read extras and dependency groups of pyproject.toml, which have the same format in all tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import ConfigError
from mastra_deployer.project.suggest import suggest

__all__ = ("iter_group_lines", "select_lines")


def select_lines(
    pyproject: Mapping[str, Any], extras: Iterable[str], groups: Iterable[str]
) -> list[str]:
    """Return the requirement lines of the selected extras and groups.

    :param pyproject: the contents of pyproject.toml.
    :param extras: names of optional dependencies.
    :param groups: names of dependency groups.
    :raises ConfigError: for an extra or a group that does not exist.
    """
    optional = pyproject.get("project", {}).get("optional-dependencies", {})
    tables = pyproject.get("dependency-groups", {})
    lines = [line for name in extras for line in optional[find_spelling(name, optional, "extras")]]
    return lines + [
        line
        for name in groups
        for line in iter_group_lines(tables, find_spelling(name, tables, "groups"))
    ]


def find_spelling(name: str, table: Iterable[str], key: str) -> str:
    """Return how a table spells a name, such as ``My_Extra`` for ``my-extra``.

    :param name: the name, in any spelling.
    :param table: the names that exist.
    :param key: the key of ``[tool.mastra.build]``; errors name it.
    :raises ConfigError: when the name does not exist.
    """
    spellings = {canonicalize_name(item): item for item in table}
    if (spelling := spellings.get(canonicalize_name(name))) is None:
        raise ConfigError(
            f"[tool.mastra.build] {key} contains {name!r}, which the project does not have.",
            suggest(name, tuple(spellings.values())) if spellings else f"The project has no {key}.",
        )
    return spelling


def iter_group_lines(
    tables: Mapping[str, Any], name: str, ancestors: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield the lines of a dependency group, including the lines of included groups.

    :param tables: the dependency groups by name.
    :param name: the name of the group.
    :param ancestors: canonical names of the groups that include the group ``name``.
    :raises ConfigError: for a group that includes itself, or does not exist.
    """
    if name in ancestors:
        raise ConfigError(
            f"The dependency group {name!r} includes itself.", "Remove one include-group."
        )
    for item in tables[find_spelling(name, tables, "groups")]:
        if isinstance(item, str):
            yield item
        else:
            yield from iter_group_lines(tables, str(item.get("include-group")), ancestors | {name})
