"""Define the common result of all readers of lock files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform, Project
from mastra_deployer.bundler.locks.indexes import Indexes
from mastra_deployer.project.interpreters import find_project_interpreter, find_target_interpreter

__all__ = ("LockRequest", "LockSource", "ResolverInput", "build_drift_error", "check_python")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LockRequest:
    """The input for a reader of lock files.

    :param project: the app.
    :param entry: the file of the entry module, if any, which can be a script that declares
        dependencies.
    :param platform: the platform to build for.
    :param extras: optional dependencies that ship.
    :param groups: dependency groups that ship in addition to the main group.
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

    def find_interpreter(self) -> str:
        """Return the path of a Python of the target's version; empty if there is none."""
        project_python = find_project_interpreter(self.project)
        interpreter = find_target_interpreter(
            self.platform.python, project_python, self.platform.interpreter
        )
        return interpreter.path if interpreter else ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResolverInput:
    """The requirements that uv must resolve.

    :param lines: requirements, or options of a requirements file.
    :param constraints: allowed versions of packages; a constraint alone does not install a package.
    :param pyproject: a pyproject.toml that uv itself reads, for the package sources of [tool.uv].
    :param options: uv's options for the resolution of ``pyproject``, such as the groups to include.
    :param hashes: SHA-256 that a lock allows, by canonical name; other packages may have any hash.
    """

    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pyproject: Path | None = None
    options: tuple[str, ...] = ()
    hashes: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LockSource:
    """The files that decide which packages ship.

    :param name: the name that messages show for the file with the versions.
    :param files: every file that decides the result of ``read``.
    :param direct: requirements that the project declares itself. mastra never prunes them.
    :param read: returns the requirements in the files; may be slow, and is called only after a
        change.
    :param locked: whether the files decide every version.
    :param update: the command that creates or updates the lock.
    :param requires_python: the project's specifier of Python versions.
    :param indexes: the package indexes that the files name.
    """

    name: str
    files: tuple[Path, ...]
    direct: tuple[str, ...]
    read: Callable[[], ResolverInput]
    locked: bool
    update: str
    requires_python: str = ""
    indexes: Indexes = dataclasses.field(default_factory=Indexes)


def build_drift_error(name: str, reason: str, update: str) -> BuildError:
    """Build the error for a lock that does not match the project.

    :param name: the name of the lock.
    :param reason: the difference.
    :param update: the command that updates the lock.
    """
    return BuildError(
        f"{name} does not match the project: {reason}.", f"Run `{update}`, and commit the result."
    )


def check_python(requires: str, platform: Platform, where: str) -> None:
    """Check that a specifier of Python versions includes the target's version.

    :param requires: the specifier; may be empty.
    :param platform: the platform of the target.
    :param where: the place of the specifier; errors name this place.
    :raises BuildError: when the specifier does not include the target's version.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifier = SpecifierSet(requires)
    except InvalidSpecifier:
        raise BuildError(
            f"{where} requires Python {requires!r}, which is not a version specifier.",
            "Write it like '>=3.11'.",
        ) from None
    # The target's patch release is unknown, so one matching release is enough.
    if any(specifier.contains(f"{platform.python}.{patch}") for patch in range(100)):
        return
    raise BuildError(
        f"{where} requires Python {requires!r}, but the target has {platform.python}.",
        "Build for another Python (--python, or [tool.mastra] python), or change the project's "
        "requires-python.",
    )


def collect_hashes(packages: list[tuple[str, list[str]]]) -> dict[str, frozenset[str]]:
    """Collect the SHA-256 hashes of a lock by canonical name.

    :param packages: pairs of a package's name and its ``algorithm:digest`` hashes.
    """
    allowed: dict[str, frozenset[str]] = {}
    for name, hashes in packages:
        key = str(canonicalize_name(name))
        digests = {item.partition(":")[2] for item in hashes if item.startswith("sha256:")}
        allowed[key] = allowed.get(key, frozenset()) | digests
    return {name: digests for name, digests in allowed.items() if digests}
