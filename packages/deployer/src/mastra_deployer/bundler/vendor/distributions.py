"""Read the distributions that are installed in a directory, with files and requirements."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_deployer.bundler.vendor.code_usage import CodeUsage, read_code_usage
from mastra_deployer.bundler.vendor.unused_requirements import (
    list_optional_requirements,
    list_undeclared_targets,
)
from mastra_deployer.project.child_processes import raise_if_interrupted
from mastra_deployer.project.entry_points import TOOL_GROUPS

__all__ = ("Distribution", "read_distributions", "read_record")

_NO_CODE = {"", "bin", "__pycache__"}


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """An installed distribution.

    :param name: the canonical name.
    :param version: the version in the metadata.
    :param info: name of the ``.dist-info`` directory.
    :param requires: the ``Requires-Dist`` lines of the distribution.
    :param license: the SPDX expression of the license, if any.
    :param tool: whether the distribution offers deployers or plugins. The app may require deployers
        that are not installed in mastra's environment.
    :param tops: names of the distribution's modules and packages at the top level, without
        suffixes.
    :param files: paths of the distribution's files, relative to the installation directory.
    :param usage: which parts of other distributions the distribution's code uses. The field
        ``imports`` contains canonical names of distributions instead of modules.
    """

    name: str
    version: str
    info: str
    requires: tuple[str, ...] = ()
    license: str = ""
    tool: bool = False
    tops: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    usage: CodeUsage = CodeUsage()


def read_distributions(tree: Path) -> dict[str, Distribution]:
    """Return the distributions that are installed in a directory, by canonical name.

    :param tree: the directory.
    """
    distributions = (_read_distribution(info) for info in sorted(tree.glob("*.dist-info")))
    return {item.name: item for item in distributions}


def read_record(text: str) -> list[tuple[str, str, str]]:
    """Parse a RECORD into rows of name, hash and size.

    :param text: the file's content.
    """
    rows = csv.reader(io.StringIO(text))
    padded = ((*row, "", "") for row in rows if row and "\0" not in row[0])
    return [(row[0], row[1], row[2]) for row in padded]


def _read_distribution(info: Path) -> Distribution:
    from email.parser import HeaderParser  # only a first build reads metadata

    raise_if_interrupted()  # a large project has hundreds of distributions

    headers = HeaderParser().parsestr(_read_metadata(info / "METADATA"))
    name = canonicalize_name(str(headers["Name"]))
    record = read_record(_read_metadata(info / "RECORD"))
    names = tuple(row[0] for row in record)
    requires = tuple(headers.get_all("Requires-Dist") or ())
    return Distribution(
        name=name,
        version=str(headers["Version"]),
        info=info.name,
        requires=requires,
        license=headers["License-Expression"] or "",
        tool=name != "mastra-server" and _has_tool_entry_points(info),
        tops=_get_top_level_names(names),
        files=names,
        usage=_read_usage(info.parent, name, names, requires),
    )


def _read_usage(
    tree: Path, name: str, files: tuple[str, ...], requires: tuple[str, ...]
) -> CodeUsage:
    targets = list_undeclared_targets(name, requires)
    optional = list_optional_requirements(requires)
    usage = read_code_usage(tree, files, targets.keys(), optional)
    names = frozenset[str]().union(*(targets[module] for module in usage.imports))
    return msgspec.structs.replace(usage, imports=tuple(sorted(names)))


def _read_metadata(file: Path) -> str:
    """Read a metadata file, even if it is not UTF-8; raise an error if the file is missing."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise BuildError(
            f"The wheel of {file.parent.name.removesuffix('.dist-info')!r} is broken: it has no "
            f"{file.name}.",
            "Use another version of the package, or report this to its author.",
        ) from None


def _get_top_level_names(names: Iterable[str]) -> tuple[str, ...]:
    top_level = {name.partition("/")[0] for name in names}
    code = {name.partition(".")[0] for name in top_level if not name.endswith(".dist-info")}
    return tuple(sorted(code - _NO_CODE))


def _has_tool_entry_points(info: Path) -> bool:
    entries = info / "entry_points.txt"
    text = entries.read_text("utf-8", "replace") if entries.exists() else ""
    return any(f"[{group}]" in text for group in TOOL_GROUPS)
