"""The project's runtime closure, locked: which distributions of which versions ship."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.line import Platform, Project
from mastra_deployer.bundler.distributions import TOOL_GROUPS
from mastra_deployer.bundler.lockfile import latest, read_lock, write_lock
from mastra_deployer.bundler.pyodide import fit_lock, is_pyodide, resolve_arguments
from mastra_deployer.bundler.requirements import named, project_requirements
from mastra_deployer.config import read_pyproject
from mastra_deployer.places import local_directory
from mastra_deployer.scratch import scratch_directory
from mastra_deployer.uv import run_uv, target_arguments
from mastra_deployer.wheels import own_wheel, tree_digest

__all__ = ("OWN", "Closure", "deployer_distributions", "lock_closure")

OWN = ("mastra-core", "mastra-server")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Closure:
    """What is to be installed.

    :param lock: pylock.toml with everything that comes as a wheel.
    :param directories: local projects, to be built.
    :param direct: canonical names the project and the runtime ask for, with their extras.
    :param fingerprint: of names, versions and hashes; no path of this machine in it.
    """

    lock: Path
    directories: tuple[Path, ...]
    direct: Mapping[str, frozenset[str]]
    fingerprint: str


def lock_closure(
    project: Project, platform: Platform, requirements: Sequence[str], own: Sequence[str]
) -> Closure:
    """Resolve the project's dependencies for ``platform``, or take what was resolved before.

    :param requirements: of the target's runtime.
    :param own: our distributions to add, at exactly the installed version.
    :raises BuildError: when they cannot be resolved, or a wheel is missing.
    """
    locks = local_directory(project) / "locks"
    locks.mkdir(exist_ok=True)
    direct = named([*project_requirements(project.root), *requirements, *own])
    with scratch_directory(locks) as scratch:
        inputs = _inputs(project, Path(scratch))
        extra = _write(Path(scratch) / "runtime.in", [*requirements, *own])
        overrides = _write(Path(scratch) / "overrides.txt", _overrides(direct))
        key = _key(platform, inputs, [*requirements, *own, *_override_facts(direct)])
        lock = locks / f"{platform.wheels}-{platform.python}-{key[:16]}.toml"
        text = read_lock(lock)
        if text is None:
            text = _compile(project.root, platform, [*inputs, extra], overrides, lock)
    packages = tomllib.loads(text).get("packages", [])
    directories = [
        (locks / package["directory"]["path"]).resolve()
        for package in packages
        if "directory" in package
    ]
    return Closure(
        lock=lock,
        directories=tuple(directories),
        direct=direct,
        fingerprint=_fingerprint(packages, directories),
    )


def deployer_distributions() -> set[str]:
    """Canonical names of what offers deployers or plugins here, and of mastra itself."""
    names: set[str] = {
        canonicalize_name(entry.dist.name)
        for group in TOOL_GROUPS
        for entry in metadata.entry_points(group=group)
        if entry.dist is not None
    }
    return (names | {"mastra-deployer"}) - {"mastra-server"}


def _inputs(project: Project, scratch: Path) -> list[Path]:
    """What the project says of its dependencies, the most exact first."""
    root = project.root
    if (root / "uv.lock").is_file():
        return [_write(scratch / "locked.txt", _export(root))]
    if (root / "pylock.toml").is_file():
        return [_write(scratch / "pylock.txt", _pins(root / "pylock.toml"))]
    table = read_pyproject(root).get("project", {})
    lines = project_requirements(root)
    if table and "dependencies" not in table.get("dynamic", ()):
        # The file itself too: [tool.uv] says where things come from.
        return [root / "pyproject.toml", _write(scratch / "requirements.txt", lines)]
    return [_write(scratch / "requirements.txt", lines)] if lines else []


def _export(root: Path) -> list[str]:
    cut = [flag for name in sorted(deployer_distributions()) for flag in ("--prune", name)]
    shape = ["--no-hashes", "--no-annotate", "--no-header", "--no-dev", "--no-emit-project"]
    text = run_uv(["export", "--quiet", "--locked", "--no-editable", *shape, *cut], cwd=root)
    # uv names local projects relative to the root; the file it goes to lies elsewhere.
    return [
        str((root / line).resolve()) if line.startswith((".", "/")) else line
        for line in text.splitlines()
    ]


def _pins(lock: Path) -> list[str]:
    pins = []
    for package in tomllib.loads(lock.read_text(encoding="utf-8")).get("packages", []):
        marker = f" ; {package['marker']}" if "marker" in package else ""
        if "directory" in package:
            pins.append(str((lock.parent / package["directory"]["path"]).resolve()))
        elif "archive" in package:
            source = package["archive"].get("url") or _file_url(lock, package["archive"]["path"])
            pins.append(f"{package['name']} @ {source}{marker}")
        elif "version" in package:
            pins.append(f"{package['name']}=={package['version']}{marker}")
        else:
            raise BuildError(
                f"{str(lock)!r} takes {package['name']!r} from version control.",
                "Vendor it as a wheel: bundles are made of wheels only.",
            )
    return pins


def _file_url(lock: Path, path: str) -> str:
    return (lock.parent / path).resolve().as_uri()


def _overrides(direct: Mapping[str, frozenset[str]]) -> list[str]:
    """Our packages from where they are installed; deployers and what only they need, not."""
    lines = []
    for name in OWN:
        extras = ",".join(sorted(direct.get(name, ())))
        lines.append(f"{name}{f'[{extras}]' if extras else ''} @ {own_wheel(name).as_uri()}")
    # A requirement that no Python fulfils takes the package out of the resolution.
    cut = [f"{name} ; python_version < '0'" for name in sorted(deployer_distributions())]
    return lines + cut


def _override_facts(direct: Mapping[str, frozenset[str]]) -> list[str]:
    """The overrides by content, since the wheels' paths name this machine."""
    digests = [hashlib.sha256(own_wheel(name).read_bytes()).hexdigest() for name in OWN]
    return [*(line.partition(" @ ")[0] for line in _overrides(direct)), *digests]


def _compile(
    root: Path, platform: Platform, inputs: Sequence[Path], overrides: Path, lock: Path
) -> str:
    scratch = overrides.parent
    made = scratch / "pylock.made.toml"
    # What was chosen before stays chosen, as far as it still fits.
    if older := latest(lock.parent.glob(f"{platform.wheels}-{platform.python}-*.toml")):
        made.write_text(older, encoding="utf-8")
    run_uv(
        [
            *("pip", "compile", "--quiet", "--format", "pylock.toml", "--no-header"),
            *("--no-annotate", "--override", str(overrides), "--output-file", str(made)),
            *_target(platform),
            *map(str, inputs),
        ],
        cwd=root,
    )
    text = made.read_text(encoding="utf-8")
    # uv installs with whatever Python it runs on; the target's was given to the resolver.
    text = re.sub(r"^requires-python = .*\n", "", text, flags=re.MULTILINE)
    if is_pyodide(platform):
        text = fit_lock(text, scratch, platform)
    text = _absolute(text, scratch)
    write_lock(text, made, lock)
    return text


def _target(platform: Platform) -> list[str]:
    if is_pyodide(platform):
        return resolve_arguments(platform)
    return target_arguments(platform.python, platform.wheels)


def _absolute(text: str, scratch: Path) -> str:
    def resolve(found: re.Match[str]) -> str:
        return f'{found[1]}"{(scratch / found[2]).resolve().as_posix()}"'

    return re.sub(r'((?:directory|archive) = \{ path = )"([^"]+)"', resolve, text)


def _key(platform: Platform, inputs: Sequence[Path], facts: Sequence[str]) -> str:
    contents = [path.read_text(encoding="utf-8") for path in inputs]
    return hashlib.sha256(json.dumps([str(platform), contents, *facts]).encode()).hexdigest()


def _fingerprint(packages: list[dict[str, Any]], directories: Sequence[Path]) -> str:
    facts = [
        [package["name"], package.get("version"), _hashes(package)]
        for package in packages
        if "directory" not in package
    ]
    facts += [[path.name, tree_digest(path)] for path in directories]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _hashes(package: dict[str, Any]) -> list[str]:
    files = [*package.get("wheels", []), *([package["archive"]] if "archive" in package else [])]
    return sorted(file["hashes"]["sha256"] for file in files)


def _write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path
