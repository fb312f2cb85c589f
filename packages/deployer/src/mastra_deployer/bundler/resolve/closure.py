"""The project's runtime closure, locked: which distributions of which versions ship."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.pipeline import Platform, Project, Report
from mastra_deployer.bundler.locks.indexes import public
from mastra_deployer.bundler.locks.lock_source import Source, Wanted, check_python
from mastra_deployer.bundler.locks.select_lock import choose_source
from mastra_deployer.bundler.own_wheels import own_wheel, tree_digest
from mastra_deployer.bundler.resolve.lockfile import latest, read_lock, write_lock
from mastra_deployer.bundler.resolve.requirements import named
from mastra_deployer.bundler.resolve.resolver import Resolution
from mastra_deployer.bundler.resolve.source_builds import Builder
from mastra_deployer.bundler.resolve.tool_distributions import tool_distributions
from mastra_deployer.files.directories import local_directory
from mastra_deployer.files.temporary import scratch_directory
from mastra_deployer.project.discovery import config_of

__all__ = ("OWN", "Closure", "lock_closure")

OWN = ("mastra-core", "mastra-server")
# Of what this file and its neighbours write; another one asks for everything again.
_VERSION = "2"
# What moves a resolution and is in no file.
_VARIABLES = (
    *("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"),
    *("UV_EXCLUDE_NEWER", "UV_PRERELEASE", "UV_RESOLUTION", "UV_NO_INDEX", "UV_INDEX_STRATEGY"),
    *("UV_CONSTRAINT", "UV_OVERRIDE", "UV_CONFIG_FILE"),
)
_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
_WITH_CREDENTIALS = re.compile(r"(https?://[^/\s@]+@[^/\s]+/)")
_STAMP = "# local projects: "


@dataclasses.dataclass(frozen=True, kw_only=True)
class Closure:
    """What is to be installed.

    :param lock: pylock.toml with everything that comes as a wheel.
    :param directories: local projects, to be built.
    :param direct: canonical names the project and the runtime ask for, with their extras.
    :param fingerprint: of names, versions and hashes; no path of this machine in it.
    :param source: the file that decided.
    :param environment: for uv when it installs: indexes with their credentials.
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
) -> Closure:
    """Resolve the project's dependencies for ``platform``, or take what was resolved before.

    :param requirements: of the target's runtime.
    :param own: our distributions to add, at exactly the installed version.
    :raises BuildError: when they cannot be resolved, or a wheel is missing.
    """
    locks = local_directory(project) / "locks"
    locks.mkdir(exist_ok=True)
    source = choose_source(project, platform, report)
    report.step(f"Resolving dependencies by {source.name}")
    direct = named([*source.direct, *requirements, *own])
    key = _key(project, platform, source, [*requirements, *own, *_override_facts(direct)])
    lock = locks / f"{platform.wheels}-{platform.python}-{key[:16]}.toml"
    packages = _kept(lock)
    if packages is None:
        check_python(source.requires_python, platform, "The project")
        with scratch_directory(locks) as scratch:
            made = scratch / "made.toml"
            extra = [*requirements, *own]
            write_lock(_resolved(project, platform, source, extra, direct, made), made, lock)
        packages = _kept(lock) or []
    directories = _directories(packages)
    return Closure(
        lock=lock,
        directories=directories,
        direct=direct,
        fingerprint=_fingerprint(packages, directories),
        source=source.name,
        root=project.root,
        environment=_installing(source),
    )


def _resolved(
    project: Project,
    platform: Platform,
    source: Source,
    extra: Sequence[str],
    direct: Mapping[str, frozenset[str]],
    made: Path,
) -> str:
    """The text of a new lock."""
    scratch, locks = made.parent, made.parent.parent
    wanted = source.read()
    builder = Builder(project=project, platform=platform, environment=source.indexes.environment())
    # What was chosen before stays chosen, as far as it still fits.
    older = latest(locks.glob(f"{platform.wheels}-{platform.python}-*.toml"))
    resolution = Resolution(
        project=project,
        builder=builder,
        inputs=_inputs(wanted, builder, [*extra], _overrides(direct), scratch),
        scratch=scratch,
        older=(older or "").encode(),
        hashes=wanted.hashes,
    )
    text = resolution.text()
    packages = tomllib.loads(text).get("packages", [])
    return f"{_STAMP}{_manifests(_directories(packages))}\n{text}"


def _inputs(
    wanted: Wanted,
    builder: Builder,
    extra: Sequence[str],
    overrides: Sequence[str],
    scratch: Path,
) -> list[str]:
    """Arguments of the resolver: files alone, since a line may carry credentials."""
    lines = [_from_commit(line, builder) for line in wanted.lines]
    constraints = [_from_commit(line, builder) for line in wanted.constraints]
    files = [str(wanted.pyproject)] if wanted.pyproject else []
    files += [_write(scratch / "project.in", lines), _write(scratch / "runtime.in", extra)]
    return [
        *files,
        *wanted.options,
        *("--constraint", _write(scratch / "constraints.txt", constraints)),
        *("--override", _write(scratch / "overrides.txt", overrides)),
    ]


def _from_commit(line: str, builder: Builder) -> str:
    return builder.commit(line) if line.startswith("git+") or " @ git+" in line else line


def _overrides(direct: Mapping[str, frozenset[str]]) -> list[str]:
    """Our packages from where they are installed; deployers and what only they need, not."""
    lines = []
    for name in OWN:
        extras = ",".join(sorted(direct.get(name, ())))
        lines.append(f"{name}{f'[{extras}]' if extras else ''} @ {own_wheel(name).as_uri()}")
    # A requirement that no Python fulfils takes the package out of the resolution.
    return lines + [f"{name} ; python_version < '0'" for name in sorted(tool_distributions())]


def _override_facts(direct: Mapping[str, frozenset[str]]) -> list[str]:
    """The overrides by content, since the wheels' paths name this machine."""
    digests = [hashlib.sha256(own_wheel(name).read_bytes()).hexdigest() for name in OWN]
    return [*(line.partition(" @ ")[0] for line in _overrides(direct)), *digests]


def _key(project: Project, platform: Platform, source: Source, facts: Sequence[str]) -> str:
    """Everything that a resolution depends on; without credentials, which may change freely."""
    build = config_of(project).build
    contents = [public(path.read_text("utf-8")) for path in source.files if path.is_file()]
    variables = [public(os.environ.get(name, "")) for name in _VARIABLES]
    asked = [source.name, source.direct, build.extras, build.groups, build.lock, variables]
    text = json.dumps([_VERSION, str(platform), platform.interpreter, contents, asked, *facts])
    return hashlib.sha256(text.encode()).hexdigest()


def _kept(lock: Path) -> list[dict[str, Any]] | None:
    """The packages of a lock that still holds; ``None`` where there is none.

    It does not when a local project asks for other things than it did, or a wheel that was built
    is gone from the cache.
    """
    text = read_lock(lock)
    if text is None:
        return None
    packages: list[dict[str, Any]] = tomllib.loads(text).get("packages", [])
    archives = [package["archive"] for package in packages if "archive" in package]
    paths = [archive["path"] for archive in archives if "path" in archive]
    stamp = f"{_STAMP}{_manifests(_directories(packages))}\n"
    if stamp in text and all(Path(path).is_file() for path in paths):
        return packages
    return None


def _directories(packages: Sequence[Mapping[str, Any]]) -> tuple[Path, ...]:
    return tuple(
        Path(package["directory"]["path"]) for package in packages if "directory" in package
    )


def _manifests(directories: Iterable[Path]) -> str:
    """Digest of what local projects say they need."""
    digest = hashlib.sha256()
    for path in (directory / name for directory in directories for name in _MANIFESTS):
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return digest.hexdigest()


def _installing(source: Source) -> dict[str, str]:
    """Indexes, and the places of addressed files: uv knows credentials by their host."""
    lines = "\n".join(source.direct)
    places = tuple(dict.fromkeys(_WITH_CREDENTIALS.findall(lines)))
    indexes = source.indexes
    return dataclasses.replace(indexes, extra=(*indexes.extra, *places)).environment()


def _fingerprint(packages: Sequence[Mapping[str, Any]], directories: Sequence[Path]) -> str:
    facts = [
        [package["name"], package.get("version"), _hashes(package)]
        for package in packages
        if "directory" not in package
    ]
    facts += [[path.name, tree_digest(path)] for path in directories]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _hashes(package: Mapping[str, Any]) -> list[str]:
    files = [*package.get("wheels", []), *([package["archive"]] if "archive" in package else [])]
    return sorted(file["hashes"]["sha256"] for file in files)


def _write(path: Path, lines: Iterable[str]) -> str:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return str(path)
