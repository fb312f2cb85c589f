"""Store each wheel's distribution once, without unneeded files.

The dependencies of a bundle are hard links to the store, so a wheel is not installed again for a
second project. The name of a stored wheel is a hash of the wheel's key, of the rule for its files,
and of whether symbols are removed. A stored wheel never changes. A damaged wheel is discarded and
created again.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from mastra_core.pipeline.file_tree import (
    HAS_MODES,
    Identity,
    get_identity,
    hash_file,
    is_executable,
    iter_files,
)
from mastra_deployer.bundler.own_wheels import compute_record_hash, format_record
from mastra_deployer.bundler.vendor.distributions import Distribution, read_record
from mastra_deployer.bundler.vendor.finished_files import FinishedFile, finish_files
from mastra_deployer.bundler.vendor.prune_files import KeepRule, find_dropped_files
from mastra_deployer.files.checksummed_json import read_checksummed_json, write_checksummed_json
from mastra_deployer.files.directories import get_cache_directory, publish_directory
from mastra_deployer.files.strip_symbols import strip_file
from mastra_deployer.files.temporary import discard_directory, temporary_directory
from mastra_deployer.project.child_processes import raise_if_interrupted

__all__ = (
    "FILES",
    "PendingWheel",
    "StoredWheel",
    "get_wheel_path",
    "link_files",
    "read_stored_wheel",
    "store_wheels",
)

_VERSION = "6"  # of the store's layout
_INDEX = "part.json"
FILES = "files"  # the directory of the files in a stored wheel
# NLTK refuses to read a data file that has several hard links.
_COPIED_DIRECTORIES = frozenset(("nltk_cache", "nltk_data"))


class StoredWheel(msgspec.Struct, frozen=True, kw_only=True):
    """An unpacked wheel in the store, without the files that do not ship.

    :param name: the canonical name.
    :param version: the version of the distribution.
    :param license: the SPDX expression of the license, if any.
    :param files: the files that ship.
    :param dropped: the distribution's files that do not ship, by reason.
    :param stripped: the distribution's files that ship without symbols.
    """

    name: str
    version: str
    license: str
    files: tuple[FinishedFile, ...]
    dropped: dict[str, tuple[str, ...]]
    stripped: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(file.size for file in self.files)


class PendingWheel(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution to store.

    :param distribution: the installed distribution.
    :param tree: the directory in which the distribution is installed; its files are moved to the
        store.
    :param path: the path of the distribution in the store.
    :param rule: the files of the distribution that always ship.
    :param strip: whether the distribution's libraries ship without symbols.
    """

    distribution: Distribution
    tree: Path
    path: Path
    rule: KeepRule
    strip: bool


def get_wheel_path(key: str, rule: KeepRule, *, strip: bool) -> Path:
    """Return the path of a wheel in the store, even if it does not exist.

    :param key: a text that identifies the wheel, such as a hash of it.
    :param rule: the files of the distribution that always ship.
    :param strip: whether the distribution's libraries ship without symbols.
    """
    facts = "\n".join((_VERSION, key, repr(rule), f"strip={strip}"))
    return get_cache_directory("parts") / hashlib.sha256(facts.encode()).hexdigest()[:32]


def read_stored_wheel(path: Path) -> StoredWheel | None:
    """Read a stored wheel; discard it if it cannot be read.

    :param path: the path in the store.
    :returns: the stored wheel; ``None`` if there is no valid wheel at the path.
    """
    wheel = read_checksummed_json(path / _INDEX, StoredWheel)
    if wheel is None:
        discard_directory(path)
    return wheel


def store_wheels(pending: Sequence[PendingWheel]) -> None:
    """Prune, describe and store installed distributions.

    :param pending: the distributions to store.
    """
    if not pending:
        return
    with temporary_directory(get_cache_directory("parts")) as temporary:
        directories = [Path(temporary) / str(number) for number in range(len(pending))]
        dropped, stripped = [], []
        for item, directory in zip(pending, directories, strict=True):
            raise_if_interrupted()
            dropped.append(_move_files(item, directory / FILES))
            stripped.append(_strip_files(directory / FILES) if item.strip else ())
            _write_record(directory / FILES, item.distribution.info, stripped[-1])
        names = {directory / FILES: _list_names(directory / FILES) for directory in directories}
        finished = finish_files(names)
        for number, (item, directory) in enumerate(zip(pending, directories, strict=True)):
            wheel = StoredWheel(
                name=item.distribution.name,
                version=item.distribution.version,
                license=item.distribution.license,
                files=tuple(sorted(finished[directory / FILES], key=lambda file: file.name)),
                dropped=dropped[number],
                stripped=stripped[number],
            )
            write_checksummed_json(directory / _INDEX, wheel)
            publish_directory(directory, item.path)


def link_files(
    source: Path, files: Iterable[FinishedFile], target: Path, digests: dict[Identity, str]
) -> bool:
    """Link files of the store into a directory, and skip existing files.

    Files that must not have several hard links are copied.

    :param source: the directory that contains the files.
    :param files: descriptions of the files to link.
    :param target: the directory.
    :param digests: receives the SHA-256 of each file by its identity.
    :returns: ``False`` when one of the files is damaged.
    """
    transfers: dict[str, Callable[[str, str], None]] = {}  # by folder
    for file in files:
        folder = os.path.dirname(file.name)  # noqa: PTH120  # called for each file of a bundle
        if folder not in transfers:
            (target / folder).mkdir(parents=True, exist_ok=True)
            is_linked = _COPIED_DIRECTORIES.isdisjoint(folder.split("/"))
            transfers[folder] = _link_or_copy if is_linked else _copy
        paths = f"{source}/{file.name}", f"{target}/{file.name}"
        if not _transfer_file(*paths, file, digests, transfers[folder]):
            return False
    return True


def _transfer_file(
    source: str,
    target: str,
    file: FinishedFile,
    digests: dict[Identity, str],
    transfer: Callable[[str, str], None],
) -> bool:
    try:
        status = os.stat(source)  # noqa: PTH116  # called for each file of a bundle
        is_untouched = (status.st_size, status.st_mtime_ns) == (file.size, file.mtime)
        if not is_untouched and hash_file(source) != file.sha256:
            return False
        if HAS_MODES and is_executable(source, status) != file.executable:
            # Some archives of caches do not keep modes.
            os.chmod(source, 0o555 if file.executable else 0o444)  # noqa: PTH101  # each file
    except OSError:
        return False
    digests[get_identity(status)] = file.sha256
    transfer(source, target)
    return True


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:  # another distribution has the same file
        return
    except OSError:  # another file system, or one without hard links
        shutil.copy(source, target)


def _copy(source: str, target: str) -> None:
    """Copy a file with its time, by which the next build recognizes an unchanged file."""
    if not os.path.exists(target):  # noqa: PTH110  # as in ``_link_or_copy``
        shutil.copy2(source, target)


def _move_files(pending: PendingWheel, directory: Path) -> dict[str, tuple[str, ...]]:
    """Move the files that ship to ``directory``, and return those that do not ship, by reason."""
    directory.mkdir(parents=True)
    dropped: dict[str, list[str]] = {}
    is_own_folder = _make_folder_check(pending.tree)
    created: set[str] = set()
    reasons = find_dropped_files(pending.distribution, pending.tree, pending.rule)
    for name in pending.distribution.files:
        if reason := reasons.get(name):
            dropped.setdefault(reason, []).append(name)
            continue
        folder = name.rpartition("/")[0]
        if is_own_folder(folder) and _is_regular(f"{pending.tree}/{name}"):
            if folder not in created:
                (directory / folder).mkdir(parents=True, exist_ok=True)
                created.add(folder)
            os.rename(f"{pending.tree}/{name}", f"{directory}/{name}")  # noqa: PTH104  # for each file
    return {reason: tuple(names) for reason, names in dropped.items()}


def _make_folder_check(tree: Path) -> Callable[[str], bool]:
    """Return a function that tells whether the path of a folder in the tree has no links."""
    root = os.path.realpath(tree)

    @functools.cache
    def is_own_folder(folder: str) -> bool:
        path = os.path.normpath(f"{root}/{folder}")
        return os.path.realpath(path) == path

    return is_own_folder


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _strip_files(directory: Path) -> tuple[str, ...]:
    """Strip all libraries and programs below a directory, and return the names of changed files."""
    return tuple(
        name
        for name, entry in sorted(iter_files(directory), key=lambda pair: pair[0])
        if (".so" in entry.name or is_executable(entry.path, entry.stat()))
        and strip_file(directory / name)
    )


def _write_record(directory: Path, info: str, new_names: Collection[str]) -> None:
    """Update RECORD: remove files that do not ship, and write the hashes of changed files."""
    record = directory / info / "RECORD"
    rows = read_record(record.read_text(encoding="utf-8"))
    remaining = sorted(
        _describe_file(directory, row[0]) if row[0] in new_names else row
        for row in rows
        if (directory / row[0]).is_file()
    )
    # The file may be a hard link to uv's cache: write a new one, never into the old one.
    record.unlink()
    record.write_text(format_record([*remaining]), encoding="utf-8", newline="\n")


def _describe_file(directory: Path, name: str) -> tuple[str, str, str]:
    content = (directory / name).read_bytes()
    return name, compute_record_hash(content), str(len(content))


def _list_names(directory: Path) -> list[str]:
    return sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    )
