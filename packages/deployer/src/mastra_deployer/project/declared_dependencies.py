"""Read a project's declared dependencies, and find the command that installs them."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.workspace import find_workspace_root

__all__ = ("find_install_command", "read_declared_names", "read_name")

_COMMANDS = {
    "uv.lock": "uv sync",
    "poetry.lock": "poetry install",
    "pdm.lock": "pdm install",
    "Pipfile.lock": "pipenv sync",
}


def read_declared_names(root: Path) -> frozenset[str]:
    """Return the canonical names of the distributions in the project's own requirements.

    :param root: the project's directory.
    """
    pyproject = read_pyproject(root)
    lines = pyproject.get("project", {}).get("dependencies", ())
    poetry = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {})
    names = {*map(read_name, lines), *map(canonicalize_name, poetry)}
    return frozenset(filter(None, names))


def read_name(line: object) -> str:
    """Return the canonical name in a requirement, or an empty name.

    :param line: an item of a list of dependencies in pyproject.toml. The function returns an empty
        name for ``{include-group = "..."}``.
    """
    try:
        return canonicalize_name(Requirement(str(line)).name)
    except InvalidRequirement:
        return ""


def find_install_command(root: Path) -> str:
    """Return the command that installs the dependencies with the project's tool; empty if unknown.

    :param root: the project's directory.
    """
    for directory in (root, find_workspace_root(root)):
        for name, command in _COMMANDS.items():
            if (directory / name).is_file():
                return command
        if "uv" in read_pyproject(directory).get("tool", {}):
            return "uv sync"
    return ""
