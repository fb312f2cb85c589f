"""What is installed in a directory: each distribution with its files and what it requires."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError

__all__ = ("TOOL_GROUPS", "Distribution", "read_distributions", "read_record")

# Found by entry point in an app's environment, and of no use in a bundle.
TOOL_GROUPS = ("mastra.deployers", "mastra.plugins")


_NO_CODE = {"", "bin", "__pycache__"}


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """One installed distribution, as its metadata has it.

    :param name: canonical.
    :param info: name of its ``.dist-info`` directory.
    :param requires: its ``Requires-Dist`` lines.
    :param tool: it offers deployers or plugins: mastra's own environment may not know it.
    :param tops: what it puts on ``sys.path``, by name without endings.
    :param files: names relative to the tree, as its RECORD has them.
    """

    name: str
    version: str
    info: str
    requires: tuple[str, ...] = ()
    license: str = ""
    tool: bool = False
    tops: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def read_distributions(tree: Path) -> dict[str, Distribution]:
    """What is installed in ``tree``, by canonical name."""
    found = (_read(info) for info in sorted(tree.glob("*.dist-info")))
    return {item.name: item for item in found}


def read_record(text: str) -> list[tuple[str, str, str]]:
    """The lines of a RECORD: name, hash and size."""
    rows = csv.reader(io.StringIO(text))
    padded = ((*row, "", "") for row in rows if row and "\0" not in row[0])
    return [(row[0], row[1], row[2]) for row in padded]


def _read(info: Path) -> Distribution:
    from email.parser import HeaderParser  # only a first build reads metadata

    headers = HeaderParser().parsestr(_text(info / "METADATA"))
    name = canonicalize_name(str(headers["Name"]))
    record = read_record(_text(info / "RECORD"))
    names = tuple(row[0] for row in record)
    return Distribution(
        name=name,
        version=str(headers["Version"]),
        info=info.name,
        requires=tuple(headers.get_all("Requires-Dist") or ()),
        license=headers["License-Expression"] or "",
        tool=name != "mastra-server" and _offers_tools(info),
        tops=_tops(names),
        files=names,
    )


def _text(file: Path) -> str:
    """A file of the metadata; some are not UTF-8, and some wheels lack one."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise BuildError(
            f"{file.parent.name.removesuffix('.dist-info')!r} is a broken wheel: it has no "
            f"{file.name}.",
            "Take another version of it, or tell who made it.",
        ) from None


def _tops(names: Iterable[str]) -> tuple[str, ...]:
    firsts = {name.partition("/")[0] for name in names}
    code = {name.partition(".")[0] for name in firsts if not name.endswith(".dist-info")}
    return tuple(sorted(code - _NO_CODE))


def _offers_tools(info: Path) -> bool:
    entries = info / "entry_points.txt"
    text = entries.read_text(encoding="utf-8") if entries.exists() else ""
    return any(f"[{group}]" in text for group in TOOL_GROUPS)
