"""uv's workspaces: several projects with one lock, which lies at the root of them."""

from __future__ import annotations

from pathlib import Path

from mastra_deployer.project.config import read_pyproject

__all__ = ("workspace_root",)


def workspace_root(root: Path) -> Path:
    """The root of the workspace that the project in ``root`` is a member of, else ``root``."""
    root = root.resolve()
    for place in (root, *root.parents):
        table = read_pyproject(place).get("tool", {}).get("uv", {}).get("workspace")
        if table is not None:
            return place if place == root or _is_member(root, place, table) else root
    return root


def _is_member(root: Path, place: Path, table: dict[str, list[str]]) -> bool:
    def listed(key: str) -> bool:
        return any(path == root for glob in table.get(key, ()) for path in place.glob(glob))

    return listed("members") and not listed("exclude")
