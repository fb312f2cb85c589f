"""The user's project."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ("Environment", "Project")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """Names of the environment variables that the app declares, without values.

    :param required: variables that the app needs. If one of these variables is missing, the app
        does not start, and a deploy fails before the upload.
    :param optional: variables that a deploy sets on the platform if they have a value.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the required variables and of the optional variables."""
        return (*self.required, *self.optional)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Project:
    """A directory with an application.

    :param root: absolute path of the directory.
    :param import_root: the directory on ``sys.path``: ``root/src`` or ``root``.
    :param module: dotted name of the entry module (``mastra.index``).
    :param attribute: name of the application in the entry module (``mastra``); may be dotted.
    :param name: ``[project].name``, or else the name of the directory.
    :param environment: the environment variables that the app declares.
    :param config: the table ``[tool.mastra]`` as it is written.
    """

    root: Path
    import_root: Path
    module: str
    attribute: str
    name: str
    environment: Environment = Environment()
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def entry(self) -> str:
        """The application as ``module:attribute``."""
        return f"{self.module}:{self.attribute}"

    @property
    def local_directory(self) -> Path:
        """The directory ``.mastra-local`` with mastra's own files; git ignores it."""
        return self.root / ".mastra-local"
