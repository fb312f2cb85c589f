"""Where the project's code stands, for the platform's own records."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mastra_core.pipeline import Git

__all__ = ("git_state",)


def git_state(root: Path) -> Git | None:
    """Commit, branch and whether there are changes; ``None`` outside a repository."""
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    branch = _git(root, "rev-parse", "--abbrev-ref", "HEAD")
    return Git(commit=commit, branch=branch, dirty=bool(_git(root, "status", "--porcelain")))


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607  # the user's own git, from PATH
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
