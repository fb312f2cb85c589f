"""The user's own code: which top-level packages and modules the entry reaches."""

from __future__ import annotations

import ast
import fnmatch
import shutil
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import BuildError
from mastra_core.line import Project
from mastra_deployer.blank import blank_deployer, refuse_deployers
from mastra_deployer.entry import DeployerCall
from mastra_deployer.project import config_of, module_file, parse

__all__ = ("copy_first_party",)

# Never code of an application, whatever imports it.
_NOT_CODE = frozenset(
    (
        "tests",
        "test",
        "__pycache__",
        "node_modules",
        "build",
        "dist",
        "venv",
        "env",
        "site-packages",
    )
)
_NOT_SHIPPED = (".*", "*.pyc", "*.pyo", "conftest.py", "test_*.py", "*_test.py", "*.egg-info")


def copy_first_party(
    project: Project, directory: Path, deployer: DeployerCall | None, packages: set[str]
) -> None:
    """Copy what ships into ``directory``, which mirrors the project's root.

    :param deployer: taken out of the copy of the entry file.
    :param packages: import names of deployer packages, of which none may be left.
    :raises BuildError: when one is, with file and line.
    """
    entry = module_file(project)
    for source in _shipped(project):
        target = directory / source.relative_to(project.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source == entry and deployer is not None:
            target.write_bytes(blank_deployer(source.read_bytes(), parse(source), deployer))
        else:
            shutil.copyfile(source, target)
        if source.suffix == ".py":
            refuse_deployers(source, ast.parse(target.read_bytes()), packages)


def _shipped(project: Project) -> list[Path]:
    config = config_of(project).build
    files = {path for top in _reached(project) for path in _files(top)}
    for pattern in config.include:
        found = [path for path in project.root.glob(pattern) if path.is_file()]
        if not found:
            raise BuildError(
                f"[tool.mastra.build] include {pattern!r} matches no file.", "Correct the pattern."
            )
        files.update(found)
    names = {path: path.relative_to(project.root).as_posix() for path in files}
    return sorted(
        path
        for path, name in names.items()
        if not any(fnmatch.fnmatch(name, pattern) for pattern in config.exclude)
    )


def _reached(project: Project) -> set[Path]:
    """Top-level packages and modules reached from the entry, by import or by name.

    A string that is the dotted name of first-party code counts as a use of it: settings modules
    and app lists of frameworks are written like that.
    """
    first = project.module.partition(".")[0]
    known = {path.stem: path for path in _tops(project.import_root)}
    if first not in known:
        module_file(project)  # says what is wrong
    reached: set[str] = set()
    waiting = {first}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for path in _files(known[name]):
            if path.suffix == ".py":
                waiting |= (_mentioned(parse(path)) & known.keys()) - reached
    return {known[name] for name in reached}


def _tops(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.stem in _NOT_CODE:
            continue
        if path.suffix == ".py" or (path.is_dir() and _holds_code(path)):
            yield path


def _holds_code(directory: Path) -> bool:
    return directory.name.isidentifier() and (
        not (directory / "pyvenv.cfg").exists() and next(directory.rglob("*.py"), None) is not None
    )


def _files(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
        return
    for path in sorted(top.iterdir()):
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in _NOT_SHIPPED):
            continue
        if path.is_dir() and path.name not in _NOT_CODE:
            yield from _files(path)
        elif path.is_file():
            yield path


def _mentioned(tree: ast.AST) -> set[str]:
    """Top-level names that a module imports, or writes as a dotted name in a string."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value.partition(".")[0].partition(":")[0])
    return names
