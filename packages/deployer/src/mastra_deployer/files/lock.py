"""One build at a time in a project; a second one waits, and says so."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mastra_core.pipeline import Report
from mastra_deployer.files.directories import unwritable

__all__ = ("build_lock",)


@contextlib.contextmanager
def build_lock(directory: Path, report: Report) -> Iterator[None]:
    """Hold the lock of ``directory`` for a block; the system frees it when a process dies."""
    with _opened(directory / "lock") as file:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only
        else:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report.step("Waiting for another build of this project")
                fcntl.flock(file, fcntl.LOCK_EX)
        for stale in [*directory.glob("tmp-*"), *directory.glob("locks/tmp-*")]:
            shutil.rmtree(stale, ignore_errors=True)  # of a build that was killed
        yield


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("a+b")
    except OSError as error:
        raise unwritable(path, error) from None
