"""Parse requirement lines and requirements files as pip does."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import ConfigError
from mastra_deployer.bundler.locks.indexes import Indexes, expand_variables, remove_credentials

__all__ = ("ParsedRequirements", "parse_names", "read_requirements")

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
# These options decide how to install, not what. mastra installs wheels with uv's own settings.
_IGNORED = frozenset(
    ("--no-binary", "--only-binary", "--prefer-binary", "--require-hashes", "--use-feature")
    + ("--trusted-host",)
)
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash[= ]\s*(\S+)")
_LOCAL = re.compile(r"(\.{0,2}/[^\[\s;]*|\.{1,2})(.*)")


@dataclasses.dataclass(kw_only=True)
class ParsedRequirements:
    """The contents of a requirements file and of the files that it includes.

    :param lines: requirements, with absolute paths.
    :param constraints: allowed versions of packages; a constraint alone does not install a package.
    :param files: every file that was read.
    :param hashes: pairs of a package's name as written and its ``sha256:...``.
    :param indexes: indexes that the files name.
    """

    lines: list[str] = dataclasses.field(default_factory=list)
    constraints: list[str] = dataclasses.field(default_factory=list)
    files: list[Path] = dataclasses.field(default_factory=list)
    hashes: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)
    indexes: Indexes = dataclasses.field(default_factory=Indexes)

    @property
    def is_pinned(self) -> bool:
        """Whether every line requires exactly one version."""
        return bool(self.lines) and all(map(_is_exact, self.lines))


def read_requirements(file: Path) -> ParsedRequirements:
    """Read a requirements file, including the files that it includes.

    :param file: the file.
    :raises ConfigError: for a file that is missing or not UTF-8, or an unknown option.
    """
    parsed = ParsedRequirements()
    _read_file(file, parsed, parsed.lines)
    return parsed


def parse_names(lines: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Return the canonical names in requirement lines, each with all its extras.

    :param lines: requirements; paths have no name and are skipped.
    """
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        try:
            item = Requirement(line)
        except InvalidRequirement:  # a path, which has no name
            continue
        name = canonicalize_name(item.name)
        found[name] = found.get(name, frozenset()) | item.extras
    return found


def _read_file(file: Path, requirements: ParsedRequirements, lines: list[str]) -> None:
    if file in requirements.files:
        return
    requirements.files.append(file)
    for line in _iter_lines(file):
        if line.startswith("-"):
            _parse_option(file, line, requirements, lines)
        else:
            lines.append(_parse_requirement(file, line, requirements))


def _iter_lines(file: Path) -> Iterator[str]:
    for line in _read_text(file).replace("\\\n", " ").splitlines():
        if stripped := _COMMENT.sub("", line).strip():
            yield expand_variables(stripped, f"{str(file)!r}")


def _parse_requirement(file: Path, line: str, requirements: ParsedRequirements) -> str:
    hashes = _HASH.findall(line)
    requirement = re.sub(r"\s--\S+.*", "", line).strip()
    if local := _LOCAL.fullmatch(requirement):
        return f"{(file.parent / local[1]).resolve()}{local[2]}"
    if requirement.startswith("git+"):
        return requirement
    try:
        item = Requirement(requirement)
    except InvalidRequirement as error:
        raise ConfigError(
            f"{str(file)!r} contains the line {remove_credentials(requirement)!r}, which is not a "
            f"requirement: {str(error).splitlines()[0]}.",
            "Write name==1.2, or name @ URL, or a path that starts with ./.",
        ) from None
    if hashes:
        requirements.hashes.append((item.name, hashes))
    return requirement


def _parse_option(
    file: Path, line: str, requirements: ParsedRequirements, lines: list[str]
) -> None:
    words = _split_words(file, re.sub(r"^(-\w)(?=\S)", r"\1 ", line.replace("=", " ", 1)))
    flag, value = _SHORT.get(words[0], words[0]), words[1] if len(words) > 1 else ""
    if flag in ("--requirement", "--constraint"):
        _reject_remote(file, value)
        target = lines if flag == "--requirement" else requirements.constraints
        _read_file((file.parent / value).resolve(), requirements, target)
    elif flag == "--editable":
        is_local = not re.match(r"git\+|\w+:|\w[\w.-]*(\[.*\])? @", value)
        rest = line.partition(words[0])[2].strip(" =")
        lines.append(_parse_requirement(file, f"./{rest}" if is_local else rest, requirements))
    elif flag in _INDEX_OPTIONS:
        requirements.indexes = _add_index_option(requirements.indexes, flag, value, file)
    elif flag not in _IGNORED:
        raise ConfigError(
            f"{str(file)!r} contains the option {flag!r}, which mastra does not support.",
            "Remove the option, or name another file for mastra in [tool.mastra.build] lock.",
        )


def _split_words(file: Path, line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        raise ConfigError(
            f"{str(file)!r} contains the line {remove_credentials(line)!r}, which has an unclosed "
            "quotation mark or an incomplete escape.",
            "Write a backslash before each quotation mark, backslash or space in a path.",
        ) from None


def _add_index_option(indexes: Indexes, flag: str, value: str, file: Path) -> Indexes:
    if flag == "--index-url":
        return dataclasses.replace(indexes, default=value)
    if flag == "--extra-index-url":
        return dataclasses.replace(indexes, extra=(*indexes.extra, value))
    if flag == "--find-links":
        location = value if "://" in value else str((file.parent / value).resolve())
        return dataclasses.replace(indexes, links=(*indexes.links, location))
    if flag == "--no-index":
        return dataclasses.replace(indexes, only_links=True)
    return dataclasses.replace(indexes, prereleases=True)


def _is_exact(line: str) -> bool:
    try:
        item = Requirement(line)
    except InvalidRequirement:
        return True  # a path, whose contents decide the version
    if item.url:
        return not item.url.startswith("git+") or bool(re.search(r"@[0-9a-f]{40}\b", item.url))
    exact = [part for part in item.specifier if part.operator in ("==", "===")]
    return any("*" not in part.version for part in exact)


def _reject_remote(file: Path, value: str) -> None:
    if "://" in value:
        raise ConfigError(
            f"{str(file)!r} includes {remove_credentials(value)!r}, which is not a local file.",
            "Copy the included file into the project, so that every build reads the same file.",
        )


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{str(file)!r} is not UTF-8.", "Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(
            f"{str(file)!r} cannot be read: {error.strerror}.",
            "Check the permissions of the file, or correct the -r or -c line that includes it.",
        ) from None
