"""Record the address of a running ``mastra dev``, so that a second ``mastra dev`` can name it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import IO, Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project
from mastra_deployer.files.directories import get_local_file

__all__ = ("InstanceFile",)


class InstanceFile:
    """A locked file in ``.mastra-local``; the system releases the lock when the process ends.

    :param project: the project that ``mastra dev`` serves.
    """

    def __init__(self, project: Project) -> None:
        self._file: IO[str] | None = None
        self.other: dict[str, Any] = {}
        with contextlib.suppress(ConfigError, OSError):  # the disk may be read-only
            self._file = get_local_file(project, "dev.json").open("a+", encoding="utf-8")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.other = self._read(self._file)
                self._file = None

    def write(self, url: str) -> None:
        """Write this process's id and address.

        :param url: the URL of the app.
        """
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(0)
                self._file.write(json.dumps({"pid": os.getpid(), "url": url}))
                self._file.flush()

    def close(self) -> None:
        """Empty the file and release the lock."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(0)
            self._file.close()

    def _read(self, file: IO[str]) -> dict[str, Any]:
        file.seek(0)
        with file, contextlib.suppress(ValueError):
            data: dict[str, Any] = json.load(file)
            return data
        return {"pid": "unknown", "url": "about to start"}
