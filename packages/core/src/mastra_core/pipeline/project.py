"""What the user has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ("Environment", "Project")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """Names, never values, of the environment variables the app declares.

    :param required: without these it does not start, and nothing is uploaded.
    :param optional: set on the platform where there is a value.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Required and optional."""
        return (*self.required, *self.optional)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Project:
    """A directory with an application in it.

    :param root: absolute path.
    :param import_root: what is on ``sys.path``: ``root/src`` or ``root``.
    :param module: dotted name of the entry module (``mastra.index``).
    :param attribute: the object in it (``mastra``); may be dotted.
    :param name: of ``[project]``, else the directory's.
    :param config: ``[tool.mastra]`` as it stands.
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
        """``module:attribute``."""
        return f"{self.module}:{self.attribute}"

    @property
    def local(self) -> Path:
        """``.mastra-local``: what mastra keeps beside the project, ignored by git."""
        return self.root / ".mastra-local"
