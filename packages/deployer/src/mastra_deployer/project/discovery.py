"""Find the application in a project's directory."""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
from pathlib import Path

import msgspec

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Environment, Project
from mastra_deployer.project.config import Config, get_project_name, parse_config, read_pyproject
from mastra_deployer.project.deployer_argument import find_mastra_calls
from mastra_deployer.project.entry_hints import suggest_attribute, suggest_entry
from mastra_deployer.project.import_roots import find_import_root

__all__ = ("find_module_file", "find_project", "get_config", "parse_source", "require_lock")

_INDEX = Path("src/mastra/index.py")
_PACKAGE = Path("src/mastra/__init__.py")
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def find_project(directory: Path, app: str = "", *, sources: bool = True) -> Project:
    """Find the project in a directory, and its entry.

    The entry is ``app``, else ``[tool.mastra] entry``, else ``src/mastra/index.py``, else
    ``src/mastra/__init__.py``.

    :param directory: the project's directory.
    :param app: ``module:attribute`` of any ASGI or WSGI application or ``Mastra`` object.
    :param sources: whether the command reads the app's source files. If it is ``False``, a project
        without an entry gets an empty ``module``, and an entry may have a syntax error.
    :raises ConfigError: when there is no entry, or there are two.
    """
    root = directory.absolute()
    if not root.is_dir():
        raise ConfigError(f"The directory {str(root)!r} does not exist.", "Pass --dir PROJECT.")
    pyproject = read_pyproject(root)
    config = parse_config(pyproject)
    module, attribute = _find_entry(root, app or config.entry, sources=sources)
    return Project(
        root=root,
        import_root=find_import_root(root, pyproject, module),
        module=module,
        attribute=attribute,
        name=get_project_name(pyproject) or root.name,
        environment=Environment(required=config.env.required, optional=config.env.optional),
        config=msgspec.to_builtins(config),
    )


def get_config(project: Project) -> Config:
    """Return the table ``[tool.mastra]`` of a project.

    :param project: the project.
    """
    return msgspec.convert(project.config, Config)


def require_lock(project: Project) -> Project:
    """Return a copy of the project with ``[tool.mastra.build] locked`` set.

    :param project: the project.
    """
    config = get_config(project)
    build = msgspec.structs.replace(config.build, locked=True)
    return dataclasses.replace(
        project, config=msgspec.to_builtins(msgspec.structs.replace(config, build=build))
    )


def find_module_file(project: Project) -> Path:
    """Return the file of the entry module.

    :param project: the project.
    :raises ConfigError: when the import root has no such module.
    """
    stem = project.import_root.joinpath(*project.module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    hint = "Write module:attribute, with the module's import name from that directory."
    if project.module.endswith(".py"):
        name = project.module.removesuffix(".py").replace("/", ".")
        hint = f"Write the module's import name, without .py: {name}:{project.attribute}."
    raise ConfigError(
        f"The entry {project.entry!r} is not a module in {str(project.import_root)!r}.", hint
    )


def parse_source(path: Path, source: bytes | None = None) -> ast.Module:
    """Parse a source file.

    :param path: the file.
    :param source: the content to parse; ``None`` to read the file.
    :raises ConfigError: with file and line of a syntax error.
    """
    try:
        return ast.parse(path.read_bytes() if source is None else source, str(path))
    except (MemoryError, RecursionError, ValueError) as error:
        reason = str(error) or "its expressions are nested too deeply"
        raise ConfigError(
            f"{path}: this file cannot be parsed: {reason}.",
            "Check that the file contains Python source as text.",
        ) from None
    except SyntaxError as error:
        raise ConfigError(
            f"{path}:{error.lineno}:{error.offset}: {error.msg}.",
            "Correct that line. If the line needs a newer Python than {}.{}, on which mastra runs, "
            "install mastra on the newer Python.".format(*sys.version_info[:2]),
        ) from None


def _find_entry(root: Path, entry: str, *, sources: bool) -> tuple[str, str]:
    if entry:
        if not _ENTRY.fullmatch(entry):
            raise ConfigError(
                f"The entry {entry!r} does not have the form module:attribute.",
                f"Write, for example, {suggest_attribute(entry)}.",
            )
        module, _, attribute = entry.partition(":")
        return module, attribute
    existing = [path for path in (_INDEX, _PACKAGE) if (root / path).is_file()]
    defining = [path for path in existing if _defines_mastra(root / path, sources=sources)]
    if len(defining) > 1:
        raise ConfigError(
            f"Both {_INDEX} and {_PACKAGE} define a Mastra object.",
            "Keep only one Mastra object. Or choose one: [tool.mastra] entry = "
            "'mastra.index:mastra'.",
        )
    if not existing and not sources:
        return "", ""
    if not existing:
        raise ConfigError(
            f"There is no application in {str(root)!r}, because {_INDEX} is missing.",
            suggest_entry(root),
        )
    chosen = (defining or existing)[0]
    return ("mastra" if chosen == _PACKAGE else "mastra.index"), "mastra"


def _defines_mastra(file: Path, *, sources: bool) -> bool:
    try:
        return bool(find_mastra_calls(parse_source(file)))
    except ConfigError:
        if sources:
            raise
        return False
