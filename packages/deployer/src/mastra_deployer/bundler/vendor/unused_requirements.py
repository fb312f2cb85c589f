"""List the requirements and imports of distributions that a server never uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packaging.utils import canonicalize_name

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.unneeded_requirements import (
    ALL_UNNEEDED,
    NEEDING_MODULES,
    find_needed_packages,
    list_unneeded_requirements,
)

__all__ = (
    "UNUSED",
    "find_imported_unused",
    "list_optional_requirements",
    "list_undeclared_targets",
    "list_unused_requirements",
)

# By requirer: the distributions that it uses for its command line, its test client or its
# debugging, but never to serve; or only in the modules that `NEEDING_MODULES` names. Each entry is
# tested.
UNUSED: Mapping[str, frozenset[str]] = {
    "litestar": frozenset(("click", "httpx", "polyfactory", "rich", "rich-click")),
    "pydantic": frozenset(("rich",)),
    "pydantic-ai-slim": frozenset(("tiktoken",)),
}
_UNUSED_NAMES: frozenset[str] = frozenset().union(*UNUSED.values())
_TARGETS = ALL_UNNEEDED | _UNUSED_NAMES
_NAME = re.compile(r"[\w.-]+")


def list_unused_requirements(platform: Platform) -> dict[str, frozenset[str]]:
    """Return, for each distribution, its requirements that a server on the platform never imports.

    :param platform: the platform to build for.
    """
    unneeded = list_unneeded_requirements(platform)
    return {
        name: UNUSED.get(name, frozenset()) | unneeded.get(name, frozenset())
        for name in UNUSED.keys() | unneeded.keys()
    }


def find_imported_unused(modules: Iterable[str]) -> frozenset[str]:
    """Return the distributions that most apps do not use, but that the imports of this app need.

    :param modules: dotted names that the app imports or has in strings.
    """
    return _TARGETS & find_needed_packages(modules)


def list_optional_requirements(requires: Iterable[str]) -> frozenset[str]:
    """Return the canonical names of the requirements that may not ship with their requirer.

    These are the requirements of extras and of some platforms, and those that a server never uses.

    :param requires: the ``Requires-Dist`` lines of the requirer.
    """
    matches = ((line, _NAME.match(line.strip())) for line in requires)
    names = {canonicalize_name(match[0]): line for line, match in matches if match}
    return frozenset(name for name, line in names.items() if ";" in line or name in _TARGETS)


def list_undeclared_targets(name: str, requires: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the undeclared distributions that a distribution needs if its code imports a module.

    A distribution in ``requires`` is left out, even if it belongs to an extra that is not selected.

    :param name: canonical name of the importing distribution.
    :param requires: the ``Requires-Dist`` lines of the distribution.
    :returns: canonical names by the dotted name of the module: the top-level module of the
        distribution, or a module that needs it.
    """
    matches = (_NAME.match(line.strip()) for line in requires)
    declared = {canonicalize_name(match[0]) for match in matches if match}
    targets = _TARGETS - declared - UNUSED.get(name, frozenset()) - {name}
    modules = {target.replace("-", "_"): frozenset((target,)) for target in targets}
    unused = targets & _UNUSED_NAMES
    needing = {module: names & unused for module, names in NEEDING_MODULES.items()}
    return {**modules, **{module: names for module, names in needing.items() if names}}
