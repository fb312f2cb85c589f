"""uv: ``uv.lock``, of a project or of the workspace it is a member of; scripts have their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError
from mastra_deployer.bundler.locks.groups import chosen
from mastra_deployer.bundler.locks.lock_source import (
    Asked,
    Source,
    Wanted,
    allowed_hashes,
    check_python,
)
from mastra_deployer.bundler.locks.pins import Pins
from mastra_deployer.bundler.locks.plain import stated_lines
from mastra_deployer.bundler.resolve.markers import holds
from mastra_deployer.bundler.resolve.tool_distributions import tool_distributions
from mastra_deployer.bundler.uv import run_uv
from mastra_deployer.project.config import read_pyproject, read_toml

__all__ = ("export", "uv_lock")

_LOCAL = re.compile(r'^source = \{ (?:editable|directory|virtual) = "([^"]+)" \}', re.MULTILINE)


def uv_lock(asked: Asked, lock: Path) -> Source:
    """The versions of a uv.lock, which has to match the pyproject.toml it was made from."""
    pyproject = read_pyproject(asked.root)
    place = lock.parent
    flags = [f"--extra={name}" for name in asked.extras]
    flags += [f"--group={name}" for name in asked.groups]
    return Source(
        name="uv.lock" if place == asked.root.resolve() else f"uv.lock in {str(place)!r}",
        files=(lock, *_manifests(lock)),
        direct=(
            *stated_lines(asked.root, pyproject),
            *chosen(pyproject, asked.extras, asked.groups),
        ),
        read=lambda: export(asked, lock, ["--no-default-groups", "--no-emit-project", *flags]),
        locked=True,
        update="uv lock",
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
    )


def export(asked: Asked, lock: Path, flags: Sequence[str]) -> Wanted:
    """What a lock of uv's says for the target; uv itself finds whether it is out of date."""
    data = read_toml(lock)
    _check_target(asked, lock, data)
    text = _exported(asked, data, flags)
    return Wanted(
        # uv names local projects relative to the workspace; the file it goes to lies elsewhere.
        lines=tuple(_absolute(line, lock.parent) for line in text.splitlines() if line),
        hashes=allowed_hashes(list(_hashes(data.get("package", [])))),
    )


def _exported(asked: Asked, data: dict[str, Any], flags: Sequence[str]) -> str:
    shape = ["--no-hashes", "--no-annotate", "--no-header", "--no-editable", *flags]
    cut = [flag for name in sorted(tool_distributions()) for flag in ("--prune", name)]
    python = [f"--python={path}"] if (path := asked.interpreter()) else []
    command = ["export", "--quiet", *shape, *cut]
    try:
        return run_uv([*command, "--locked", *python], cwd=asked.root)
    except BuildError as error:
        # Only with a Python that fits does uv compare the lock with the project.
        if "No interpreter found" not in error.message:
            raise
    pins = Pins(name="uv.lock", update="uv lock")
    for package in data.get("package", []):
        marker = " or ".join(f"({item})" for item in package.get("resolution-markers", []))
        pins.add(package["name"], package.get("version", "0"), marker, [])
    for line in stated_lines(asked.root, read_pyproject(asked.root)):
        pins.check(line, {}, asked.platform)
    return run_uv([*command, "--frozen"], cwd=asked.root)


def _check_target(asked: Asked, lock: Path, data: dict[str, Any]) -> None:
    check_python(data.get("requires-python", ""), asked.platform, lock.name)
    markers = data.get("supported-markers", [])
    if markers and not any(holds(marker, asked.platform) for marker in markers):
        raise BuildError(
            f"{str(lock)!r} does not cover {asked.platform}: it is for {' or '.join(markers)}.",
            "Add the target to [tool.uv] environments and run `uv lock`.",
        )


def _absolute(line: str, place: Path) -> str:
    if line.startswith((".", "/")):
        path, mark, rest = line.partition(" ;")
        return f"{(place / path).resolve()}{mark}{rest}"
    return re.sub(r" @ (\.{1,2}/\S+)", lambda at: f" @ {(place / at[1]).resolve().as_uri()}", line)


def _manifests(lock: Path) -> Iterator[Path]:
    """What the lock was made from: the metadata of every local project in it.

    Looked up in the text: a lock is large, and this is done for every build.
    """
    place = lock.parent
    yield from (place / "pyproject.toml", place / "uv.toml")
    for local in _LOCAL.findall(lock.read_text(encoding="utf-8")):
        yield from (place / local / name for name in ("pyproject.toml", "setup.py"))


def _hashes(packages: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for package in packages:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        yield package["name"], [file["hash"] for file in files if "hash" in file]
