"""Find the workspace of a uv project, in which several projects share a lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mastra_deployer.project.config import read_pyproject

__all__ = ("find_member", "find_workspace_root")


def find_member(root: Path, module: str) -> str:
    """Return the name of the workspace member with a module; empty if there is none.

    :param root: the directory of any project in the workspace.
    :param module: dotted name of the module.
    """
    top = module.partition(".")[0]
    for directory, name in _iter_members(find_workspace_root(root)):
        for stem in (directory / "src" / top, directory / top):
            if stem.is_dir() or stem.with_suffix(".py").is_file():
                return name
    return ""


def find_workspace_root(root: Path) -> Path:
    """Return the root of a project's workspace, or else the project's own root.

    :param root: the project's directory.
    """
    root = root.resolve()
    for directory in (root, *root.parents):
        table = read_pyproject(directory).get("tool", {}).get("uv", {}).get("workspace")
        if table is not None:
            return directory if directory == root or _is_member(root, directory, table) else root
    return root


def _is_member(root: Path, workspace: Path, table: dict[str, list[str]]) -> bool:
    def is_listed(key: str) -> bool:
        return any(path == root for glob in table.get(key, ()) for path in workspace.glob(glob))

    return is_listed("members") and not is_listed("exclude")


def _iter_members(workspace: Path) -> Iterator[tuple[Path, str]]:
    """Yield directory and name of each member of a uv workspace."""
    table = read_pyproject(workspace).get("tool", {}).get("uv", {}).get("workspace", {})
    for pattern in table.get("members", ()):
        for directory in sorted(workspace.glob(pattern)):
            if (directory / "pyproject.toml").is_file():
                project = read_pyproject(directory).get("project", {})
                yield directory, str(project.get("name") or directory.name)
