"""Find the directory in the setting ``interpreter``, and unpack an archive into the cache."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import lzma
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from mastra_core.errors import ConfigError
from mastra_deployer.files.directories import (
    convert_cache_errors,
    get_cache_directory,
    publish_directory,
)
from mastra_deployer.files.temporary import temporary_directory

__all__ = ("get_source_tree",)

_UNREADABLE = (tarfile.TarError, EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)


def get_source_tree(path: Path) -> Path:
    """Return the directory of an interpreter.

    :param path: the directory itself, or an archive of it: a ``.tar.gz`` or a ``.tar.zst``.
    :raises ConfigError: when the path does not exist or cannot be unpacked, and when the cache
        cannot be written.
    """
    if path.is_dir():
        return path.resolve()
    if not path.is_file():
        raise ConfigError(
            f"interpreter={str(path)!r} does not exist.",
            "Pass a directory, a .tar.gz or a .tar.zst that contains a Python.",
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    directory = get_cache_directory("interpreters") / digest
    if not directory.is_dir():
        with convert_cache_errors(), temporary_directory(directory.parent) as temporary:
            tree = temporary / digest
            tree.mkdir()
            _unpack(path, tree)
            publish_directory(tree, directory)
    return directory


def _unpack(path: Path, directory: Path) -> None:
    try:
        with _open_archive(path) as archive:
            archive.extractall(directory, filter="data")
    except _UNREADABLE as error:
        raise ConfigError(
            f"interpreter={str(path)!r} cannot be unpacked: {error}.",
            "Pass a .tar.gz or a .tar.zst that can be unpacked.",
        ) from None


@contextlib.contextmanager
def _open_archive(path: Path) -> Iterator[tarfile.TarFile]:
    if path.suffix != ".zst":
        with tarfile.open(path) as archive:
            yield archive
        return
    program = shutil.which("zstd")
    if program is None:
        raise ConfigError(
            f"Unpacking {path.name!r} needs the program zstd.",
            "Install zstd, or pass a .tar.gz.",
        )
    with subprocess.Popen([program, "-dcq", str(path)], stdout=subprocess.PIPE) as process:
        output = cast("IO[bytes]", process.stdout)
        with tarfile.open(fileobj=output, mode="r|") as archive:
            yield archive
        while output.read(1 << 20):  # the padding after the end of the tar
            continue
    if process.returncode:
        raise tarfile.ReadError("zstd could not decompress the whole file")
