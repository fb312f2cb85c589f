"""Read the project's git state, which platforms show beside a deployment."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mastra_core.pipeline import Git

__all__ = ("read_git_state",)

_FILTERS = r"^filter\..*\.(clean|process|required)$"


def read_git_state(root: Path) -> Git | None:
    """Return commit, branch and whether there are changes; ``None`` outside a repository.

    :param root: the project's directory.
    """
    commit = _run_git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    branch = _run_git(root, "rev-parse", "--abbrev-ref", "HEAD")
    options = [part for name in _list_programs(root) for part in ("-c", name)]
    status = _run_git(root, *options, "status", "--porcelain", "--ignore-submodules=dirty")
    return Git(commit=commit, branch=branch, dirty=bool(status))


def _list_programs(root: Path) -> list[str]:
    """Return options that turn off the programs that ``git status`` would run for a repository.

    A repository that was not cloned, such as one in an archive, brings its own configuration.
    """
    lines = _run_git(root, "config", "--show-scope", "--name-only", "--get-regexp", _FILTERS)
    names = [
        name
        for scope, _, name in (line.partition("\t") for line in lines.splitlines())
        if scope in ("local", "worktree")
    ]
    values = [f"{name}={'false' if name.endswith('.required') else ''}" for name in names]
    return ["core.fsmonitor=false", "core.hooksPath=/dev/null", *values]


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
