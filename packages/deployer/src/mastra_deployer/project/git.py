"""Read the project's git state, which platforms show with a deployment.

A repository that was unpacked from an archive has its own git configuration, which may name
programs. This module reads the git state without running these programs, and without fetching or
writing anything.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from mastra_core.pipeline import Git

__all__ = ("describe_version", "read_git_state")

_FILTER = re.compile(r"filter\..*\.(clean|process|required)", re.DOTALL)
_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
# In a partial clone, git would fetch a missing object, with programs that the repository names. git
# knows the first variable since version 2.45. The second variable is older, and a repository cannot
# override it, in contrast to `protocol.allow`.
_VARIABLES = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_OPTIONAL_LOCKS": "0",  # the index is not written
}


def read_git_state(root: Path) -> Git | None:
    """Return the commit, the branch, and whether files have changed; ``None`` without a repository.

    If git cannot say whether files have changed, the files count as changed.

    :param root: the project's directory.
    """
    commit = _run_git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    branch = _run_git(root, "rev-parse", "--abbrev-ref", "HEAD") or ""
    return Git(
        commit=commit,
        branch=branch.encode(errors="replace").decode(),
        dirty=_has_changes(root),
    )


def describe_version(root: Path) -> str:
    """Return the latest tag, the number of later commits, and the commit; may be empty.

    :param root: a directory of the repository.
    """
    return _run_git(root, "describe", "--tags", "--long", "--always") or ""


def _has_changes(root: Path) -> bool:
    names = _list_filters(root)
    if names is None or any("=" in name for name in names):  # the name of an option ends at "="
        return True
    values = [f"{name}={'false' if name.endswith('.required') else ''}" for name in names]
    options = [part for value in values for part in ("-c", value)]
    return _run_git(root, *options, "status", "--porcelain", "--ignore-submodules=dirty") != ""


def _list_filters(root: Path) -> list[str] | None:
    """Return the configuration keys of programs that ``git status`` would run."""
    output = _run_git(root, "config", "-z", "--show-scope", "--name-only", "--list")
    if output is None:
        return None
    fields = output.split("\0")
    return [
        name
        for scope, name in zip(fields[::2], fields[1::2], strict=False)
        if scope in ("local", "worktree") and _FILTER.fullmatch(name)
    ]


def _run_git(root: Path, *arguments: str) -> str | None:
    """Run git and return its output; ``None`` if git fails."""
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *_OPTIONS, *arguments],  # noqa: S607  # the user's own git, from PATH
            capture_output=True,
            env={**os.environ, **_VARIABLES},
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(result.stdout).strip() if result.returncode == 0 else None
