"""Read and change the small files in which a project records its deploys."""

from __future__ import annotations

import os
from collections.abc import Callable

from mastra_core.pipeline import Project
from mastra_deployer.files.atomic_replace import replace_file
from mastra_deployer.files.directories import build_unwritable_error, get_local_file
from mastra_deployer.files.lock_file import lock_file
from mastra_deployer.files.refuse_links import refuse_links

__all__ = ("change_record", "read_record")

_LOCK = "records.lock"


def read_record(project: Project, name: str) -> bytes:
    """Return the content of a file in ``.mastra-local``; empty if the file is missing.

    The function does not create the directory, so that a deploy also works in a read-only project.

    :param project: the project.
    :param name: the name of the file.
    :raises ConfigError: if the path contains a symbolic link.
    """
    file = project.local_directory / name
    refuse_links(project.root, file)
    try:
        return file.read_bytes()
    except OSError:
        return b""


def change_record(project: Project, name: str, change: Callable[[bytes], bytes]) -> None:
    """Replace the content of a file in ``.mastra-local``; concurrent changes wait for one another.

    :param project: the project.
    :param name: the name of the file.
    :param change: receives the present content, which may be empty, and returns the new content.
    :raises ConfigError: if the file cannot be written, or the path contains a symbolic link.
    """
    file = get_local_file(project, name)
    try:
        with get_local_file(project, _LOCK).open("a+b") as lock:
            lock_file(lock, wait=True)
            replace_file(
                file, change(read_record(project, name)), file.with_suffix(f".{os.getpid()}.tmp")
            )
    except OSError as error:
        raise build_unwritable_error(file, error) from None
