"""Chooses versions for a target: wheels first, and source only where there is no other way."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.locks.indexes import public
from mastra_deployer.bundler.resolve.missing_wheels import lacking
from mastra_deployer.bundler.resolve.pyodide import fit_lock, is_pyodide, resolve_arguments
from mastra_deployer.bundler.resolve.source_builds import Builder
from mastra_deployer.bundler.resolve.wheel_tags import file_name, fits
from mastra_deployer.bundler.uv import run_uv, target_arguments, unsolvable

__all__ = ("Resolution",)

_PACKAGE = "[[packages]]\n"
_OLDEST = "3.11"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolution:
    """One run of the resolver.

    :param inputs: files and options of ``uv pip compile``.
    :param scratch: a directory for this run alone.
    :param older: a lock whose choices stay as far as they fit.
    :param hashes: SHA-256 that the project's lock allows, by canonical name.
    """

    project: Project
    builder: Builder
    inputs: Sequence[str]
    scratch: Path
    older: bytes = b""
    hashes: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)

    def text(self) -> str:
        """A pylock.toml for the target, with nothing but wheels and local projects.

        :raises BuildError: naming what stands in the way.
        """
        try:
            text = self._compile([":all:"])
        except BuildError as error:
            if is_pyodide(self.builder.platform) or not unsolvable(error):
                raise
            text = self._with_sources()
        text = public(self._absolute(text))
        if is_pyodide(self.builder.platform):
            return fit_lock(text, self.scratch, self.builder.platform)
        head, *chunks = text.split(_PACKAGE)
        packages = tomllib.loads(text).get("packages", [])
        written = [self._package(*item) for item in zip(chunks, packages, strict=True)]
        return _PACKAGE.join([head, *written])

    def _with_sources(self) -> str:
        """Resolve with sources, then take each back that some version has a wheel in place of."""
        try:
            text = self._compile([])
        except BuildError as error:
            raise ((self._lacking() or error) if unsolvable(error) else error) from None
        wheels: list[str] = []
        tried: set[str] = set()
        while waiting := sorted(set(_without_wheels(text)) - tried):
            name = waiting[0]
            tried.add(name)
            try:
                text = self._compile([*wheels, name])
                wheels.append(name)
            except BuildError as error:
                if not unsolvable(error):
                    raise
        # Wheels for other machines show that there is compiled code, before it is compiled.
        foreign = not self.builder.native and any(_without_wheels(text))
        if foreign and (lacks := self._lacking()) is not None:
            raise lacks
        return text

    def _compile(self, binary: Sequence[str]) -> str:
        """Run uv.

        :param binary: names of which only wheels are taken.
        """
        made = self.scratch / "pylock.made.toml"
        if self.older:
            made.write_bytes(self.older)
        platform = self.builder.platform
        target = (
            resolve_arguments(platform)
            if is_pyodide(platform)
            else target_arguments(platform.python, platform.wheels)
        )
        flags = [flag for name in binary for flag in ("--only-binary", name)]
        self._uv("--format", "pylock.toml", "--output-file", str(made), *flags, *target)
        text = made.read_text(encoding="utf-8")
        # uv installs with whatever Python it runs on; the target's was given to the resolver.
        return re.sub(r"^requires-python = .*\n", "", text, flags=re.MULTILINE)

    def _uv(self, *arguments: str) -> str:
        return run_uv(
            ["pip", "compile", "--quiet", "--no-header", *arguments, *self.inputs],
            cwd=self.project.root,
            environment=self.builder.environment,
        )

    def _lacking(self) -> BuildError | None:
        """The error that names each package without a wheel; ``None`` where uv finds no answer."""
        platform = self.builder.platform
        made = self.scratch / "pylock.every.toml"
        # From the oldest Python on, so that wheels for others than the target are seen too.
        every = ["--universal", "--python-version", min(platform.python, _OLDEST)]
        try:
            self._uv("--format", "pylock.toml", "--output-file", str(made), *every)
            needed = self._uv("--annotation-style", "line", *every)
        except BuildError:
            return None
        packages = tomllib.loads(made.read_text(encoding="utf-8")).get("packages", [])
        return lacking(packages, platform, needed)

    def _package(self, chunk: str, package: dict[str, Any]) -> str:
        """A package of the lock, its source built, its files held to the project's own lock."""
        if "directory" in package:
            return chunk
        held = _held(package, self.hashes.get(package["name"], frozenset()))
        if not _is_source(held, self.builder.platform):
            return chunk if held == package else _written(held)
        source = package.get("sdist") or package["archive"]
        url = source.get("url") or (self.scratch / source["path"]).resolve().as_uri()
        wheel = self.builder.archive(package["name"], url, source["hashes"]["sha256"])
        return _written(package, _archive(wheel))

    def _absolute(self, text: str) -> str:
        def resolve(found: re.Match[str]) -> str:
            return f'path = "{(self.scratch / found[1]).resolve().as_posix()}"'

        return re.sub(r'(?<=[{,] )path = "([^"]+)"', resolve, text)


def _archive(wheel: Path) -> str:
    import hashlib

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    path = wheel.resolve().as_posix()
    return f'archive = {{ path = "{path}", hashes = {{ sha256 = "{digest}" }} }}'


def _without_wheels(text: str) -> Iterator[str]:
    for package in tomllib.loads(text).get("packages", []):
        if "sdist" in package and not package.get("wheels"):
            yield package["name"]


def _is_source(package: Mapping[str, Any], platform: Any) -> bool:
    if "archive" in package:
        return not file_name(package["archive"]).endswith(".whl")
    wheels = package.get("wheels", [])
    return not any(fits(file_name(file), platform) for file in wheels)


def _held(package: dict[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    """The package with those files alone that the lock allows: what was added since is unknown."""
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    if not allowed or not files:
        return package
    kept = {digest for file in files if (digest := _digest(file)) in allowed}
    if not kept:
        raise BuildError(
            f"The index has other files of {package['name']} {package['version']} than the lock "
            "allows: no hash is the same.",
            "See who changed them before you make the lock again.",
        )
    wheels = [file for file in package.get("wheels", []) if _digest(file) in kept]
    if wheels == package.get("wheels", []):
        return package
    others = {key: value for key, value in package.items() if key != "wheels"}
    return {**others, "wheels": wheels} if wheels else others


def _digest(file: Mapping[str, Any]) -> str:
    return str(file.get("hashes", {}).get("sha256", ""))


def _written(package: Mapping[str, Any], files: str = "") -> str:
    """A package of a lock, in the one form that is needed here."""
    lines = [f'name = "{package["name"]}"', f'version = "{package["version"]}"']
    return "\n".join([*lines, files or _wheels(package["wheels"]), "", ""])


def _wheels(wheels: Sequence[Mapping[str, Any]]) -> str:
    written = []
    for file in wheels:
        place = "url" if "url" in file else "path"
        hashes = f'hashes = {{ sha256 = "{_digest(file)}" }}'
        written.append(f"{{ {place} = {json.dumps(file[place])}, {hashes} }}")
    return f"wheels = [{', '.join(written)}]"
