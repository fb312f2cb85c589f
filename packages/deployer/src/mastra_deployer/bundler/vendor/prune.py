"""What of the dependencies ships: no distribution that nothing uses, no file that cannot run.

A distribution goes only when nothing needs it but an edge of ``UNUSED``, which is a list of
tested facts. Metadata always stays: frameworks read it. Single modules of a distribution always
stay: a dynamic import would find a hole.
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
from mastra_deployer.bundler.resolve.markers import marker_environment
from mastra_deployer.bundler.vendor.distributions import Distribution

__all__ = ("PRUNE_VERSION", "UNUSED", "Edges", "Needs", "Node", "dead_reason")

PRUNE_VERSION = "4"

# Requirer to what it requires for its command line or its test client, never to serve.
UNUSED: Mapping[str, frozenset[str]] = {
    "litestar": frozenset(("click", "httpx", "polyfactory", "rich", "rich-click")),
}
_DEAD_SUFFIXES = frozenset((".pyi", ".h", ".hpp", ".c", ".cpp", ".pyx", ".pxd", ".pyc", ".a"))
_DEAD_FOLDERS = frozenset(("tests", "test", "__pycache__"))
Edges: TypeAlias = Mapping[str, frozenset[str]]
Node: TypeAlias = tuple[str, frozenset[str]]
"""A distribution's canonical name, and the extras that are asked of it."""


class Needs:
    """Who needs whom among the distributions of a closure.

    :param direct: what the project and the runtime ask for themselves, with extras.
    """

    def __init__(self, have: Mapping[str, Distribution], direct: Edges, platform: Platform) -> None:
        self._have, self._direct = have, direct
        self._environment = marker_environment(platform)
        self._edges: dict[Node, tuple[Node, ...]] = {}

    def unneeded(self, keep: frozenset[str]) -> dict[str, str]:
        """Distributions that do not ship, each with the reason.

        :param keep: canonical names of distributions that stay whole.
        """
        tools = {name for name, item in self._have.items() if item.tool}
        needed = {name for name, _ in self._reach(UNUSED, tools)}
        found = dict.fromkeys(tools, "offers deployers or plugins")
        for name in {name for name, _ in self._reach({}, set())} - needed - keep - tools:
            edges = [other for other, cut in UNUSED.items() if name in cut and other in needed]
            found[name] = (
                f"{edges[0]} requires it and never uses it to serve"
                if edges
                else "only what does not ship requires it"
            )
        return found

    def requirers(self) -> dict[str, tuple[str, ...]]:
        """Who asks for each distribution; an empty name is the project, or its target."""
        found: dict[str, set[str]] = {name: {""} for name in self._direct if name in self._have}
        for node in self._reach({}, set()):
            for other, _ in self._required(node):
                found.setdefault(other, set()).add(node[0])
        return {name: tuple(sorted(by)) for name, by in found.items()}

    def _reach(self, unused: Edges, without: set[str]) -> set[Node]:
        """Names, with extras, reachable without the edges in ``unused``."""
        seen: set[Node] = set()
        waiting = list(self._direct.items())
        while waiting:
            node = waiting.pop()
            name = node[0]
            if node in seen or name not in self._have or name in without:
                continue
            seen.add(node)
            cut = unused.get(name, frozenset())
            waiting += [pair for pair in self._required(node) if pair[0] not in cut]
        return seen

    def _required(self, node: Node) -> tuple[Node, ...]:
        if node not in self._edges:
            wanted = map(_requirement, self._have[node[0]].requires)
            self._edges[node] = tuple(
                (canonicalize_name(item.name), frozenset(item.extras))
                for item in wanted
                if _applies(item, self._environment, node[1])
            )
        return self._edges[node]


def dead_reason(name: str, *, whole: bool) -> str:
    """Why a file of a distribution does not ship; empty where it does.

    :param name: relative to the tree.
    :param whole: nothing but what an installer adds is left out.
    """
    path = PurePosixPath(name)
    if name.startswith("bin/") or ".." in path.parts or path.is_absolute():
        return "a script, outside of the packages"
    if path.parent.name == "__pycache__":
        return "bytecode of another build"
    if path.parent.suffix == ".dist-info":
        return "a note of the installer" if path.name in INSTALLER_FILES else ""
    if whole:
        return ""
    # The first part is the package itself: one that is called "test" is no test folder.
    if not _DEAD_FOLDERS.isdisjoint(path.parts[1:-1]):
        return "tests"
    return "source of compiled code, or types" if path.suffix in _DEAD_SUFFIXES else ""


def _requirement(line: str) -> Requirement:
    """A line of metadata; of one that is not well-formed the name, which is then needed."""
    try:
        return Requirement(line)
    except InvalidRequirement:
        return Requirement(re.split(r"[^\w.-]", line.strip())[0].rstrip(".-_") or "unnamed")


def _applies(item: Requirement, environment: dict[str, str], extras: frozenset[str]) -> bool:
    if item.marker is None:
        return True
    return any(item.marker.evaluate({**environment, "extra": name}) for name in ("", *extras))
