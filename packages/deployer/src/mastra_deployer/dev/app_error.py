"""What is wrong with the app as it was saved, in the user's own lines."""

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
from mastra_deployer.dev.runtime import install_line
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("Problem", "explained", "of_error", "of_exit")

_AROUND = 3  # lines shown before and after the one in question
_INSTALLED = frozenset(("site-packages", "dist-packages"))
_PLACE = re.compile(r"(?P<file>/.+?):(?P<line>\d+)(:\d+)?: (?P<rest>.*)", re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One sentence, the cure, and where.

    :param file: relative to the project; empty where it is none of its files.
    :param code: the lines around, with their numbers.
    :param path: how the import came there: file, line and text of each step.
    """

    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    code: tuple[tuple[int, str], ...] = ()
    path: tuple[tuple[str, int, str], ...] = ()

    def hiding(self, secrets: Sequence[str]) -> Problem:
        """The same without values that an exception may have quoted."""
        message = self.message
        for secret in secrets:
            message = message.replace(secret, "****")
        return dataclasses.replace(self, message=message)


def explained(project: Project, interpreter: Interpreter, error: Mapping[str, Any]) -> Problem:
    """The child's exception: the user's own frames, and the cure where it is known."""
    own = [frame for frame in error["frames"] if _is_own(project, frame[0])]
    message, hint = _words(project, interpreter, error)
    path = tuple((_relative(project, name), line, text or "") for name, line, _, text in own)
    if not own:
        return Problem(message=message, hint=hint)
    file, line = path[-1][0], path[-1][1]
    code = _around(project.root / file, line)
    return Problem(message=message, hint=hint, file=file, line=line, code=code, path=path)


def of_error(project: Project | None, error: MastraError) -> Problem:
    """One of our own errors; where it begins with a place, that place."""
    found = _PLACE.match(error.message)
    if found is None or project is None:
        return Problem(message=error.message, hint=error.hint)
    file, line = Path(found["file"]), int(found["line"])
    shown = _relative(project, str(file))
    code = _around(file, line)
    return Problem(message=found["rest"], hint=error.hint, file=shown, line=line, code=code)


def of_exit(code: int, *, served: bool) -> Problem:
    """A process that ended by itself."""
    how = f"signal {-code}" if code < 0 else f"exit {code}"
    when = "while it served" if served else "while being imported"
    return Problem(
        message=f"The app ended its process {when} ({how}).",
        hint="Its own output above says more; it starts again at the next save.",
    )


def _words(project: Project, interpreter: Interpreter, error: Mapping[str, Any]) -> tuple[str, str]:
    if module := error["missing"]:
        return f"There is no module {module!r}.", _module_cure(project, interpreter, module)
    last = error["frames"][-1] if error["frames"] else None
    # The standard library's own os is frozen into the interpreter, unless a debugger is there.
    from_os = last is not None and (last[0] == "<frozen os>" or Path(last[0]).name == "os.py")
    if error["type"] == "KeyError" and from_os:
        name = error["message"].strip("'\"")
        return (
            f"The environment variable {name!r} is not set.",
            f"Write {name}=... into .env, or export it.",
        )
    message = error["message"].strip().partition("\n")[0]
    kind = "" if error["hint"] else error["type"]
    return ": ".join(filter(None, (kind, message))), error["hint"]


def _module_cure(project: Project, interpreter: Interpreter, module: str) -> str:
    first = module.partition(".")[0]
    stem = project.import_root / first
    if stem.is_dir() or stem.with_suffix(".py").is_file():
        return f"{first!r} is the project's own: correct the import, or make the module."
    line = install_line(interpreter, shlex.quote(first.replace("_", "-")))
    return f"If the package has that name: {line}; and add it to the dependencies."


def _is_own(project: Project, file: str) -> bool:
    if file.startswith("<"):  # frozen into the interpreter, or made by exec
        return False
    path = Path(os.path.realpath(file))
    inside = path.is_relative_to(os.path.realpath(project.root))
    return inside and _INSTALLED.isdisjoint(path.parts)


def _relative(project: Project, file: str) -> str:
    return os.path.relpath(os.path.realpath(file), os.path.realpath(project.root))


def _around(file: Path, line: int) -> tuple[tuple[int, str], ...]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    return tuple((number, lines[number - 1]) for number in range(first, last + 1))
