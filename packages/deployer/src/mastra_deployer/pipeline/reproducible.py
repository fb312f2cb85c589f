"""Build a second time under other conditions, and compare all bytes and modes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mastra_core.errors import BuildError
from mastra_core.pipeline import Bundle, Project
from mastra_core.pipeline.file_tree import iter_files
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.project.environment import read_environment
from mastra_deployer.project.interpreters import find_project_interpreter
from mastra_deployer.project.workspace import find_workspace_root

__all__ = ("verify_reproducible",)

_MAX_SHOWN = 10
_NOT_COPIED = (".git", ".venv", "venv", "node_modules", "__pycache__", ".env*", ".mastra")
_COPIED_RECORDS = frozenset((".gitignore", "locks"))  # of .mastra-local: the resolved locks
_COMMAND = "import sys; from mastra_deployer.cli.main import main; main(sys.argv[1:])"
# A build that depends on the time zone, the locale or the hash seed differs with these values.
_OTHER_ENVIRONMENT = {
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "C",
    "LANG": "C",
    "PYTHONHASHSEED": "4242",
}


def verify_reproducible(bundle: Bundle, project: Project, arguments: Sequence[str]) -> int:
    """Build the bundle a second time, and check that both bundles are identical.

    The second build runs in a separate process, on a copy of the project at another path, with an
    empty cache, and with another umask, locale, time zone and hash seed.

    :param bundle: the first bundle.
    :param project: the project that the bundle was made from.
    :param arguments: the arguments of ``mastra bundle``, without the directory and the output.
    :returns: the number of files, which are identical in both bundles.
    :raises BuildError: naming the files that differ.
    """
    with temporary_directory() as temporary:
        root = _copy_project(project, temporary / "a" / "much" / "deeper" / "place")
        second = temporary / "made"
        _build_again(project, [*arguments, "--dir", str(root), "-o", str(second)], temporary)
        differences = _list_differences(bundle.directory, second)
    if differences:
        more = f" and {len(differences) - _MAX_SHOWN} more" if len(differences) > _MAX_SHOWN else ""
        raise BuildError(
            f"A second build differs in {', '.join(differences[:_MAX_SHOWN])}{more}.",
            "Look for files whose content depends on a clock, a path or a random value. A "
            "dependency that is built from source may also contain such files.",
        )
    return sum(1 for _ in iter_files(bundle.directory))


def _copy_project(project: Project, parent: Path) -> Path:
    """Copy the project, with its resolved locks, to another path.

    A project that refers to directories outside of its root is not copied.
    """
    if _has_outside_references(project):
        return project.root
    copy = parent / project.root.name
    ignore = shutil.ignore_patterns(*_NOT_COPIED)

    def select_ignored(directory: str, names: list[str]) -> set[str]:
        records = set(names) - _COPIED_RECORDS
        return records if Path(directory) == project.local_directory else ignore(directory, names)

    shutil.copytree(project.root, copy, ignore=select_ignored, symlinks=True)
    return copy


def _has_outside_references(project: Project) -> bool:
    if find_workspace_root(project.root) != project.root.resolve():  # the lock is outside
        return True
    locks = sorted((project.local_directory / "locks").glob("*.toml"))
    return any("directory = {" in lock.read_text("utf-8", "replace") for lock in locks)


def _build_again(project: Project, arguments: Sequence[str], temporary: Path) -> None:
    home = Path(find_project_interpreter(project).path).parent.parent
    values = read_environment(project)
    environment = {
        **os.environ,
        # The copy has no .env, and the types of these values decide what the start imports.
        **{name: values[name] for name in project.environment.required if name in values},
        **_OTHER_ENVIRONMENT,
        "MASTRA_CACHE_DIR": str(temporary / "cache"),
        "VIRTUAL_ENV": str(home),
    }
    result = subprocess.run(
        [sys.executable, "-c", _COMMAND, "bundle", *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        umask=0o077,
        check=False,
    )
    if result.returncode:
        raise BuildError(
            f"The second build failed: {result.stderr.strip()[-800:]}",
            "The first build used something that is not in the project. Correct the error above.",
        )


def _list_differences(one: Path, other: Path) -> list[str]:
    names = {name for tree in (one, other) for name, _ in iter_files(tree)}
    return sorted(name for name in names if _read_file(one / name) != _read_file(other / name))


def _read_file(path: Path) -> tuple[int, bytes] | None:
    """Return the mode and the content of a file, or ``None`` if the file is missing."""
    return (path.stat().st_mode, path.read_bytes()) if path.is_file() else None
