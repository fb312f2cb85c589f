"""The store of parts: each distribution once, pruned, compiled, every file of it described.

A bundle's dependencies are hard links to parts, so a second project that needs the same wheel
neither installs nor compiles it again. A part is named by the wheel and by what was made of it,
and is never changed: one that was damaged is made anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from mastra_core.pipeline.file_tree import Identity, content_digest, identity_of
from mastra_deployer.bundler.own_wheels import record_text
from mastra_deployer.bundler.vendor.bytecode import FinishedFile, finish_files
from mastra_deployer.bundler.vendor.distributions import Distribution, read_record
from mastra_deployer.bundler.vendor.prune import dead_reason
from mastra_deployer.files.checksummed import read_sealed, write_sealed
from mastra_deployer.files.directories import cache_directory, publish
from mastra_deployer.files.temporary import discard, scratch_directory
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("Making", "Part", "assemble", "make_parts", "part_place", "read_part")

_VERSION = "2"  # of the store's layout
_INDEX = "part.json"
_FILES = "files"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution as it ships.

    :param dropped: files of the wheel that do not ship, by reason.
    """

    name: str
    version: str
    license: str
    files: tuple[FinishedFile, ...]
    dropped: dict[str, tuple[str, ...]]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is to be made.

    :param tree: where the distribution is installed; its files are moved from there.
    :param whole: nothing of it is pruned.
    """

    item: Distribution
    tree: Path
    place: Path
    whole: bool


def part_place(key: str, interpreter: Interpreter | None, *, whole: bool) -> Path:
    """Where the part of a package lies in the store, made or not.

    :param key: of the wheel.
    """
    made = f"{interpreter.full} {interpreter.tag}" if interpreter else ""
    facts = "\n".join((_VERSION, key, made, str(whole)))
    return cache_directory("parts") / hashlib.sha256(facts.encode()).hexdigest()[:32]


def read_part(place: Path) -> Part | None:
    """The part at ``place``; ``None`` where there is none. One that cannot be read is discarded."""
    part = read_sealed(place / _INDEX, Part)
    if part is None:
        discard(place)
    return part


def make_parts(making: Sequence[Making], interpreter: Interpreter | None) -> None:
    """Prune, compile and describe installed distributions, and put them into the store."""
    if not making:
        return
    with scratch_directory(cache_directory("parts")) as scratch:
        homes = [Path(scratch) / str(number) for number in range(len(making))]
        dropped = [_move(item, home / _FILES) for item, home in zip(making, homes, strict=True)]
        names = {home / _FILES: _names(home / _FILES) for home in homes}
        finished = finish_files(names, interpreter, protect=True)
        for item, home, gone in zip(making, homes, dropped, strict=True):
            part = Part(
                name=item.item.name,
                version=item.item.version,
                license=item.item.license,
                files=tuple(sorted(finished[home / _FILES], key=lambda file: file.name)),
                dropped=gone,
            )
            write_sealed(home / _INDEX, part)
            publish(home, item.place)


def assemble(place: Path, part: Part, target: Path, digests: dict[Identity, str]) -> bool:
    """Link a part's files into ``target``; the first part that has a name keeps it.

    :param digests: gets what is known of the files, for sealing.
    :returns: ``False`` when the part is damaged, and has to be made again.
    """
    folders: set[str] = set()
    for file in part.files:
        folder = os.path.dirname(file.name)  # noqa: PTH120  # called for each file of a bundle
        if folder not in folders:
            (target / folder).mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        if not _put(f"{place}/{_FILES}/{file.name}", f"{target}/{file.name}", file, digests):
            return False
    return True


def _put(source: str, target: str, file: FinishedFile, digests: dict[Identity, str]) -> bool:
    try:
        status = os.stat(source)  # noqa: PTH116  # called for each file of a bundle
        untouched = (status.st_size, status.st_mtime_ns) == (file.size, file.mtime)
        if not untouched and content_digest(source) != file.sha256:
            return False
    except OSError:
        return False
    digests[identity_of(status)] = file.sha256
    _link(source, target)
    return True


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:  # two distributions have it
        return
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _move(making: Making, home: Path) -> dict[str, tuple[str, ...]]:
    """Move what ships of a distribution to ``home``, its RECORD kept true; the rest by reason."""
    home.mkdir(parents=True)
    dropped: dict[str, list[str]] = {}
    own = _own_folders(making.tree)
    made: set[str] = set()
    for name in making.item.files:
        if reason := dead_reason(name, whole=making.whole):
            dropped.setdefault(reason, []).append(name)
            continue
        folder = name.rpartition("/")[0]
        if own(folder) and _is_regular(f"{making.tree}/{name}"):
            if folder not in made:
                (home / folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            os.rename(f"{making.tree}/{name}", f"{home}/{name}")  # noqa: PTH104  # for each file
    _write_record(home / making.item.info / "RECORD", home)
    return {reason: tuple(names) for reason, names in dropped.items()}


def _own_folders(tree: Path) -> Callable[[str], bool]:
    """Tells whether a folder is in the tree itself: a link could lead anywhere on this machine."""
    root = os.path.realpath(tree)

    @functools.cache
    def own(folder: str) -> bool:
        place = os.path.normpath(f"{root}/{folder}")
        return os.path.realpath(place) == place

    return own


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _write_record(record: Path, home: Path) -> None:
    rows = read_record(record.read_text(encoding="utf-8"))
    kept = sorted(row for row in rows if (home / row[0]).is_file())
    # uv hard-links from its cache where it may: write a new file, never into the old one.
    record.unlink()
    record.write_text(record_text([*kept]), encoding="utf-8")


def _names(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
