"""Choose versions for a target: a wheel where possible, source where no version has a wheel."""

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
from mastra_deployer.bundler.locks.indexes import remove_credentials
from mastra_deployer.bundler.resolve.missing_wheels import build_missing_wheels_error
from mastra_deployer.bundler.resolve.pyodide import build_resolve_arguments, fit_lock, is_pyodide
from mastra_deployer.bundler.resolve.source_builds import SourceBuilder
from mastra_deployer.bundler.resolve.wheel_tags import get_file_name, is_compatible
from mastra_deployer.bundler.uv import build_target_arguments, is_unsolvable, run_uv

__all__ = ("Resolver",)

_PACKAGE = "[[packages]]\n"
_OLDEST = "3.11"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolver:
    """Resolve a project's dependencies for one target.

    :param project: the app.
    :param builder: builds wheels from source.
    :param inputs: files and options of ``uv pip compile``.
    :param temporary: a directory for this resolution alone.
    :param previous: an earlier lock, whose versions are kept where they fit.
    :param hashes: SHA-256 that the project's lock allows, by canonical name.
    """

    project: Project
    builder: SourceBuilder
    inputs: Sequence[str]
    temporary: Path
    previous: bytes = b""
    hashes: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)

    def resolve(self) -> str:
        """Return a pylock.toml for the target that contains only wheels and local projects.

        :raises BuildError: naming what prevents a resolution.
        """
        try:
            text = self._compile_lock([":all:"])
        except BuildError as error:
            if is_pyodide(self.builder.platform) or not is_unsolvable(error):
                raise
            text = self._resolve_with_sources()
        text = remove_credentials(self._make_paths_absolute(text))
        if is_pyodide(self.builder.platform):
            return fit_lock(text, self.temporary, self.builder.platform)
        head, *chunks = text.split(_PACKAGE)
        packages = tomllib.loads(text).get("packages", [])
        written = [self._render_locked(*item) for item in zip(chunks, packages, strict=True)]
        return _PACKAGE.join([head, *written])

    def _resolve_with_sources(self) -> str:
        """Resolve with sources, then replace each by a wheel where some version has one."""
        try:
            text = self._compile_lock([])
        except BuildError as error:
            raise (
                (self._build_missing_error() or error) if is_unsolvable(error) else error
            ) from None
        wheels: list[str] = []
        seen: set[str] = set()
        while pending := sorted(set(_iter_names_without_wheels(text)) - seen):
            name = pending[0]
            seen.add(name)
            try:
                text = self._compile_lock([*wheels, name])
                wheels.append(name)
            except BuildError as error:
                if not is_unsolvable(error):
                    raise
        # Wheels for other machines prove that there is compiled code, without compiling it.
        is_foreign = not self.builder.is_native and any(_iter_names_without_wheels(text))
        if is_foreign and (missing_error := self._build_missing_error()) is not None:
            raise missing_error
        return text

    def _compile_lock(self, binary: Sequence[str]) -> str:
        """Run uv and return its lock; packages in ``binary`` are resolved to wheels only."""
        lock = self.temporary / "pylock.made.toml"
        if self.previous:
            lock.write_bytes(self.previous)
        platform = self.builder.platform
        target = (
            build_resolve_arguments(platform)
            if is_pyodide(platform)
            else build_target_arguments(platform.python, platform.wheels)
        )
        flags = [flag for name in binary for flag in ("--only-binary", name)]
        self._run_compile("--format", "pylock.toml", "--output-file", str(lock), *flags, *target)
        text = lock.read_text(encoding="utf-8")
        # The resolver knew the target's Python; uv installs with the one that it runs on.
        return re.sub(r"^requires-python = .*\n", "", text, flags=re.MULTILINE)

    def _run_compile(self, *arguments: str) -> str:
        return run_uv(
            ["pip", "compile", "--quiet", "--no-header", *arguments, *self.inputs],
            cwd=self.project.root,
            environment=self.builder.environment,
        )

    def _build_missing_error(self) -> BuildError | None:
        """Build the error that names each package without a wheel; ``None`` where uv fails."""
        platform = self.builder.platform
        lock = self.temporary / "pylock.every.toml"
        # From the oldest Python on, to list wheels for other versions than the target's too.
        every = ["--universal", "--python-version", min(platform.python, _OLDEST)]
        try:
            self._run_compile("--format", "pylock.toml", "--output-file", str(lock), *every)
            needed = self._run_compile("--annotation-style", "line", *every)
        except BuildError:
            return None
        packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("packages", [])
        return build_missing_wheels_error(packages, platform, needed)

    def _render_locked(self, chunk: str, package: dict[str, Any]) -> str:
        """Render a package: build its source, and keep only files that the lock allows."""
        if "directory" in package:
            return chunk
        restricted = _restrict_files(package, self.hashes.get(package["name"], frozenset()))
        if not _is_source(restricted, self.builder.platform):
            return chunk if restricted == package else _render_package(restricted)
        source = package.get("sdist") or package["archive"]
        url = source.get("url") or (self.temporary / source["path"]).resolve().as_uri()
        wheel = self.builder.build_archive(package["name"], url, source["hashes"]["sha256"])
        return _render_package(package, _render_archive(wheel))

    def _make_paths_absolute(self, text: str) -> str:
        def resolve(found: re.Match[str]) -> str:
            return f'path = "{(self.temporary / found[1]).resolve().as_posix()}"'

        return re.sub(r'(?<=[{,] )path = "([^"]+)"', resolve, text)


def _render_archive(wheel: Path) -> str:
    import hashlib

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    path = wheel.resolve().as_posix()
    return f'archive = {{ path = "{path}", hashes = {{ sha256 = "{digest}" }} }}'


def _iter_names_without_wheels(text: str) -> Iterator[str]:
    for package in tomllib.loads(text).get("packages", []):
        if "sdist" in package and not package.get("wheels"):
            yield package["name"]


def _is_source(package: Mapping[str, Any], platform: Any) -> bool:
    if "archive" in package:
        return not get_file_name(package["archive"]).endswith(".whl")
    wheels = package.get("wheels", [])
    return not any(is_compatible(get_file_name(file), platform) for file in wheels)


def _restrict_files(package: dict[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    """Limit a package's files to those in the lock; files published later are not in it."""
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    if not allowed or not files:
        return package
    matching = {digest for file in files if (digest := _get_digest(file)) in allowed}
    if not matching:
        raise BuildError(
            f"The index has other files of {package['name']} {package['version']} than the lock "
            "allows: no hash matches.",
            "Find out who changed the files before you recreate the lock.",
        )
    wheels = [file for file in package.get("wheels", []) if _get_digest(file) in matching]
    if wheels == package.get("wheels", []):
        return package
    others = {key: value for key, value in package.items() if key != "wheels"}
    return {**others, "wheels": wheels} if wheels else others


def _get_digest(file: Mapping[str, Any]) -> str:
    return str(file.get("hashes", {}).get("sha256", ""))


def _render_package(package: Mapping[str, Any], files: str = "") -> str:
    """Render a package as a ``packages`` entry of a pylock.toml."""
    lines = [f'name = "{package["name"]}"', f'version = "{package["version"]}"']
    return "\n".join([*lines, files or _render_wheels(package["wheels"]), "", ""])


def _render_wheels(wheels: Sequence[Mapping[str, Any]]) -> str:
    rendered = []
    for file in wheels:
        key = "url" if "url" in file else "path"
        hashes = f'hashes = {{ sha256 = "{_get_digest(file)}" }}'
        rendered.append(f"{{ {key} = {json.dumps(file[key])}, {hashes} }}")
    return f"wheels = [{', '.join(rendered)}]"
