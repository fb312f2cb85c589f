"""The files that decide, and what they say: the same shape for every tool."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform, Project
from mastra_deployer.bundler.locks.indexes import Indexes
from mastra_deployer.project.interpreters import project_interpreter, target_interpreter

__all__ = ("Asked", "Source", "Wanted", "check_python", "drifted")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a project's files.

    :param entry: the file of the entry module, if any: it may state dependencies itself.
    :param extras: optional dependencies that ship.
    :param groups: dependency groups that ship beside the main one.
    """

    project: Project
    entry: Path | None
    platform: Platform
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The project's directory."""
        return self.project.root

    def interpreter(self) -> str:
        """The path of a Python of the target's version; empty where this machine has none."""
        own = project_interpreter(self.project)
        found = target_interpreter(self.platform.python, own, self.platform.interpreter)
        return found.path if found else ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be resolved, in words that uv reads.

    :param lines: requirements, or options of a requirements file.
    :param constraints: versions that apply to what is needed, and ask for nothing.
    :param pyproject: read by uv itself, which knows where [tool.uv] says things come from.
    :param options: of uv, for ``pyproject``.
    :param hashes: SHA-256 that a lock allows, by canonical name; a name not in it may be any.
    """

    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pyproject: Path | None = None
    options: tuple[str, ...] = ()
    hashes: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """The files that decide what ships.

    :param name: of the deciding file, as people know it.
    :param files: everything it depends on; while their contents stay, the answer stays.
    :param direct: requirements that the project states itself; these are never pruned.
    :param read: gives what they say; may be slow, and is only called after a change.
    :param locked: whether every version is decided by the files.
    :param update: the command that makes or updates the lock.
    :param requires_python: what the project says of Python versions.
    """

    name: str
    files: tuple[Path, ...]
    direct: tuple[str, ...]
    read: Callable[[], Wanted]
    locked: bool
    update: str
    requires_python: str = ""
    indexes: Indexes = dataclasses.field(default_factory=Indexes)


def drifted(name: str, why: str, update: str) -> BuildError:
    """The error for a lock that is not of the project as it stands."""
    return BuildError(
        f"{name} does not match the project: {why}.", f"Run `{update}`, and commit the result."
    )


def check_python(requires: str, platform: Platform, where: str) -> None:
    """Stop when the files are for other Python versions than the target's.

    :raises BuildError: naming both.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifier = SpecifierSet(requires)
    except InvalidSpecifier:
        raise BuildError(
            f"{where} requires Python {requires!r}, which is no version specifier.",
            "Write it like '>=3.11'.",
        ) from None
    # Which patch release the target runs is not known: one that fits is enough.
    if any(specifier.contains(f"{platform.python}.{patch}") for patch in range(100)):
        return
    raise BuildError(
        f"{where} requires Python {requires!r}, and the target has {platform.python}.",
        "Build for another Python (--python, or [tool.mastra] python), or change what the "
        "project requires.",
    )


def allowed_hashes(packages: list[tuple[str, list[str]]]) -> dict[str, frozenset[str]]:
    """Hashes of a lock by canonical name; those that are no SHA-256 are left to the tool."""
    found: dict[str, frozenset[str]] = {}
    for name, hashes in packages:
        key = str(canonicalize_name(name))
        digests = {item.partition(":")[2] for item in hashes if item.startswith("sha256:")}
        found[key] = found.get(key, frozenset()) | digests
    return {name: digests for name, digests in found.items() if digests}
