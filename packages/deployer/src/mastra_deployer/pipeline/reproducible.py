"""Builds a second time, as another machine would, and compares every byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mastra_core.errors import BuildError
from mastra_core.pipeline import Bundle, Project
from mastra_core.pipeline.file_tree import tree_files
from mastra_deployer.bundler.locks.workspace import workspace_root
from mastra_deployer.project.interpreters import project_interpreter

__all__ = ("refuse_differences",)

_SHOWN = 10
_LEFT = (
    *(".git", ".venv", "venv", "node_modules", "__pycache__", ".env*"),
    *(".mastra", "tmp-*", "builds", "bundles", "made"),  # ours: all but what was resolved
)
_COMMAND = "import sys; from mastra_deployer.cli.main import main; main(sys.argv[1:])"
# Another place, user and language; what is kept between builds is not there at all.
_ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "4242"}


def refuse_differences(bundle: Bundle, project: Project, arguments: Sequence[str]) -> int:
    """Make ``bundle`` again and compare; how many files are the same.

    The second build runs in a process of its own with an empty cache, another umask, locale,
    time zone and hash seed, and in a copy of the project at another path.

    :param arguments: of ``mastra bundle``, but for the directory and the output.
    :raises BuildError: naming the files that differ.
    """
    with tempfile.TemporaryDirectory(prefix="mastra-again-") as scratch:
        root = _copied(project, Path(scratch) / "a" / "much" / "deeper" / "place")
        again = Path(scratch) / "made"
        _build(project, [*arguments, "--dir", str(root), "-o", str(again)], Path(scratch))
        different = _different(bundle.directory, again)
    if different:
        more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        raise BuildError(
            f"A second build differs in {', '.join(different[:_SHOWN])}{more}.",
            "Look for what is made at build time from a clock, a path or chance; dependencies "
            "that are built from source may do that too.",
        )
    return sum(1 for _ in tree_files(bundle.directory))


def _copied(project: Project, place: Path) -> Path:
    """The project at another path; what was resolved for it goes along.

    One that refers to directories outside of itself can only be built where it is.
    """
    if _refers_out(project):
        return project.root
    copy = place / project.root.name
    left = shutil.ignore_patterns(*_LEFT)
    shutil.copytree(project.root, copy, ignore=left, symlinks=True)
    return copy


def _refers_out(project: Project) -> bool:
    if workspace_root(project.root) != project.root.resolve():  # the lock lies there
        return True
    locks = sorted((project.local / "locks").glob("*.toml"))
    return any("directory = {" in lock.read_text("utf-8", "replace") for lock in locks)


def _build(project: Project, arguments: Sequence[str], scratch: Path) -> None:
    home = Path(project_interpreter(project).path).parent.parent
    environment = {
        **os.environ,
        **_ELSEWHERE,
        "MASTRA_CACHE_DIR": str(scratch / "cache"),
        "VIRTUAL_ENV": str(home),
    }
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, "bundle", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        umask=0o077,
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"The second build failed: {done.stderr.strip()[-800:]}",
            "What the first one leant on is not in the project: correct what stands above.",
        )


def _different(one: Path, other: Path) -> list[str]:
    names = {name for tree in (one, other) for name, _ in tree_files(tree)}
    return sorted(name for name in names if _content(one / name) != _content(other / name))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
