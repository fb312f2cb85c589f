"""Wheels of dependencies that come as source: built once, from exactly that archive or commit.

A wheel without compiled code serves every target. One with compiled code is this machine's.
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
from mastra_deployer.bundler.locks.indexes import public
from mastra_deployer.bundler.own_wheels import build_wheel, pack_tree
from mastra_deployer.bundler.resolve.wheel_tags import fits
from mastra_deployer.bundler.uv import run_uv
from mastra_deployer.files.directories import cache_directory, publish
from mastra_deployer.files.temporary import scratch_directory
from mastra_deployer.project.interpreters import project_interpreter, target_interpreter

__all__ = ("Builder", "local_wheel")

_COMMIT = re.compile(r"@([0-9a-f]{40})(?:#|$)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Builder:
    """Builds for one target, with the indexes and credentials of one project."""

    project: Project
    platform: Platform
    environment: Mapping[str, str] = dataclasses.field(repr=False)

    @property
    def native(self) -> bool:
        """Whether compiled code of this machine runs on the target."""
        return project_interpreter(self.project).wheels == self.platform.wheels

    def commit(self, line: str) -> str:
        """A requirement on a repository, as one on the wheel of its commit.

        :raises BuildError: when it cannot be fetched, or its wheel does not fit the target.
        """
        item = _repository(line)
        found = _COMMIT.search(item.url or "")
        # What a branch or tag stands for may have moved: only a commit is known beforehand.
        wheel = self._wheel(item, f"{item.url}" if found else "")
        extras = f"[{','.join(sorted(item.extras))}]" if item.extras else ""
        marker = f" ; {item.marker}" if item.marker else ""
        return f"{item.name}{extras} @ {wheel.as_uri()}{marker}"

    def archive(self, name: str, url: str, digest: str) -> Path:
        """A wheel of a source archive.

        :param digest: SHA-256 of the archive.
        :raises BuildError: when it does not build, or its wheel does not fit the target.
        """
        return self._wheel(Requirement(f"{name} @ {url}#sha256={digest}"), digest)

    def _wheel(self, item: Requirement, key: str) -> Path:
        name = canonicalize_name(item.name)
        for kind in ("any", self._here()):
            if key and (found := _kept(_place(name, key, kind))):
                return self._fitting(item, found)
        with scratch_directory(cache_directory("sources")) as scratch:
            tree = Path(scratch) / "tree"
            self._install(item, tree)
            key = key or f"{(item.url or '').partition('@')[0]}@{_commit_of(tree)}"
            made = Path(scratch) / "made"
            made.mkdir()
            wheel = pack_tree(tree, made)
            kind = "any" if wheel.stem.endswith("-none-any") else self._here()
            publish(made, _place(name, key, kind))
        return self._fitting(item, next(_place(name, key, kind).glob("*.whl")))

    def _install(self, item: Requirement, tree: Path) -> None:
        """By uv, which fetches, checks and builds; the address is in no file and no argument."""
        flags = ["--quiet", "--no-deps", "--target", str(tree), "--link-mode", "copy"]
        flags += ["--no-binary", item.name, "--python", self._python()]
        try:
            run_uv(
                ["pip", "install", *flags, "--requirements", "-"],
                cwd=self.project.root,
                environment=self.environment,
                text=f"{item.name} @ {item.url}\n",
            )
        except BuildError as error:
            raise _not_built(item, error) from None

    def _python(self) -> str:
        own = project_interpreter(self.project)
        found = target_interpreter(self.platform.python, own, self.platform.interpreter)
        return (found or own).path

    def _here(self) -> str:
        """For this machine and the target's Python, which compiled code is for."""
        own = project_interpreter(self.project)
        return f"{self.platform.python}-{own.wheels}"

    def _fitting(self, item: Requirement, wheel: Path) -> Path:
        """The wheel; compiled code of this machine is for this machine, whatever its tags say."""
        pure = wheel.stem.endswith("-any")
        if fits(wheel.name, self.platform) and (pure or self.native):
            return wheel
        raise BuildError(
            f"{item.name!r} comes as source only ({_address(item)}) and has compiled code; what is "
            f"built here is {wheel.name!r}, which does not run on {self.platform}.",
            "Build it on such a machine and name the directory with its wheel by UV_FIND_LINKS, "
            "or take a version that has wheels, or build the whole bundle there, by a mastra "
            "that finds that Python.",
        )


def local_wheel(directory: Path, platform: Platform) -> Path:
    """A wheel of a local project.

    :raises BuildError: when it has compiled code, which is for this machine only.
    """
    wheel = build_wheel(directory)
    if fits(wheel.name, platform):
        return wheel
    raise BuildError(
        f"The local project {str(directory)!r} has compiled code, and its wheel is for this "
        f"machine, not for {platform}: {wheel.name}.",
        "Build the bundle on such a machine, or put a wheel for it into a directory, name that by "
        "UV_FIND_LINKS, and require the package by its version.",
    )


def _place(name: str, key: str, kind: str) -> Path:
    digest = hashlib.sha256(public(f"{key} {kind}").encode()).hexdigest()[:24]
    return cache_directory("sources") / f"{name}-{digest}"


def _kept(place: Path) -> Path | None:
    return next(place.glob("*.whl"), None)


def _repository(line: str) -> Requirement:
    if not line.startswith("git+"):
        return Requirement(line)
    egg = re.search(r"[#&]egg=([\w.-]+)", line)
    if egg is None:
        raise BuildError(
            f"{public(line)!r} does not say which package it is.",
            "Write NAME @ git+https://... in its place.",
        )
    return Requirement(f"{egg[1]} @ {re.sub(r'[#&]egg=[^&]+', '', line)}")


def _commit_of(tree: Path) -> str:
    origin = next(tree.glob("*.dist-info/direct_url.json"))
    return str(json.loads(origin.read_text(encoding="utf-8"))["vcs_info"]["commit_id"])


def _not_built(item: Requirement, error: BuildError) -> BuildError:
    address, told = _address(item), error.message.partition("\n")[2] or error.message
    if address.startswith("git+"):
        return BuildError(
            f"{item.name!r} comes from version control and cannot be had from {address!r}:\n{told}",
            "See that git reaches it from here, with credentials if it wants some; or publish a "
            "wheel of it to an index, or name a directory with one by UV_FIND_LINKS, or keep a "
            "copy in the project as a path dependency.",
        )
    return BuildError(
        f"{item.name!r} comes as source only ({address}), and does not build here:\n{told}",
        "Take a version that has wheels, or name a directory with a wheel by UV_FIND_LINKS.",
    )


def _address(item: Requirement) -> str:
    return public((item.url or "").partition("#")[0])
