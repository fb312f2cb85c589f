"""Find the file in which a project declares its dependencies, for hints."""

from __future__ import annotations

from mastra_core.pipeline import Project
from mastra_deployer.bundler.locks.poetry import is_poetry
from mastra_deployer.bundler.locks.script import read_script_block
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.discovery import find_module_file, get_config

__all__ = ("find_declaration_file",)

_PYPROJECT = "pyproject.toml"
# An input comes before the file that is compiled from it.
_OTHERS = ("Pipfile", "requirements.in", "requirements.txt")


def find_declaration_file(project: Project) -> str:
    """Return the name of the file to which the user adds a dependency.

    :param project: the app.
    :returns: a path from the project's directory; pyproject.toml if there is no such file.
    """
    lock = get_config(project).build.lock
    if lock.endswith((".in", ".txt")):
        return lock
    entry = find_module_file(project) if project.module else None
    if not lock and entry and read_script_block(entry) is not None:
        return entry.relative_to(project.root).as_posix()
    pyproject = read_pyproject(project.root)
    if "project" in pyproject or is_poetry(pyproject):
        return _PYPROJECT
    return next((name for name in _OTHERS if (project.root / name).is_file()), _PYPROJECT)
