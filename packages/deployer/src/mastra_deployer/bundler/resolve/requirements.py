"""Requirement lines: files of them as pip reads them, and what a line is about."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import ConfigError
from mastra_deployer.bundler.locks.indexes import Indexes, expand, public

__all__ = ("Stated", "named", "read_requirements")

_SHORT = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
}
_INDEX_OPTIONS = frozenset(
    ("--index-url", "--extra-index-url", "--find-links", "--no-index", "--pre")
)
# These say how to install, not what; bundles are made of wheels, and uv's own settings apply.
_IGNORED = frozenset(
    ("--no-binary", "--only-binary", "--prefer-binary", "--require-hashes", "--use-feature")
    + ("--trusted-host",)
)
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash[= ]\s*(\S+)")
_LOCAL = re.compile(r"(\.{0,2}/[^\[\s;]*|\.{1,2})(.*)")


@dataclasses.dataclass(kw_only=True)
class Stated:
    """What requirements files say.

    :param lines: requirements, paths made absolute.
    :param constraints: versions that apply to what is needed.
    :param files: every file that was read.
    :param hashes: by the name as written, as ``sha256:...``.
    """

    lines: list[str] = dataclasses.field(default_factory=list)
    constraints: list[str] = dataclasses.field(default_factory=list)
    files: list[Path] = dataclasses.field(default_factory=list)
    hashes: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)
    indexes: Indexes = dataclasses.field(default_factory=Indexes)

    @property
    def pinned(self) -> bool:
        """Whether every line says exactly one version."""
        return bool(self.lines) and all(map(_is_exact, self.lines))


def read_requirements(file: Path) -> Stated:
    """A requirements file with the files it includes, each in its place.

    :raises ConfigError: for a file that is missing or not UTF-8, or an option that is not known.
    """
    stated = Stated()
    _read(file, stated, stated.lines)
    return stated


def named(lines: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Canonical names in requirement lines, each with all extras asked for."""
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        try:
            item = Requirement(line)
        except InvalidRequirement:  # a path: it has no name to keep
            continue
        name = canonicalize_name(item.name)
        found[name] = found.get(name, frozenset()) | item.extras
    return found


def _read(file: Path, stated: Stated, lines: list[str]) -> None:
    if file in stated.files:
        return
    stated.files.append(file)
    for line in _lines(file):
        if line.startswith("-"):
            _option(file, line, stated, lines)
        else:
            lines.append(_requirement(file, line, stated))


def _lines(file: Path) -> Iterator[str]:
    for line in _text(file).replace("\\\n", " ").splitlines():
        if bare := _COMMENT.sub("", line).strip():
            yield expand(bare, f"{str(file)!r}")


def _requirement(file: Path, line: str, stated: Stated) -> str:
    hashes = _HASH.findall(line)
    bare = re.sub(r"\s--\S+.*", "", line).strip()
    if local := _LOCAL.fullmatch(bare):
        return f"{(file.parent / local[1]).resolve()}{local[2]}"
    if bare.startswith("git+"):
        return bare
    try:
        item = Requirement(bare)
    except InvalidRequirement as error:
        raise ConfigError(
            f"{str(file)!r} has the line {public(bare)!r}, which is no requirement: "
            f"{str(error).splitlines()[0]}.",
            "Write it like name==1.2, or name @ address, or a path that begins with ./.",
        ) from None
    if hashes:
        stated.hashes.append((item.name, hashes))
    return bare


def _option(file: Path, line: str, stated: Stated, lines: list[str]) -> None:
    words = shlex.split(re.sub(r"^(-\w)(?=\S)", r"\1 ", line.replace("=", " ", 1)))
    flag, value = _SHORT.get(words[0], words[0]), words[1] if len(words) > 1 else ""
    if flag in ("--requirement", "--constraint"):
        _refuse_remote(file, value)
        target = lines if flag == "--requirement" else stated.constraints
        _read((file.parent / value).resolve(), stated, target)
    elif flag == "--editable":
        local = not re.match(r"git\+|\w+:|\w[\w.-]*(\[.*\])? @", value)
        rest = line.partition(words[0])[2].strip(" =")
        lines.append(_requirement(file, f"./{rest}" if local else rest, stated))
    elif flag in _INDEX_OPTIONS:
        stated.indexes = _with_index(stated.indexes, flag, value, file)
    elif flag not in _IGNORED:
        raise ConfigError(
            f"{str(file)!r} has the option {flag!r}, which mastra does not know.",
            "Take it out, or keep the file for pip and name another: [tool.mastra.build] lock.",
        )


def _with_index(indexes: Indexes, flag: str, value: str, file: Path) -> Indexes:
    if flag == "--index-url":
        return dataclasses.replace(indexes, default=value)
    if flag == "--extra-index-url":
        return dataclasses.replace(indexes, extra=(*indexes.extra, value))
    if flag == "--find-links":
        place = value if "://" in value else str((file.parent / value).resolve())
        return dataclasses.replace(indexes, links=(*indexes.links, place))
    if flag == "--no-index":
        return dataclasses.replace(indexes, only_links=True)
    return dataclasses.replace(indexes, prereleases=True)


def _is_exact(line: str) -> bool:
    try:
        item = Requirement(line)
    except InvalidRequirement:
        return True  # a path, whose contents decide
    if item.url:
        return not item.url.startswith("git+") or bool(re.search(r"@[0-9a-f]{40}\b", item.url))
    exact = [part for part in item.specifier if part.operator in ("==", "===")]
    return any("*" not in part.version for part in exact)


def _refuse_remote(file: Path, value: str) -> None:
    if "://" in value:
        raise ConfigError(
            f"{str(file)!r} includes {public(value)!r}, which is not on this machine.",
            "Keep a copy in the project: what ships must be the same tomorrow.",
        )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{str(file)!r} is not UTF-8.", "Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(
            f"{str(file)!r} cannot be read: {error.strerror}.", "Correct the line that names it."
        ) from None
