"""Find the workspace of a uv project, in which several projects share a lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mastra_core.errors import ConfigError
from mastra_deployer.files.glob_pattern import find_matches
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.import_roots import list_import_roots

__all__ = ("find_member", "find_workspace_root")


def find_member(root: Path, module: str) -> str:
    """Return the name of the workspace member with a module; empty if there is none.

    :param root: the directory of any project in the workspace.
    :param module: dotted name of the module.
    """
    top = module.partition(".")[0]
    for directory, name in _iter_members(find_workspace_root(root)):
        for base in list_import_roots(directory, read_pyproject(directory)):
            stem = base / top
            if stem.is_dir() or stem.with_suffix(".py").is_file():
                return name
    return ""


def find_workspace_root(root: Path) -> Path:
    """Return the root of a project's workspace, or else the project's own root.

    :param root: the project's directory.
    """
    root = root.resolve()
    for directory in (root, *root.parents):
        if _get_table(directory) is not None:
            return directory if directory == root or _is_member(root, directory) else root
    return root


def _is_member(root: Path, workspace: Path) -> bool:
    return root in _iter_paths(workspace, "members") and root not in _iter_paths(
        workspace, "exclude"
    )


def _iter_members(workspace: Path) -> Iterator[tuple[Path, str]]:
    """Yield directory and name of each member of a uv workspace."""
    for directory in _iter_paths(workspace, "members"):
        if (directory / "pyproject.toml").is_file():
            project = read_pyproject(directory).get("project", {})
            yield directory, str(project.get("name") or directory.name)


def _get_table(directory: Path) -> dict[str, Any] | None:
    """Return the table ``[tool.uv.workspace]``; ``None`` if the directory has none."""
    uv: dict[str, Any] = read_pyproject(directory).get("tool", {}).get("uv", {})
    return uv.get("workspace")


def _iter_paths(workspace: Path, key: str) -> Iterator[Path]:
    """Yield the paths that the globs of a workspace match.

    :raises ConfigError: when the value is not a list of globs relative to the workspace.
    """
    globs = (_get_table(workspace) or {}).get(key, [])
    try:
        for glob in globs:
            # With the pattern ".", uv means the workspace's own directory.
            yield from [workspace] if glob in (".", "./") else find_matches(workspace, glob)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{str(workspace / 'pyproject.toml')!r} has a wrong value for {key} in "
            f"[tool.uv.workspace]: {error}.",
            f'Write a list of paths relative to that directory: {key} = ["packages/*"].',
        ) from None
