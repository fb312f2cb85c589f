"""Allow one build at a time in a project; another build or start reports that it waits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mastra_core.pipeline import Project, Report
from mastra_deployer.files.directories import (
    build_unwritable_error,
    ensure_local_directory,
    get_local_file,
)
from mastra_deployer.files.lock_file import lock_file
from mastra_deployer.files.temporary import remove_stale_directories

__all__ = ("hold_build_lock",)


@contextlib.contextmanager
def hold_build_lock(project: Project, report: Report) -> Iterator[None]:
    """Hold a project's lock during the block; the system releases the lock when the process dies.

    :param project: the project.
    :param report: receives a step when this process must wait for another build or start.
    :raises ConfigError: if the project cannot be written, or the path contains a symbolic link.
    """
    with _open_lock(get_local_file(project, "lock")) as file:
        if not lock_file(file, wait=False):
            report.step("Waiting for another build or start of this project")
            lock_file(file, wait=True)
        for names in ((), ("locks",)):  # of killed builds
            remove_stale_directories(ensure_local_directory(project, *names))
        yield


def _open_lock(path: Path) -> IO[bytes]:
    try:
        return path.open("a+b")
    except OSError as error:
        raise build_unwritable_error(path, error) from None
