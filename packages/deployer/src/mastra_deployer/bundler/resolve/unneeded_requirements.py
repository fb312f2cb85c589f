"""List requirements that are not resolved for a platform, because the platform does not need them.

A requirement without a wheel for the platform cannot be resolved, so it must be removed before the
resolution. If another distribution still requires the package, but is pruned later, the package is
pruned with it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

from packaging.utils import canonicalize_name

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.pyodide import is_pyodide

__all__ = (
    "ALL_UNNEEDED",
    "NEEDING_MODULES",
    "find_imported_unneeded",
    "find_needed_packages",
    "find_needing_names",
    "find_unneeded_requirements",
    "list_unneeded_names",
    "list_unneeded_requirements",
)

# By requirer. On Pyodide there are no sockets, no server program, no command line and no deployer.
# Of the other packages, the requirer catches the ImportError. Each entry is tested.
_ON_PYODIDE: Mapping[str, frozenset[str]] = {
    "anyio": frozenset(("idna",)),
    "fastapi": frozenset(("fastapi-cli", "fastar")),
    "langsmith": frozenset(("orjson", "zstandard")),
    "mastra-core": frozenset(("pluggy",)),
    "mastra-server": frozenset(("httptools", "uvloop")),
    "pydantic-ai-slim": frozenset(("tiktoken",)),
    "uvicorn": frozenset(("httptools", "uvloop", "watchfiles")),
}
# Modules and classes of a requirer that need what is listed above, or what `UNUSED` lists.
NEEDING_MODULES: Mapping[str, frozenset[str]] = {
    "fastapi.cli": frozenset(("fastapi-cli",)),
    "litestar.cli": frozenset(("click", "rich", "rich-click")),
    "litestar.plugins.structlog": frozenset(("click", "rich")),
    "litestar.testing": frozenset(("httpx",)),
    "mastra_core.hooks": frozenset(("pluggy",)),
    "pydantic_ai.Embedder": frozenset(("tiktoken",)),
    "pydantic_ai.embeddings": frozenset(("tiktoken",)),
    "pydantic_ai.realtime": frozenset(("tiktoken",)),
}
_WORD = re.compile(rb"\w+")
ALL_UNNEEDED: frozenset[str] = frozenset().union(*_ON_PYODIDE.values())


def list_unneeded_requirements(platform: Platform) -> Mapping[str, frozenset[str]]:
    """Return the requirements that are not needed on a platform, by the distribution that has them.

    :param platform: the platform to build for.
    """
    return _ON_PYODIDE if is_pyodide(platform) else {}


def list_unneeded_names(platform: Platform) -> frozenset[str]:
    """Return the canonical names of packages that a requirer does not need on a platform.

    :param platform: the platform to build for.
    """
    return ALL_UNNEEDED if is_pyodide(platform) else frozenset()


def find_imported_unneeded(modules: Iterable[str], platform: Platform) -> frozenset[str]:
    """Return the packages that a platform does not need by default, but that an app's imports need.

    :param modules: dotted names that the app imports or has in strings.
    :param platform: the platform to build for.
    """
    names = list_unneeded_names(platform)
    return names & find_needed_packages(modules) if names else names


def find_needed_packages(modules: Iterable[str]) -> set[str]:
    """Return the canonical names of the modules' packages, and of packages that they need.

    :param modules: dotted names of modules, or of objects in modules.
    """
    found: set[str] = set()
    for module in modules:
        found.add(canonicalize_name(module.partition(".")[0]))
        for needing, targets in NEEDING_MODULES.items():
            if module == needing or module.startswith(f"{needing}."):
                found |= targets
    return found


def find_needing_names(source: bytes, names: Iterable[str]) -> set[str]:
    """Return the dotted names of which each part occurs in a source file, as a word.

    A module can import and use ``pydantic_ai.Embedder`` in many ways. A mention in a comment counts
    as well: the bundle then contains more than it needs.

    :param source: the source of a module.
    :param names: dotted names, such as the keys of ``NEEDING_MODULES``.
    """
    words: frozenset[bytes] | None = None
    found: set[str] = set()
    occurs = functools.cache(source.__contains__)  # several names begin with the same part
    for name in names:
        parts = name.encode().split(b".")
        if all(map(occurs, parts)):
            words = words if words is not None else frozenset(_WORD.findall(source))
            if words.issuperset(parts):
                found.add(name)
    return found


def find_unneeded_requirements(
    requirers: Mapping[str, frozenset[str]], direct: frozenset[str], platform: Platform
) -> list[str]:
    """Return the packages that the app does not need on a platform, sorted by name.

    :param requirers: canonical names of the requirers of each resolved package.
    :param direct: canonical names that the project requires or imports itself.
    :param platform: the platform to build for.
    """
    removed: set[str] = set()
    found = {*list_unneeded_names(platform)}
    while found:  # what only removed packages require is removed with them
        found = {
            name
            for name in requirers.keys() - removed - direct
            if requirers[name]
            and all(name in _ON_PYODIDE.get(item, ()) for item in requirers[name] - removed)
        }
        removed |= found
    return sorted(removed)
