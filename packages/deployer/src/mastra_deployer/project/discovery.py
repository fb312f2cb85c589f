"""Finds the application in a directory."""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Environment, Project
from mastra_deployer.project.config import Config, read_config, read_pyproject

__all__ = ("config_of", "find_project", "module_file", "parse", "with_lock")

_INDEX = Path("src/mastra/index.py")
_PACKAGE = Path("src/mastra/__init__.py")
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def find_project(directory: Path, app: str = "", *, sources: bool = True) -> Project:
    """The project in ``directory``.

    The entry is ``app``, else ``[tool.mastra] entry``, else ``src/mastra/index.py``, else
    ``src/mastra/__init__.py``.

    :param app: ``module:attribute`` of any ASGI application or ``Mastra`` object.
    :param sources: ``False`` where a bundle is at hand: without an entry, the project then has
        an empty ``module``.
    :raises ConfigError: when there is no entry, or two.
    """
    root = directory.absolute()
    if not root.is_dir():
        raise ConfigError(f"There is no directory {str(root)!r}.", "Pass --dir PROJECT.")
    pyproject = read_pyproject(root)
    config = read_config(pyproject)
    module, attribute = _entry(root, app or config.entry, sources=sources)
    return Project(
        root=root,
        import_root=_import_root(root, module),
        module=module,
        attribute=attribute,
        name=str(pyproject.get("project", {}).get("name") or root.name),
        environment=Environment(required=config.env.required, optional=config.env.optional),
        config=msgspec.to_builtins(config),
    )


def config_of(project: Project) -> Config:
    """The project's ``[tool.mastra]`` as a type."""
    return msgspec.convert(project.config, Config)


def with_lock(project: Project) -> Project:
    """The project with ``[tool.mastra.build] locked`` set: what is not locked does not build."""
    config = config_of(project)
    build = msgspec.structs.replace(config.build, locked=True)
    return dataclasses.replace(
        project, config=msgspec.to_builtins(msgspec.structs.replace(config, build=build))
    )


def module_file(project: Project) -> Path:
    """The file of the entry module.

    :raises ConfigError: when the import root has no such module.
    """
    stem = project.import_root.joinpath(*project.module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    raise ConfigError(
        f"The entry {project.entry!r} names no module in {str(project.import_root)!r}.",
        "Write module:attribute as Python would import it from there.",
    )


def parse(path: Path, source: bytes | None = None) -> ast.Module:
    """A source file as a syntax tree.

    :param source: what was read of it already: it may have changed since.
    :raises ConfigError: with file and line of a syntax error.
    """
    try:
        return ast.parse(path.read_bytes() if source is None else source, str(path))
    except SyntaxError as error:
        raise ConfigError(
            f"{path}:{error.lineno}:{error.offset}: {error.msg}.",
            "Correct that line; if it is newer Python than the {}.{} that mastra runs on, install "
            "mastra under that.".format(*sys.version_info[:2]),
        ) from None


def _entry(root: Path, named: str, *, sources: bool) -> tuple[str, str]:
    if named:
        if not _ENTRY.fullmatch(named):
            raise ConfigError(
                f"The entry {named!r} is not of the form module:attribute.",
                "Write, for example, main:app.",
            )
        module, _, attribute = named.partition(":")
        return module, attribute
    found = [path for path in (_INDEX, _PACKAGE) if (root / path).is_file()]
    defining = [path for path in found if _defines_mastra(parse(root / path))]
    if len(defining) > 1:
        raise ConfigError(
            f"Both {_INDEX} and {_PACKAGE} define a Mastra object.",
            "Keep one, or name it: [tool.mastra] entry = 'mastra.index:mastra'.",
        )
    if not found and not sources:
        return "", ""
    if not found:
        raise ConfigError(
            f"There is no application in {str(root)!r}: {_INDEX} is missing.",
            "Make it, name another with [tool.mastra] entry or --app module:attribute, "
            "or begin with: mastra new APP.",
        )
    chosen = (defining or found)[0]
    return ("mastra" if chosen == _PACKAGE else "mastra.index"), "mastra"


def _defines_mastra(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Call) and _called(node) == "Mastra" for node in ast.walk(tree))


def _called(node: ast.Call) -> str:
    name: Any = node.func
    return str(getattr(name, "id", "") or getattr(name, "attr", ""))


def _import_root(root: Path, module: str) -> Path:
    first = module.partition(".")[0]
    source = root / "src"
    if first and ((source / first).is_dir() or (source / f"{first}.py").is_file()):
        return source
    return root
