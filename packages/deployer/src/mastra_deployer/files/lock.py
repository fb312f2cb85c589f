"""Allow one build at a time in a project; a second build waits and reports that it waits."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mastra_core.pipeline import Report
from mastra_deployer.files.directories import build_unwritable_error

__all__ = ("hold_build_lock",)


@contextlib.contextmanager
def hold_build_lock(directory: Path, report: Report) -> Iterator[None]:
    """Hold a directory's lock for the block; the system releases it when the process dies.

    :param directory: the project's local directory.
    :param report: receives a step when another build has to be waited for.
    """
    with _open_lock(directory / "lock") as file:
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
            shutil.rmtree(stale, ignore_errors=True)  # a killed build left it behind
        yield


def _open_lock(path: Path) -> IO[bytes]:
    try:
        return path.open("a+b")
    except OSError as error:
        raise build_unwritable_error(path, error) from None
