"""Describe an error of the saved app with the user's own lines of code."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import MastraError
from mastra_core.pipeline import Project
from mastra_deployer.dev.server_packages import format_install_command
from mastra_deployer.output.shorten import shorten_message
from mastra_deployer.project.declared_dependencies import (
    find_install_command,
    read_declared_names,
)
from mastra_deployer.project.interpreters import Interpreter
from mastra_deployer.project.workspace import find_member, find_workspace_root

__all__ = ("AppProblem", "explain", "problem_from_error", "problem_from_exit")

_CONTEXT_LINES = 3  # lines shown before and after the one in question
_INSTALLED = frozenset(("site-packages", "dist-packages"))
_LOCATION = re.compile(r"(?P<file>/.+?):(?P<line>\d+)(:\d+)?: (?P<rest>.*)", re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppProblem:
    """An error of the app: its message, its hint and its location.

    :param message: one sentence, or the whole message of the user's exception.
    :param hint: how to fix the error.
    :param file: the file's path relative to the project; empty if the error is in no file of the
        project.
    :param line: number of the line, from 1.
    :param code: the source lines around the error, with their numbers.
    :param path: the user's frames in the traceback of the error: file, line and text.
    """

    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    code: tuple[tuple[int, str], ...] = ()
    path: tuple[tuple[str, int, str], ...] = ()

    def redact(self, secrets: Sequence[str]) -> AppProblem:
        """Return a copy without secrets in the message, because an exception may quote them.

        :param secrets: the values to mask.
        """
        message = self.message
        for secret in secrets:
            message = message.replace(secret, "****")
        return dataclasses.replace(self, message=message)


def explain(project: Project, interpreter: Interpreter, error: Mapping[str, Any]) -> AppProblem:
    """Convert an exception of the child process to a problem in the user's own code.

    :param project: the project, whose files count as the user's own.
    :param interpreter: the interpreter of the child.
    :param error: the exception, as the launcher describes it.
    """
    own = [frame for frame in error["frames"] if _is_own(project, frame[0])]
    message, hint = _describe_error(project, interpreter, error)
    path = tuple((_to_relative(project, name), line, text or "") for name, line, _, text in own)
    if not own:
        return AppProblem(message=message, hint=hint)
    file, line = path[-1][0], path[-1][1]
    code = _read_context(project.root / file, line)
    return AppProblem(message=message, hint=hint, file=file, line=line, code=code, path=path)


def problem_from_error(project: Project | None, error: MastraError) -> AppProblem:
    """Convert an error of mastra to a problem; ``FILE:LINE:`` at its start is the location.

    :param project: the project, for a path relative to its root; ``None`` if no project was found.
    :param error: an error that mastra raised.
    """
    found = _LOCATION.match(error.message)
    if found is None or project is None:
        return AppProblem(message=error.message, hint=error.hint)
    file, line = Path(found["file"]), int(found["line"])
    name = _to_relative(project, str(file))
    code = _read_context(file, line)
    return AppProblem(message=found["rest"], hint=error.hint, file=name, line=line, code=code)


def problem_from_exit(code: int, *, has_served: bool) -> AppProblem:
    """Describe a process that ended unexpectedly.

    :param code: the exit code; negative for a signal.
    :param has_served: whether the process had started to serve.
    """
    reason = f"signal {-code}" if code < 0 else f"exit {code}"
    phase = "while it served" if has_served else "while being imported"
    return AppProblem(
        message=f"The app ended its process {phase} ({reason}).",
        hint="The app's output above may name the cause. The app starts again at the next save.",
    )


def _describe_error(
    project: Project, interpreter: Interpreter, error: Mapping[str, Any]
) -> tuple[str, str]:
    if module := error["missing"]:
        return f"There is no module {module!r}.", _get_module_hint(project, interpreter, module)
    last = error["frames"][-1] if error["frames"] else None
    # The module os is frozen into the interpreter, except when a debugger runs.
    from_os = last is not None and (last[0] == "<frozen os>" or Path(last[0]).name == "os.py")
    if error["type"] == "KeyError" and from_os:
        name = error["message"].strip("'\"")
        return (
            f"The environment variable {name!r} is not set.",
            f"Write {name}=... to .env, or export it.",
        )
    message = shorten_message(error["message"].strip())
    kind = "" if error["hint"] else error["type"]
    return ": ".join(filter(None, (kind, message))), error["hint"]


def _get_module_hint(project: Project, interpreter: Interpreter, module: str) -> str:
    first = module.partition(".")[0]
    stem = project.import_root / first
    if stem.is_dir() or stem.with_suffix(".py").is_file():
        return f"{first!r} belongs to the project. Correct the import, or create the module."
    name = first.replace("_", "-").lower()
    member, declared = find_member(project.root, module), read_declared_names(project.root)
    if member and member not in declared:
        return f"It is the workspace member {member!r}. Declare and install it: uv add {member}."
    line = format_install_command(interpreter, shlex.quote(name))
    if member or name in declared:
        line = find_install_command(project.root) or line
        return f"The project requires it, but {interpreter.path} does not have it. Run: {line}."
    return f"If the package has that name, add it to the dependencies and run: {line}."


def _is_own(project: Project, file: str) -> bool:
    if file.startswith("<"):  # frozen into the interpreter, or compiled by exec
        return False
    path = Path(os.path.realpath(file))
    inside = path.is_relative_to(find_workspace_root(project.root))
    return inside and _INSTALLED.isdisjoint(path.parts)


def _to_relative(project: Project, file: str) -> str:
    return os.path.relpath(os.path.realpath(file), os.path.realpath(project.root))


def _read_context(file: Path, line: int) -> tuple[tuple[int, str], ...]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    first, last = max(1, line - _CONTEXT_LINES), min(len(lines), line + _CONTEXT_LINES)
    return tuple((number, lines[number - 1]) for number in range(first, last + 1))
