"""Find the workspace of a uv project, in which several projects share a lock."""

from __future__ import annotations

from pathlib import Path

from mastra_deployer.project.config import read_pyproject

__all__ = ("find_workspace_root",)


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
