"""Explain an exception that the app raises when a build imports or starts it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError, MastraError
from mastra_core.pipeline import Problem, Project
from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.bundler.metadata.inventory import Inventory
from mastra_deployer.bundler.verify.check_entry import build_entry_error
from mastra_deployer.bundler.verify.placeholders import PLACEHOLDER
from mastra_deployer.bundler.verify.pruned_cause import find_pruned_cause
from mastra_deployer.code_analysis.native_libraries import is_library
from mastra_deployer.output.masking import mask
from mastra_deployer.output.shorten import shorten_message
from mastra_deployer.project.discovery import get_config

__all__ = ("UNKNOWN_CAUSE_HINT", "explain_bundle_error", "explain_error", "is_first_party")

UNKNOWN_CAUSE_HINT = "The import of the app fails. Correct that line."
"""The hint for an exception of the import whose cause is unknown."""

_GENERATED = ("mastra_asgi.py",)  # files of a bundle that the project does not have
_FIELD = re.compile(r"^(\w+)\n +\S", re.MULTILINE)  # as in an error of pydantic
_MISSING_FIELD = re.compile(r"^(\S+)\n +Field required", re.MULTILINE)
_FILE_OF_MODULE = re.compile(r" \([^()]+\.py\)$")  # in an ImportError; it is a temporary path
_QUOTED = re.compile(r"'([\w./-]+)'")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|(?<=')[A-Z][A-Z0-9]+(?=')")


def explain_error(
    project: Project, error: Mapping[str, Any], app: Path, kind: type[MastraError]
) -> MastraError:
    """Convert an exception of the app to an error with the user's line of code and a cure.

    :param project: the app.
    :param error: the exception, as the child reports it.
    :param app: the directory from which the app was imported.
    :param kind: the class of the error.
    :returns: the error.
    """
    frames = [
        frame
        for frame in error["frames"]
        if frame[0].startswith(f"{app}{os.sep}") and Path(frame[0]).name not in _GENERATED
    ]
    if not frames and _lacks_entry(project, error["message"]):
        return build_entry_error(project)
    where = f"{_to_project_path(project, frames[-1][0], app)}:{frames[-1][1]}: " if frames else ""
    if error["missing"]:
        message, hint = _explain_missing_module(project, error["missing"], app)
    elif _is_missing_variable(error):
        message, hint = _explain_missing_variable(project, error["message"].strip("'\""))
    else:
        message, hint = _explain_exception(project, error, frames)
    return kind(f"{where}{message}", hint)


def _explain_missing_module(project: Project, module: str, app: Path) -> tuple[str, str]:
    """Return a sentence about a module that cannot be imported, and the cure."""
    if not is_first_party(project, module):
        return (
            f"there is no module {module!r}.",
            f"Add the package that provides {module.partition('.')[0]!r} to the dependencies in "
            f"{find_declaration_file(project)}.",
        )
    files = _find_module_files(project, module)
    if not files:
        return (
            f"there is no module {module!r} in the project.",
            "Correct the name. If a tool generates or compiles the module, run the tool.",
        )
    if app == project.root and all(map(is_library, files)):
        return (
            f"the project's Python cannot import the compiled module {files[0]!r}.",
            "Compile the module with the project's Python.",
        )
    return (
        f"the module {module!r} is in the project but not in the bundle.",
        "Add it to [tool.mastra.build] include. Or rename it, if its name begins with a dot or is "
        "the name of a test.",
    )


def _is_missing_variable(error: Mapping[str, Any]) -> bool:
    """Return whether the app has read an environment variable that is not set."""
    last = error["frames"][-1] if error["frames"] else None
    # The standard library's os module is frozen into the interpreter.
    return error["type"] == "KeyError" and last is not None and last[0] == "<frozen os>"


def _explain_missing_variable(project: Project, name: str) -> tuple[str, str]:
    problem = "optional" if name in project.environment.optional else "not declared"
    return (
        f"the environment variable {name!r} is read without a default, but {problem}.",
        f'Declare it: [tool.mastra.env] required = ["{name}"].',
    )


def _explain_exception(
    project: Project, error: Mapping[str, Any], frames: Sequence[Any]
) -> tuple[str, str]:
    text = _FILE_OF_MODULE.sub("", error["message"].strip())
    message = shorten_message(mask(text)) or error["type"]
    prefix = "" if error["hint"] else f"{error['type']}: "
    hint = _suggest_declaration(project, message) or error["hint"]
    return f"{prefix}{message}", hint or _suggest_fix(project, message, frames)


def explain_bundle_error(
    project: Project, error: Mapping[str, Any], app: Path, inventory: Inventory
) -> MastraError:
    """Convert an exception in the bundle to an error, which names missing files or packages.

    :param project: the app.
    :param error: the exception, as the child reports it.
    :param app: the directory of the app in the bundle.
    :param inventory: the inventory of the build, with what was left out.
    :returns: the error.
    """
    converted = explain_error(project, error, app, BuildError)
    if cause := find_pruned_cause(error, inventory, project):
        return BuildError(f"{converted.message} {cause.message}", cause.hint)
    problem = _find_extension_problem(project, error["missing"], inventory)
    return BuildError(problem.message, problem.hint) if problem else converted


def _find_extension_problem(
    project: Project, module: str | None, inventory: Inventory
) -> Problem | None:
    """Return the problem of a compiled module that the bundle's Python cannot import."""
    if not module:
        return None
    path = project.import_root.joinpath(*module.split("."))
    stem = path.relative_to(project.root).as_posix()
    for problem in inventory.problems:
        if is_library(problem.where) and problem.where.startswith(f"{stem}."):
            return problem
    return None


def is_first_party(project: Project, module: str) -> bool:
    """Return whether a module belongs to the project.

    :param project: the app.
    :param module: the full name of the module.
    """
    stem = project.import_root / module.partition(".")[0]
    return stem.is_dir() or stem.with_suffix(".py").is_file()


def _find_module_files(project: Project, module: str) -> list[str]:
    """Return the names of the files and directories from which a module could be imported."""
    path = project.import_root.joinpath(*module.split("."))
    found = [entry for entry in path.parent.glob("*") if entry.name.partition(".")[0] == path.name]
    return sorted(
        entry.name
        for entry in found
        if entry.is_dir() or entry.suffix in (".py", ".pyc") or is_library(entry.name)
    )


def _lacks_entry(project: Project, message: str) -> bool:
    """Return whether the message says that the entry module does not define the application."""
    module, attribute = project.module, project.attribute
    return message.startswith(
        (
            f"module {module!r} has no attribute {attribute!r}",
            f"cannot import name {attribute!r} from {module!r} (",
        )
    )


def _suggest_declaration(project: Project, message: str) -> str:
    """Return a cure for a missing environment variable that a library names."""
    if "environment variable" not in message:
        return ""
    for name in _VARIABLE.findall(message):
        if name not in project.environment.required:
            return f'Declare it: [tool.mastra.env] required = ["{name}"].'
    return ""


def _suggest_fix(project: Project, message: str, frames: Sequence[Sequence[Any]]) -> str:
    """Return a cure for an unknown error, whose cause may be a placeholder."""
    for path in _QUOTED.findall(message):
        if not path.startswith("/") and (project.root / path).exists():
            return (
                f"{path!r} is relative to the working directory, but a served bundle has another "
                "working directory. Write it relative to the file: Path(__file__).parent / ..."
            )
    required, values = project.environment.required, get_config(project).check.env
    undeclared = [name for name in _MISSING_FIELD.findall(message) if name.upper() not in required]
    if undeclared:  # pydantic's words, for a settings class too
        return "If the values come from the environment, declare them in [tool.mastra.env]."
    text = "\n".join([message, *(str(frame[3]) for frame in frames)]).upper()
    endings = tuple(f"_{field.upper()}" for field in _FIELD.findall(message))
    names = [
        name
        for name in dict.fromkeys((*required, *values))
        if name.upper() in text or name.upper().endswith(endings)
    ]
    if configured := [name for name in names if name in values]:
        return f"[tool.mastra.check] env sets {', '.join(configured)} here. Correct that value."
    if names or (required and PLACEHOLDER in message):
        missing = ", ".join(f"{name} = '...'" for name in names or required)
        return (
            "During this check, each required variable has a placeholder, which may not be a "
            f"valid value. Set a value for the check: [tool.mastra.check] env = {{ {missing} }}. "
            "Or write a value to .env. The placeholder then has the same type."
        )
    return UNKNOWN_CAUSE_HINT


def _to_project_path(project: Project, file: str, app: Path) -> str:
    """Convert a path in the bundle to the path of the user's file."""
    relative = Path(file).relative_to(app)
    return str(project.root / relative)
