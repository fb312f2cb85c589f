"""Choose the versions that uv chooses, or older versions that have a wheel for the target."""

from __future__ import annotations

import dataclasses
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform, Project
from mastra_deployer.bundler.locks.indexes import remove_credentials
from mastra_deployer.bundler.resolve.annotations import (
    ANNOTATE,
    PROJECT,
    Annotation,
    parse_annotations,
)
from mastra_deployer.bundler.resolve.markers import evaluate_marker
from mastra_deployer.bundler.resolve.missing_wheels import build_missing_wheels_error
from mastra_deployer.bundler.resolve.older_versions import (
    format_older_version,
    list_breaking_versions,
    list_lacking,
    list_later_python,
    list_older_versions,
    list_versions,
)
from mastra_deployer.bundler.resolve.pyodide import (
    build_resolve_arguments,
    fit_lock,
    is_pyodide,
    list_unfit,
)
from mastra_deployer.bundler.resolve.pyodide_versions import PyodideVersions
from mastra_deployer.bundler.resolve.source_builds import SourceBuilder
from mastra_deployer.bundler.resolve.toml_strings import quote, replace_paths
from mastra_deployer.bundler.resolve.wheel_tags import get_file_name, is_compatible
from mastra_deployer.project.uv import build_target_arguments, is_unsolvable, run_uv

__all__ = ("Resolver",)

_PACKAGE = "[[packages]]\n"
_OLDEST = "3.11"
_FAILED = re.compile(r"Failed to (?:build|download and build|fetch)[^`]*`([\w.-]+)(?:==|@| )")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolver:
    """Resolves a project's dependencies for one target.

    :param project: the app.
    :param builder: builds wheels from source.
    :param inputs: files and options of ``uv pip compile``.
    :param temporary: a directory for this resolution alone.
    :param previous: an earlier lock, whose versions are kept if they fit.
    :param hashes: SHA-256 that the project's lock allows, by canonical name.
    :param direct: canonical names that the project requires or imports itself.
    :param single_index: ``False`` if a package may have versions that are not on the index that uv
        reports.
    """

    project: Project
    builder: SourceBuilder
    inputs: Sequence[str]
    temporary: Path
    previous: bytes = b""
    hashes: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    direct: frozenset[str] = frozenset()
    single_index: bool = True

    def resolve(self) -> str:
        """Return a pylock.toml for the target; it contains only wheels and local projects.

        :raises BuildError: when no resolution is possible; the message names the reason.
        """
        with ThreadPoolExecutor(1) as pool:
            universal = pool.submit(self._compile_universal)
            newest = self._compile_newest()
            every, platform = universal.result(), self.builder.platform
            lacking = list_lacking(every, platform)
        text = self._find_older_versions(newest, lacking)
        older = list_older_versions(lacking, text, "wheel")
        older += list_older_versions(list_later_python(every, platform), text, "python")
        others = {name: version for name, version in list_versions(newest) if name not in lacking}
        older += list_older_versions(others, text, "requirement")
        head = "".join(map(format_older_version, older))
        text = remove_credentials(self._make_paths_absolute(text))
        first, *chunks = text.split(_PACKAGE)
        packages = tomllib.loads(text).get("packages", [])
        written = [self._render_locked(*item) for item in zip(chunks, packages, strict=True)]
        text = _PACKAGE.join([first, *written])
        if is_pyodide(platform):
            text = fit_lock(text, self.temporary, platform, self._list_requirers(text))
        return head + text

    def _compile_newest(self) -> str:
        """Return uv's own lock, which has source distributions for packages without a wheel."""
        try:
            return self._compile_lock()
        except BuildError as error:
            if is_unsolvable(error):
                raise (self._build_missing_error() or error) from None
            raise self._suggest_wheel(error) from None

    def _find_older_versions(self, newest: str, lacking: Mapping[str, str]) -> str:
        """Return a lock with older versions of packages whose newest version has no wheel.

        A package keeps its version and is built from source if it has no wheel at all, or if its
        pinned version has wheels only for other platforms.
        """
        if is_pyodide(self.builder.platform):
            return self._find_pyodide_versions(newest)
        text, wheels, seen = newest, list[str](), set[str]()
        while pending := sorted({*_iter_sources(text)} & lacking.keys() - seen):
            seen.add(pending[0])
            try:
                text = self._compile_lock(_only_wheels(*wheels, pending[0]))
                wheels.append(pending[0])
            except BuildError as error:
                if not is_unsolvable(error):
                    raise
        # Wheels for other machines prove that there is compiled code, without compiling it.
        is_foreign = not self.builder.is_native and bool({*_iter_sources(text)} & lacking.keys())
        if is_foreign and (missing_error := self._build_missing_error()) is not None:
            raise missing_error
        return text

    def _find_pyodide_versions(self, newest: str) -> str:
        """Return a lock in which every package has a wheel for Pyodide.

        If no combination of versions has wheels for Pyodide, return the lock with the newest
        versions.

        Requirements that Pyodide does not need are left out.
        """
        versions = PyodideVersions(
            platform=self.builder.platform,
            direct=self.direct,
            compile_lock=self._compile_lock,
            annotate=self._annotate,
            directory=self.temporary,
            single_index=self.single_index,
        )
        newest = versions.remove_unneeded(newest, (name for name, _ in list_versions(newest)))
        text = versions.find(newest)
        self._refuse_breaking_versions(newest, text)
        return text

    def _refuse_breaking_versions(self, newest: str, text: str) -> None:
        """Raise an error if the lock has an old, incompatible version of a direct requirement.

        If a package has no wheel, uv can choose an old version of its requirer that does not need
        the package.
        """
        platform = self.builder.platform
        lacking = list_lacking(newest, platform)
        own = {name: new for name, new in list_versions(newest) if name in self.direct}
        for name in lacking:
            own.pop(name, None)
        breaking = list_breaking_versions(list_older_versions(own, text, "requirement"))
        if not breaking:
            return
        names = " and ".join(f"{item.name} {item.version}" for item in breaking)
        pins = ", ".join(f"{item.name}=={item.version}" for item in breaking)
        try:
            fit_lock(newest, self.temporary, platform, self._list_requirers(newest))
        except BuildError as error:
            raise BuildError(
                error.message,
                f"mastra can bundle {names} instead. If the app works with an older version, "
                f"require {pins}. {error.hint}",
            ) from None

    def _list_requirers(self, text: str) -> dict[str, frozenset[str]]:
        """Return the requirers of each package, or an empty mapping if all have a wheel."""
        if not list_unfit(text, self.builder.platform):
            return {}
        return {name: item.requirers - {PROJECT} for name, item in self._annotate(()).items()}

    def _annotate(self, arguments: Sequence[str]) -> dict[str, Annotation]:
        """Return the requirers and the index of each package."""
        target = build_resolve_arguments(self.builder.platform)
        return parse_annotations(self._run_compile(*ANNOTATE, *arguments, *target))

    def _suggest_wheel(self, error: BuildError, name: str = "") -> BuildError:
        """Return the error of a failed build, with a hint that names a version that has a wheel."""
        found = _FAILED.search(error.message)
        name = name or (found[1] if found else "")
        try:
            versions = dict(list_versions(self._compile_lock(_only_wheels(name)))) if name else {}
        except BuildError:
            versions = {}
        if name not in versions:
            return error
        return BuildError(
            error.message,
            f"{name} {versions[name]} has a wheel. Require {name}=={versions[name]}, if the app "
            f"works with that version. {error.hint}",
        )

    def _compile_lock(self, arguments: Sequence[str] = ()) -> str:
        """Run uv with further arguments, and return its lock."""
        lock = self.temporary / "pylock.made.toml"
        if self.previous:
            lock.write_bytes(self.previous)
        platform = self.builder.platform
        target = (
            build_resolve_arguments(platform)
            if is_pyodide(platform)
            else build_target_arguments(platform.python, platform.wheels)
        )
        output = ("--format", "pylock.toml", "--output-file", str(lock))
        self._run_compile(*output, *arguments, *target)
        text = lock.read_text(encoding="utf-8")
        # uv resolved for the target's Python, but installs with the Python that it runs on.
        return re.sub(r"^requires-python = .*\n", "", text, flags=re.MULTILINE)

    def _run_compile(self, *arguments: str) -> str:
        return run_uv(
            ["pip", "compile", "--quiet", "--no-header", *arguments, *self.inputs],
            cwd=self.project.root,
            environment=self.builder.environment,
        )

    def _compile_universal(self) -> str:
        """Return a lock for all platforms, with all wheels of each package; may be empty."""
        lock = self.temporary / "pylock.every.toml"
        try:
            self._run_compile(
                "--format", "pylock.toml", "--output-file", str(lock), *self._universal_arguments
            )
        except BuildError:  # the resolution for the target has the same error, or none
            return ""
        return lock.read_text(encoding="utf-8")

    @property
    def _universal_arguments(self) -> list[str]:
        # Begin with the oldest Python, to list wheels for versions other than the target's too.
        python = min(self.builder.platform.python, _OLDEST)
        return ["--universal", "--python", sys.executable, "--python-version", python]

    def _build_missing_error(self) -> BuildError | None:
        """Build an error that names each package without a wheel; ``None`` if uv fails."""
        text = self._compile_universal()
        if not text:
            return None
        try:
            needed = self._run_compile("--annotation-style", "line", *self._universal_arguments)
        except BuildError:
            return None
        packages = tomllib.loads(text).get("packages", [])
        return build_missing_wheels_error(packages, self.builder.platform, needed)

    def _render_locked(self, chunk: str, package: dict[str, Any]) -> str:
        """Render a package with files that the lock allows; without a wheel, build its source."""
        platform = self.builder.platform
        marker = package.get("marker")
        if "directory" in package or (marker and not evaluate_marker(marker, platform)):
            return chunk
        restricted = _restrict_files(package, self.hashes.get(package["name"], frozenset()))
        if not _is_source(restricted, platform):
            return chunk if restricted == package else _render_package(restricted)
        source = package.get("sdist") or package["archive"]
        url = source.get("url") or (self.temporary / source["path"]).resolve().as_uri()
        try:
            wheel = self.builder.build_archive(package["name"], url, source["hashes"]["sha256"])
        except BuildError as error:
            raise self._suggest_wheel(error, package["name"]) from None
        return _render_package(package, _render_archive(wheel), package.get("marker", ""))

    def _make_paths_absolute(self, text: str) -> str:
        def resolve(path: str) -> str:
            return (self.temporary / path).resolve().as_posix()

        return replace_paths(text, resolve)


def _only_wheels(*names: str) -> list[str]:
    """Return arguments for uv that allow some packages only as wheels."""
    return [argument for name in names for argument in ("--only-binary", name)]


def _render_archive(wheel: Path) -> str:
    import hashlib

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    path = quote(wheel.resolve().as_posix())
    return f'archive = {{ path = {path}, hashes = {{ sha256 = "{digest}" }} }}'


def _iter_sources(text: str) -> Iterator[str]:
    """Yield the names of packages without a wheel for the target."""
    for package in tomllib.loads(text).get("packages", []):
        if "sdist" in package and not package.get("wheels"):
            yield package["name"]


def _is_source(package: Mapping[str, Any], platform: Platform) -> bool:
    if "archive" in package:
        return not get_file_name(package["archive"]).endswith(".whl")
    wheels = package.get("wheels", [])
    if is_pyodide(platform):  # the wheels for Pyodide are chosen later
        return not wheels
    return not any(is_compatible(get_file_name(file), platform) for file in wheels)


def _restrict_files(package: dict[str, Any], digests: frozenset[str]) -> dict[str, Any]:
    """Limit a package's files to the files in the lock; exclude files that were published later."""
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    if not digests or not files:
        return package
    matching = {digest for file in files if (digest := _get_digest(file)) in digests}
    if not matching:
        raise BuildError(
            f"The index has files of {package['name']} {package['version']}, but the lock contains "
            "none of their hashes.",
            "Find out who changed the files before you recreate the lock.",
        )
    wheels = [file for file in package.get("wheels", []) if _get_digest(file) in matching]
    if wheels == package.get("wheels", []):
        return package
    others = {key: value for key, value in package.items() if key != "wheels"}
    return {**others, "wheels": wheels} if wheels else others


def _get_digest(file: Mapping[str, Any]) -> str:
    return str(file.get("hashes", {}).get("sha256", ""))


def _render_package(package: Mapping[str, Any], files: str = "", marker: str = "") -> str:
    """Render a package as an entry in ``packages`` of a pylock.toml."""
    lines = [f'name = "{package["name"]}"', f'version = "{package["version"]}"']
    lines += [f"marker = {quote(marker)}"] if marker else []
    return "\n".join([*lines, files or _render_wheels(package["wheels"]), "", ""])


def _render_wheels(wheels: Sequence[Mapping[str, Any]]) -> str:
    rendered = []
    for file in wheels:
        key = "url" if "url" in file else "path"
        hashes = f'hashes = {{ sha256 = "{_get_digest(file)}" }}'
        rendered.append(f"{{ {key} = {quote(file[key])}, {hashes} }}")
    return f"wheels = [{', '.join(rendered)}]"
