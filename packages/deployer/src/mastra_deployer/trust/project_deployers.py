"""Decide whether a deployer that is a file of the project may run."""

from __future__ import annotations

from pathlib import Path

from mastra_core.errors import ConsentError
from mastra_deployer.trust.trust_store import TRUST_VARIABLE, is_trusted_file

__all__ = ("allow_file", "require_trusted_file")


def require_trusted_file(path: Path) -> None:
    """Raise an error if the user does not trust a deployer that is a file of the project.

    :param path: absolute path of the deployer's file.
    :raises ConsentError: when the user does not trust the file; the hint has the command to trust
        it.
    """
    if path.is_file() and not is_trusted_file(path):
        raise ConsentError(
            f"The deployer {str(path)!r} is a file of the project, and this command would run it "
            "with your credentials.",
            f"If you trust its code, run: mastra trust {path}. Trust it again after each change. "
            f"In CI, set {TRUST_VARIABLE}={path} in the environment.",
        )


def allow_file(path: Path) -> None:
    """Allow every deployer file, in commands that run the project's own code anyway.

    :param path: absolute path of the deployer's file.
    """
