"""Takes out what cannot run in a bundle, and dependencies that are required and never used.

A distribution goes only when nothing needs it but an edge of ``UNUSED``, which is a list of
tested facts. Metadata always stays: frameworks read it. Single modules of a distribution always
stay: a dynamic import would find a hole.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
from collections.abc import Iterable, Mapping
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mastra_core.line import Platform
from mastra_deployer.bundler.markers import marker_environment
from mastra_deployer.wheels import INSTALLER_FILES, record_text

__all__ = ("PRUNE_VERSION", "TOOL_GROUPS", "Distribution", "distributions", "prune")

PRUNE_VERSION = "3"

# Requirer to what it requires for its command line or its test client, never to serve.
UNUSED: Mapping[str, frozenset[str]] = {
    "litestar": frozenset(("click", "httpx", "polyfactory", "rich", "rich-click")),
}
# Found by entry point in an app's environment, and of no use in a bundle.
TOOL_GROUPS = ("mastra.deployers", "mastra.plugins")
_DEAD_SUFFIXES = frozenset((".pyi", ".h", ".hpp", ".c", ".cpp", ".pyx", ".pxd", ".pyc", ".a"))
_DEAD_FOLDERS = frozenset(("tests", "test", "__pycache__"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distribution:
    """One installed distribution.

    :param files: paths relative to the tree, as its RECORD has them.
    """

    name: str
    version: str
    info: Path
    requires: tuple[Requirement, ...]
    files: tuple[str, ...]


def prune(
    tree: Path, direct: Mapping[str, frozenset[str]], keep: frozenset[str], platform: Platform
) -> None:
    """Prune the installed ``tree`` in place, keeping every RECORD true.

    :param direct: what the project and the runtime ask for themselves, with extras.
    :param keep: canonical names of distributions that stay whole.
    """
    installed = distributions(tree)
    tools = {name for name, item in installed.items() if _is_tool(item)}
    environment = marker_environment(platform)
    shipped = {name: item for name, item in installed.items() if name not in tools}
    needed = _reach(shipped, direct, environment, UNUSED)
    unused = (_reach(installed, direct, environment, {}) - needed - keep) | tools
    for name in unused:
        _remove(tree, installed[name])
    for name in installed.keys() - unused:
        _clean(tree, installed[name], whole=name in keep)
    for stray in (".lock", "bin"):
        _delete(tree / stray)


def distributions(tree: Path) -> dict[str, Distribution]:
    """What is installed in ``tree``, by canonical name."""
    found = (_read(info) for info in sorted(tree.glob("*.dist-info")))
    return {item.name: item for item in found}


def _read(info: Path) -> Distribution:
    headers = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    record = csv.reader(io.StringIO((info / "RECORD").read_text(encoding="utf-8")))
    return Distribution(
        name=canonicalize_name(str(headers["Name"])),
        version=str(headers["Version"]),
        info=info,
        requires=tuple(Requirement(line) for line in headers.get_all("Requires-Dist") or ()),
        files=tuple(row[0] for row in record if row),
    )


def _is_tool(item: Distribution) -> bool:
    """Whether it offers deployers or plugins: mastra's own environment may not know it."""
    entries = item.info / "entry_points.txt"
    text = entries.read_text(encoding="utf-8") if entries.exists() else ""
    return item.name != "mastra-server" and any(f"[{group}]" in text for group in TOOL_GROUPS)


def _reach(
    installed: Mapping[str, Distribution],
    roots: Mapping[str, frozenset[str]],
    environment: dict[str, str],
    unused: Mapping[str, frozenset[str]],
) -> set[str]:
    """Names reachable from ``roots`` without the edges in ``unused``, extras minded."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(roots.items())
    while waiting:
        name, extras = node = waiting.pop()
        if node in seen or name not in installed:
            continue
        seen.add(node)
        for item in installed[name].requires:
            other = canonicalize_name(item.name)
            if other not in unused.get(name, ()) and _applies(item, environment, extras):
                waiting.append((other, frozenset(item.extras)))
    return {name for name, _ in seen}


def _applies(item: Requirement, environment: dict[str, str], extras: frozenset[str]) -> bool:
    if item.marker is None:
        return True
    return any(item.marker.evaluate({**environment, "extra": name}) for name in ("", *extras))


def _remove(tree: Path, distribution: Distribution) -> None:
    for name in distribution.files:
        _delete(tree / name)
    _delete(distribution.info)
    _drop_empty(tree, {name.partition("/")[0] for name in distribution.files})


def _clean(tree: Path, distribution: Distribution, *, whole: bool) -> None:
    """Delete dead files of a distribution and their RECORD lines."""
    dead = {name for name in distribution.files if _is_dead(name, whole=whole)}
    for name in dead:
        _delete(tree / name)
    record = distribution.info / "RECORD"
    rows = list(csv.reader(io.StringIO(record.read_text(encoding="utf-8"))))
    kept = sorted((row[0], row[1], row[2]) for row in rows if row and row[0] not in dead)
    # uv hard-links from its cache where it may: write a new file, never into the old one.
    record.unlink()
    record.write_text(record_text(list(kept)), encoding="utf-8")
    _drop_empty(tree, {name.partition("/")[0] for name in distribution.files})


def _is_dead(name: str, *, whole: bool) -> bool:
    path = Path(name)
    if name.startswith(("bin/", "../")) or path.parent.name == "__pycache__":
        return True
    if path.parent.suffix == ".dist-info":
        return path.name in INSTALLER_FILES
    if whole:
        return False
    # The first part is the package itself: one that is called "test" is no test folder.
    return path.suffix in _DEAD_SUFFIXES or not _DEAD_FOLDERS.isdisjoint(path.parts[1:-1])


def _drop_empty(tree: Path, tops: Iterable[str]) -> None:
    for top in tops:
        root = tree / top
        if not root.is_dir():
            continue
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        if not any(root.iterdir()):
            root.rmdir()


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
