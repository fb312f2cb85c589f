"""Decide which dependencies ship: no distribution that is unused, no file that cannot run.

A distribution is dropped only when nothing needs it except a requirement in ``UNUSED``, which is a
list of tested facts. Metadata always ships: frameworks read it. Single modules of a distribution
always ship: a dynamic import may need them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.own_wheels import INSTALLER_FILES
from mastra_deployer.bundler.resolve.markers import build_marker_environment
from mastra_deployer.bundler.vendor.distributions import Distribution

__all__ = ("PRUNE_VERSION", "UNUSED", "DependencyGraph", "Edges", "Node", "get_drop_reason")

PRUNE_VERSION = "4"

# By requirer: what it requires for its command line or its test client, never to serve.
UNUSED: Mapping[str, frozenset[str]] = {
    "litestar": frozenset(("click", "httpx", "polyfactory", "rich", "rich-click")),
}
_UNUSED_SUFFIXES = frozenset((".pyi", ".h", ".hpp", ".c", ".cpp", ".pyx", ".pxd", ".pyc", ".a"))
_UNUSED_DIRECTORIES = frozenset(("tests", "test", "__pycache__"))
Edges: TypeAlias = Mapping[str, frozenset[str]]
Node: TypeAlias = tuple[str, frozenset[str]]
"""A distribution's canonical name, and the extras that are required of it."""


class DependencyGraph:
    """The graph of which distribution requires which.

    :param distributions: of the closure, by canonical name.
    :param direct: what the project and the target require themselves, with extras.
    :param platform: whose markers apply.
    """

    def __init__(
        self, distributions: Mapping[str, Distribution], direct: Edges, platform: Platform
    ) -> None:
        self._distributions, self._direct = distributions, direct
        self._environment = build_marker_environment(platform)
        self._edges: dict[Node, tuple[Node, ...]] = {}

    def find_unneeded(self, keep: frozenset[str]) -> dict[str, str]:
        """Return the distributions that do not ship, each with the reason.

        :param keep: canonical names of distributions that are kept whole.
        """
        tools = {name for name, item in self._distributions.items() if item.tool}
        needed = {name for name, _ in self._walk(UNUSED, tools)}
        reasons = dict.fromkeys(tools, "offers deployers or plugins")
        for name in {name for name, _ in self._walk({}, set())} - needed - keep - tools:
            edges = [
                other for other, unused in UNUSED.items() if name in unused and other in needed
            ]
            reasons[name] = (
                f"{edges[0]} requires it, but not to serve"
                if edges
                else "required only by distributions that do not ship"
            )
        return reasons

    def collect_requirers(self) -> dict[str, tuple[str, ...]]:
        """Return who requires each distribution; an empty name is the project or its target."""
        requirers: dict[str, set[str]] = {
            name: {""} for name in self._direct if name in self._distributions
        }
        for node in self._walk({}, set()):
            for other, _ in self._get_requirements(node):
                requirers.setdefault(other, set()).add(node[0])
        return {name: tuple(sorted(by)) for name, by in requirers.items()}

    def _walk(self, unused: Edges, without: set[str]) -> set[Node]:
        """Return the nodes reachable without the requirements in ``unused``."""
        visited: set[Node] = set()
        pending = list(self._direct.items())
        while pending:
            node = pending.pop()
            name = node[0]
            if node in visited or name not in self._distributions or name in without:
                continue
            visited.add(node)
            skipped = unused.get(name, frozenset())
            pending += [pair for pair in self._get_requirements(node) if pair[0] not in skipped]
        return visited

    def _get_requirements(self, node: Node) -> tuple[Node, ...]:
        if node not in self._edges:
            requirements = map(_parse_requirement, self._distributions[node[0]].requires)
            self._edges[node] = tuple(
                (canonicalize_name(item.name), frozenset(item.extras))
                for item in requirements
                if _is_applicable(item, self._environment, node[1])
            )
        return self._edges[node]


def get_drop_reason(name: str, *, whole: bool) -> str:
    """Return why a file of a distribution does not ship; empty where it ships.

    :param name: relative to the tree.
    :param whole: whether only the installer's own files are dropped.
    """
    path = PurePosixPath(name)
    if name.startswith("bin/") or ".." in path.parts or path.is_absolute():
        return "a script outside of the packages"
    if path.parent.name == "__pycache__":
        return "bytecode of another build"
    if path.parent.suffix == ".dist-info":
        return "a file of the installer" if path.name in INSTALLER_FILES else ""
    if whole:
        return ""
    # The first part is the package itself, which may be called "test".
    if not _UNUSED_DIRECTORIES.isdisjoint(path.parts[1:-1]):
        return "tests"
    return "source of compiled code, or type stubs" if path.suffix in _UNUSED_SUFFIXES else ""


def _parse_requirement(line: str) -> Requirement:
    """Parse a requirement; return only its name if the rest is malformed."""
    try:
        return Requirement(line)
    except InvalidRequirement:
        return Requirement(re.split(r"[^\w.-]", line.strip())[0].rstrip(".-_") or "unnamed")


def _is_applicable(item: Requirement, environment: dict[str, str], extras: frozenset[str]) -> bool:
    if item.marker is None:
        return True
    return any(item.marker.evaluate({**environment, "extra": name}) for name in ("", *extras))
