"""Read the project's git state, which platforms show beside a deployment."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mastra_core.pipeline import Git

__all__ = ("read_git_state",)


def read_git_state(root: Path) -> Git | None:
    """Return commit, branch and whether there are changes; ``None`` outside a repository.

    :param root: the project's directory.
    """
    commit = _run_git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    branch = _run_git(root, "rev-parse", "--abbrev-ref", "HEAD")
    return Git(commit=commit, branch=branch, dirty=bool(_run_git(root, "status", "--porcelain")))


def _run_git(root: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607  # the user's own git, from PATH
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
