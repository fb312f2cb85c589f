"""Extract a deployment's files; archive parts are joined and unpacked."""

from __future__ import annotations

import io
import re
import shutil
import stat
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

_PART = re.compile(r"\.vercel/source\.tgz\.part(\d+)")


def extract_files(contents: Mapping[str, tuple[Path, int]], directory: Path) -> dict[str, int]:
    """Write files into a directory and return the mode of each path.

    :param contents: file with the content, and mode, by path.
    :raises ValueError: for a path outside the directory, or an invalid archive.
    """
    directory.mkdir(parents=True)
    parts = {int(match[1]): path for path in contents if (match := _PART.fullmatch(path))}
    for path, (content, mode) in contents.items():
        if path not in parts.values():
            _write_file(directory, path, content, mode)
    if parts:
        _unpack(b"".join(contents[parts[n]][0].read_bytes() for n in sorted(parts)), directory)
    return dict(_iter_files(directory))


def read_tree(directory: Path) -> dict[str, bytes]:
    """Return the content of all files by path; the content of a link is its target."""
    contents = {}
    for path, mode in _iter_files(directory):
        file = directory / path
        contents[path] = str(file.readlink()).encode() if stat.S_ISLNK(mode) else file.read_bytes()
    return contents


def _write_file(directory: Path, path: str, content: Path, mode: int) -> None:
    target = directory / path
    if path.startswith("/") or ".." in Path(path).parts:
        raise ValueError(f"{path} is outside the deployment")
    target.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(mode):
        target.symlink_to(content.read_text())
        return
    shutil.copyfile(content, target)
    target.chmod(stat.S_IMODE(mode) | 0o600)


def _unpack(archive: bytes, directory: Path) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            tar.extractall(directory, filter="data")
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ValueError(f"the archive cannot be unpacked: {error}") from None


def _iter_files(directory: Path) -> Iterable[tuple[str, int]]:
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or path.is_file():
            yield path.relative_to(directory).as_posix(), path.lstat().st_mode
