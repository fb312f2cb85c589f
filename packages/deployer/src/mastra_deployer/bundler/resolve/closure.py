"""Lock the project's runtime dependencies and all their requirements."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from mastra_core.pipeline import Platform, Project, Report
from mastra_deployer.bundler.locks.indexes import remove_credentials
from mastra_deployer.bundler.locks.lock_source import LockSource, ResolverInput, check_python
from mastra_deployer.bundler.locks.select_lock import choose_source
from mastra_deployer.bundler.own_wheels import hash_tree
from mastra_deployer.bundler.resolve.lockfile import read_latest_lock, read_lock, write_lock
from mastra_deployer.bundler.resolve.older_versions import report_older_versions
from mastra_deployer.bundler.resolve.requirement_overrides import (
    build_overrides,
    describe_overrides,
)
from mastra_deployer.bundler.resolve.requirements import parse_names
from mastra_deployer.bundler.resolve.unneeded_requirements import find_imported_unneeded
from mastra_deployer.bundler.resolve.uv_settings import (
    has_links,
    list_user_files,
    list_user_options,
    read_files,
    read_variables,
)
from mastra_deployer.bundler.resolve.wheel_tags import describe_platform
from mastra_deployer.files.directories import ensure_local_directory
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.discovery import get_config

if TYPE_CHECKING:
    from mastra_deployer.bundler.resolve.source_builds import SourceBuilder

__all__ = ("Closure", "lock_closure", "read_local_names")

# Format of the locks; changing it makes every project resolve again.
_VERSION = "4"
_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
_WITH_CREDENTIALS = re.compile(r"(https?://[^/\s@]+@[^/\s]+/)", re.IGNORECASE)
_STAMP = "# local projects: "


@dataclasses.dataclass(frozen=True, kw_only=True)
class Closure:
    """The distributions to install.

    :param lock: pylock.toml with every distribution that comes as a wheel.
    :param directories: local projects, which are built.
    :param direct: the direct requirements of the project and the target, as canonical names with
        extras.
    :param fingerprint: the fingerprint of names, versions and hashes; independent of paths of this
        machine.
    :param source: name of the file that decides the versions.
    :param root: the project's directory.
    :param environment: environment variables for uv: the indexes with their credentials.
    """

    lock: Path
    directories: tuple[Path, ...]
    direct: Mapping[str, frozenset[str]]
    fingerprint: str
    source: str = ""
    root: Path | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


def lock_closure(
    project: Project,
    platform: Platform,
    requirements: Sequence[str],
    own: Sequence[str],
    report: Report,
    modules: Iterable[str] = (),
) -> Closure:
    """Resolve the project's dependencies for a platform, or load an earlier result.

    :param project: the app.
    :param platform: the platform to build for.
    :param requirements: the requirements of the target's runtime.
    :param own: Mastra's distributions to add, at exactly the installed version.
    :param report: receives progress and notes.
    :param modules: dotted names that the app imports or has in strings.
    :raises BuildError: when the requirements cannot be resolved, or a wheel is missing.
    """
    locks = ensure_local_directory(project, "locks")
    source = choose_source(project, platform, report)
    report.step(f"Resolving dependencies from {source.name}")
    direct = parse_names([*source.direct, *requirements, *own])
    imported = find_imported_unneeded(modules, platform)
    facts = [*requirements, *own, *describe_overrides(direct), *sorted(imported)]
    key = _compute_key(project, platform, source, facts)
    lock = locks / f"{platform.wheels}-{platform.python}-{key[:16]}.toml"
    packages = _load_packages(lock)
    if packages is None:
        check_python(source.requires_python, platform, "The project")
        with temporary_directory(locks) as temporary:
            draft = temporary / "made.toml"
            extra = [*requirements, *own]
            text = _resolve(project, platform, source, extra, direct, imported, draft)
            write_lock(text, draft, lock)
        packages = _load_packages(lock) or []
    report_older_versions(read_lock(lock) or "", platform, report)
    directories = _get_directories(packages)
    return Closure(
        lock=lock,
        directories=directories,
        direct=direct,
        fingerprint=_compute_fingerprint(packages, directories),
        source=source.name,
        root=project.root,
        environment=_build_install_environment(source),
    )


def read_local_names(closure: Closure) -> list[str]:
    """Return the canonical names of the local projects from their pyproject.toml.

    :param closure: the locked dependencies.
    """
    tables = [read_pyproject(path).get("project", {}) for path in closure.directories]
    return sorted(canonicalize_name(str(table["name"])) for table in tables if "name" in table)


def _resolve(
    project: Project,
    platform: Platform,
    source: LockSource,
    extra: Sequence[str],
    direct: Mapping[str, frozenset[str]],
    app_requirements: frozenset[str],
    draft: Path,
) -> str:
    """Return the text of a new lock."""
    # Loaded on use: most builds have a lock.
    from mastra_deployer.bundler.resolve.resolver import Resolver
    from mastra_deployer.bundler.resolve.source_builds import SourceBuilder

    temporary, locks = draft.parent, draft.parent.parent
    resolver_input = source.read()
    builder = SourceBuilder(
        project=project, platform=platform, environment=source.indexes.to_environment()
    )
    # Versions that were chosen before are kept where they still fit.
    previous = read_latest_lock(locks.glob(f"{platform.wheels}-{platform.python}-*.toml"))
    resolver = Resolver(
        project=project,
        builder=builder,
        inputs=[
            *_write_inputs(resolver_input, builder, extra, build_overrides(direct), temporary),
            *list_user_options(source),
        ],
        temporary=temporary,
        previous=(previous or "").encode(),
        hashes=resolver_input.hashes,
        direct=app_requirements.union(direct),
        single_index=not has_links(source),
    )
    text = resolver.resolve()
    packages = tomllib.loads(text).get("packages", [])
    return f"{_STAMP}{_hash_manifests(_get_directories(packages))}\n{text}"


def _write_inputs(
    resolver_input: ResolverInput,
    builder: SourceBuilder,
    extra: Sequence[str],
    overrides: Sequence[str],
    temporary: Path,
) -> list[str]:
    """Write the inputs to files, because they may contain secrets; return uv's arguments."""
    lines = [_build_from_commit(line, builder) for line in resolver_input.lines]
    constraints = [_build_from_commit(line, builder) for line in resolver_input.constraints]
    files = [str(resolver_input.pyproject)] if resolver_input.pyproject else []
    files += [
        _write_lines(temporary / "project.in", lines),
        _write_lines(temporary / "runtime.in", extra),
    ]
    return [
        *files,
        *resolver_input.options,
        *("--constraint", _write_lines(temporary / "constraints.txt", constraints)),
        *("--override", _write_lines(temporary / "overrides.txt", overrides)),
    ]


def _build_from_commit(line: str, builder: SourceBuilder) -> str:
    return builder.build_commit(line) if line.startswith("git+") or " @ git+" in line else line


def _compute_key(
    project: Project, platform: Platform, source: LockSource, facts: Sequence[str]
) -> str:
    """Hash all inputs of a resolution.

    The hash does not contain credentials, so it stays the same if they change.
    """
    build = get_config(project).build
    files = (*source.files, *list_user_files(source))
    contents = [remove_credentials(text) for text in read_files(files)]
    variables = [remove_credentials(text) for text in read_variables()]
    inputs = [source.name, source.direct, build.extras, build.groups, build.lock, variables]
    text = json.dumps(
        [_VERSION, describe_platform(platform), platform.index, platform.interpreter]
        + [contents, inputs, *facts]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _load_packages(lock: Path) -> list[dict[str, Any]] | None:
    """Return the packages of a lock, or ``None`` without a valid lock.

    A lock is invalid if the requirements of a local project have changed, or a built wheel is no
    longer in the cache.
    """
    text = read_lock(lock)
    if text is None:
        return None
    packages: list[dict[str, Any]] = tomllib.loads(text).get("packages", [])
    archives = [package["archive"] for package in packages if "archive" in package]
    paths = [archive["path"] for archive in archives if "path" in archive]
    stamp = f"{_STAMP}{_hash_manifests(_get_directories(packages))}\n"
    if stamp in text and all(Path(path).is_file() for path in paths):
        return packages
    return None


def _get_directories(packages: Sequence[Mapping[str, Any]]) -> tuple[Path, ...]:
    return tuple(
        Path(package["directory"]["path"]) for package in packages if "directory" in package
    )


def _hash_manifests(directories: Iterable[Path]) -> str:
    """Hash the files that declare the requirements of local projects."""
    digest = hashlib.sha256()
    for path in (directory / name for directory in directories for name in _MANIFESTS):
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return digest.hexdigest()


def _build_install_environment(source: LockSource) -> dict[str, str]:
    """Return variables for uv: indexes, and URLs of requirements if they have credentials."""
    lines = "\n".join(source.direct)
    urls = tuple(dict.fromkeys(_WITH_CREDENTIALS.findall(lines)))
    indexes = source.indexes
    return dataclasses.replace(indexes, extra=(*indexes.extra, *urls)).to_environment()


def _compute_fingerprint(packages: Sequence[Mapping[str, Any]], directories: Sequence[Path]) -> str:
    facts = [
        [package["name"], package.get("version"), _get_hashes(package)]
        for package in packages
        if "directory" not in package
    ]
    facts += [[path.name, hash_tree(path)] for path in directories]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _get_hashes(package: Mapping[str, Any]) -> list[str]:
    files = [*package.get("wheels", []), *([package["archive"]] if "archive" in package else [])]
    return sorted(file["hashes"]["sha256"] for file in files)


def _write_lines(path: Path, lines: Iterable[str]) -> str:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
    return str(path)
