"""Build wheels of source dependencies, once for each exact archive or commit.

A wheel without compiled code works on every target. A wheel with compiled code works only on
machines like the one that built it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform, Project
from mastra_deployer.bundler.locks.indexes import remove_credentials
from mastra_deployer.bundler.own_wheels import build_wheel, pack_tree
from mastra_deployer.bundler.resolve.wheel_tags import is_compatible
from mastra_deployer.files.directories import get_cache_directory, publish_directory
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.project.interpreters import (
    Interpreter,
    find_project_interpreter,
    find_target_interpreter,
)
from mastra_deployer.project.uv import INSTALL_VARIABLES, run_uv

__all__ = ("SourceBuilder", "build_local_wheel")

_COMMIT = re.compile(r"@([0-9a-f]{40})(?:#|$)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceBuilder:
    """Builds wheels for one target, with the indexes and credentials of one project.

    :param project: the app.
    :param platform: the platform to build for.
    :param environment: environment variables for uv: the indexes with their credentials.
    """

    project: Project
    platform: Platform
    environment: Mapping[str, str] = dataclasses.field(repr=False)

    @property
    def is_native(self) -> bool:
        """Whether code that is compiled on this machine runs on the target."""
        return find_project_interpreter(self.project).can_run(self.platform.wheels)

    def build_commit(self, line: str) -> str:
        """Replace a requirement on a git repository with a requirement on a wheel of its commit.

        :param line: the requirement.
        :raises BuildError: when the commit cannot be fetched, or its wheel does not fit the target.
        """
        requirement = _parse_repository(line)
        commit = _COMMIT.search(requirement.url or "")
        # A branch or tag may have moved: only a commit identifies the wheel beforehand.
        wheel = self._get_wheel(requirement, f"{requirement.url}" if commit else "")
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        marker = f" ; {requirement.marker}" if requirement.marker else ""
        return f"{requirement.name}{extras} @ {wheel.as_uri()}{marker}"

    def build_archive(self, name: str, url: str, digest: str) -> Path:
        """Build a wheel from a source archive.

        :param name: the name of the package.
        :param url: the URL of the archive.
        :param digest: SHA-256 of the archive.
        :raises BuildError: when the archive does not build, or its wheel does not fit the target.
        """
        return self._get_wheel(Requirement(f"{name} @ {url}#sha256={digest}"), digest)

    def _get_wheel(self, requirement: Requirement, key: str) -> Path:
        name = canonicalize_name(requirement.name)
        for kind in ("any", self._describe_host()):
            if key and (cached := _find_cached_wheel(_get_cache_path(name, key, kind))):
                return self._check_fit(requirement, cached)
        with temporary_directory(get_cache_directory("sources")) as temporary:
            tree = Path(temporary) / "tree"
            self._install(requirement, tree)
            key = key or f"{(requirement.url or '').partition('@')[0]}@{_read_commit(tree)}"
            directory = Path(temporary) / "made"
            directory.mkdir()
            wheel = pack_tree(tree, directory)
            kind = "any" if wheel.stem.endswith("-none-any") else self._describe_host()
            publish_directory(directory, _get_cache_path(name, key, kind))
        return self._check_fit(requirement, next(_get_cache_path(name, key, kind).glob("*.whl")))

    def _install(self, requirement: Requirement, tree: Path) -> None:
        """Install from source with uv; pass the URL on standard input, because it may be secret."""
        flags = ["--quiet", "--no-deps", "--target", str(tree), "--link-mode", "copy"]
        flags += ["--no-binary", requirement.name, "--python", self._find_python()]
        try:
            run_uv(
                ["pip", "install", *flags, "--requirements", "-"],
                cwd=self.project.root,
                environment={**self.environment, **INSTALL_VARIABLES},
                text=f"{requirement.name} @ {requirement.url}\n",
            )
        except BuildError as error:
            raise _build_failure(requirement, error) from None

    def _find_python(self) -> str:
        project_python = find_project_interpreter(self.project)
        target_python = find_target_interpreter(
            self.platform.python, project_python, self.platform.interpreter
        )
        return (target_python or project_python).path

    def _describe_host(self) -> str:
        """Describe this machine and the target's Python, because compiled code depends on both."""
        interpreter = find_project_interpreter(self.project)
        return f"{self.platform.python}-{interpreter.wheels}"

    def _check_fit(self, requirement: Requirement, wheel: Path) -> Path:
        """Return the wheel if it runs on the target, or raise an error."""
        is_pure = wheel.stem.endswith("-any")
        if is_compatible(wheel.name, self.platform) and (is_pure or self.is_native):
            return wheel
        raise BuildError(
            f"{requirement.name!r} is available only as source ({_get_public_url(requirement)}) "
            f"and has compiled code. The wheel that was built here, {wheel.name!r}, does not run "
            f"on {self.platform}.",
            f"Build its wheel on {self.platform}, and set UV_FIND_LINKS to the directory with the "
            "wheel. Or use a version that has wheels. Or build the whole bundle on "
            f"{self.platform}.",
        )


def build_local_wheel(directory: Path, platform: Platform, interpreter: Interpreter | None) -> Path:
    """Build a wheel of a local project.

    :param directory: the project's directory.
    :param platform: the platform to build for.
    :param interpreter: an interpreter of the target's version; ``None`` if this machine has none.
    :raises BuildError: when the wheel has compiled code, which fits this machine only.
    """
    wheel = build_wheel(directory, interpreter)
    is_native = interpreter is not None and interpreter.can_run(platform.wheels)
    if is_compatible(wheel.name, platform) and (wheel.stem.endswith("-any") or is_native):
        return wheel
    if interpreter is None:
        raise BuildError(
            f"The local project {str(directory)!r} has compiled code, but this machine has no "
            f"Python {platform.python}, which is needed to compile it.",
            f"Install Python {platform.python}, or pass --python PATH, or build for another "
            "version: --python 3.X.",
        )
    raise BuildError(
        f"The local project {str(directory)!r} has compiled code. Its wheel is for this machine, "
        f"not for {platform}: {wheel.name}.",
        f"Build the bundle on {platform}. Or put a wheel for {platform} into a directory, set "
        "UV_FIND_LINKS to that directory, and require the package by its version instead of its "
        "path.",
    )


def _get_cache_path(name: str, key: str, kind: str) -> Path:
    digest = hashlib.sha256(remove_credentials(f"{key} {kind}").encode()).hexdigest()[:24]
    return get_cache_directory("sources") / f"{name}-{digest}"


def _find_cached_wheel(directory: Path) -> Path | None:
    return next(directory.glob("*.whl"), None)


def _parse_repository(line: str) -> Requirement:
    if not line.startswith("git+"):
        return Requirement(line)
    egg = re.search(r"[#&]egg=([\w.-]+)", line)
    if egg is None:
        raise BuildError(
            f"{remove_credentials(line)!r} does not contain the name of the package.",
            "Write NAME @ git+https://... instead.",
        )
    return Requirement(f"{egg[1]} @ {re.sub(r'[#&]egg=[^&]+', '', line)}")


def _read_commit(tree: Path) -> str:
    origin = next(tree.glob("*.dist-info/direct_url.json"))
    return str(json.loads(origin.read_text(encoding="utf-8"))["vcs_info"]["commit_id"])


def _build_failure(requirement: Requirement, error: BuildError) -> BuildError:
    address = _get_public_url(requirement)
    output = error.message.partition("\n")[2] or error.message
    if address.startswith("git+"):
        return BuildError(
            f"{requirement.name!r} cannot be fetched from its repository {address!r}:\n{output}",
            "Check that git can fetch the repository from this machine, with credentials if it "
            "requires them. Or publish a wheel to an index, or set UV_FIND_LINKS to a directory "
            "with a wheel. Or copy the source into the project as a path dependency.",
        )
    return BuildError(
        f"{requirement.name!r} is available only as source ({address}), and its build "
        f"fails:\n{output}",
        "Use a version that has wheels, or set UV_FIND_LINKS to a directory with a wheel.",
    )


def _get_public_url(requirement: Requirement) -> str:
    return remove_credentials((requirement.url or "").partition("#")[0])
