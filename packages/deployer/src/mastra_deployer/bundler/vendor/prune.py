"""Decide which distributions ship.

A distribution is left out only if two conditions are true. No code in the bundle imports the
distribution. Every requirement that leads to the distribution is in a list of unneeded
requirements, each of which is tested.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.markers import build_marker_environment
from mastra_deployer.bundler.vendor.distributions import Distribution
from mastra_deployer.bundler.vendor.unused_requirements import list_unused_requirements

__all__ = ("PRUNE_VERSION", "DependencyGraph", "Edges", "Node")

PRUNE_VERSION = "11"

Edges: TypeAlias = Mapping[str, frozenset[str]]
Node: TypeAlias = tuple[str, frozenset[str]]
"""A distribution's canonical name, and the extras that are required of it."""


class DependencyGraph:
    """The graph of distributions and their requirements.

    :param distributions: the app's direct and indirect dependencies, by canonical name.
    :param direct: the direct requirements of the project and the target, as canonical names with
        extras.
    :param platform: the platform for which the markers of requirements are evaluated.
    :param app_requirements: canonical names of distributions that the app's own code imports.
    """

    def __init__(
        self,
        distributions: Mapping[str, Distribution],
        direct: Edges,
        platform: Platform,
        app_requirements: frozenset[str] = frozenset(),
    ) -> None:
        self._distributions, self._direct = distributions, direct
        self._app_requirements = app_requirements
        self._unused = list_unused_requirements(platform)
        self._environment = build_marker_environment(platform)
        self._edges: dict[Node, tuple[Node, ...]] = {}

    def find_unneeded(self, keep: frozenset[str]) -> dict[str, str]:
        """Return the distributions that do not ship, with the reasons.

        :param keep: canonical names of distributions whose files all ship.
        """
        tools = {name for name, item in self._distributions.items() if item.tool}
        required = dict.fromkeys(keep | self._app_requirements, frozenset[str]())
        needed = {name for name, _ in self._walk(self._unused, tools, required)}
        reasons = dict.fromkeys(tools, "offers deployers or plugins")
        for name in {name for name, _ in self._walk({}, set())} - needed - tools:
            edges = [
                other
                for other, unused in self._unused.items()
                if name in unused and other in needed
            ]
            reasons[name] = (
                f"{edges[0]} requires it, but does not use it to serve"
                if edges
                else "required only by distributions that do not ship"
            )
        return reasons

    def collect_requirers(self) -> dict[str, tuple[str, ...]]:
        """Return the requirers of each distribution; an empty name means the project or target."""
        requirers: dict[str, set[str]] = {
            name: {""} for name in self._direct if name in self._distributions
        }
        for node in self._walk({}, set()):
            for other, _ in self._get_requirements(node):
                requirers.setdefault(other, set()).add(node[0])
        return {name: tuple(sorted(by)) for name, by in requirers.items()}

    def _walk(self, unused_edges: Edges, without: set[str], more: Edges | None = None) -> set[Node]:
        """Return the nodes that can be reached without the edges in ``unused_edges``."""
        visited: set[Node] = set()
        pending = [*self._direct.items(), *(more or {}).items()]
        while pending:
            node = pending.pop()
            name = node[0]
            if node in visited or name not in self._distributions or name in without:
                continue
            visited.add(node)
            skipped = unused_edges.get(name, frozenset())
            pending += [pair for pair in self._get_requirements(node) if pair[0] not in skipped]
        return visited

    def _get_requirements(self, node: Node) -> tuple[Node, ...]:
        if node not in self._edges:
            distribution = self._distributions[node[0]]
            requirements = map(_parse_requirement, distribution.requires)
            self._edges[node] = (
                *(
                    (canonicalize_name(item.name), frozenset(item.extras))
                    for item in requirements
                    if _is_applicable(item, self._environment, node[1])
                ),
                *((name, frozenset[str]()) for name in distribution.usage.imports),
            )
        return self._edges[node]


def _parse_requirement(line: str) -> Requirement:
    """Parse a requirement; if it is malformed, return only its name."""
    try:
        return Requirement(line)
    except InvalidRequirement:
        return Requirement(re.split(r"[^\w.-]", line.strip())[0].rstrip(".-_") or "unnamed")


def _is_applicable(item: Requirement, environment: dict[str, str], extras: frozenset[str]) -> bool:
    if item.marker is None:
        return True
    return any(item.marker.evaluate({**environment, "extra": name}) for name in ("", *extras))
