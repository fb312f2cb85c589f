"""Bytecode for the target's Python, so that no server compiles at its first start.

``unchecked-hash``: neither a copy's new time stamps nor a read-only disk make it useless. The
recorded names are relative, so two machines make the same bytes; import puts the real path in.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from mastra_core.errors import BuildError
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("FinishedFile", "finish_files")

_CHILD = Path(__file__).parent / "bytecode_child.py"
_FAILED = 3  # of the child: the system refused a file


class FinishedFile(msgspec.Struct, frozen=True, array_like=True):
    """A file as it ships.

    :param name: relative to its directory.
    :param size: in bytes.
    :param mtime: in nanoseconds: with the size it tells whether somebody wrote into the file.
    """

    name: str
    size: int
    mtime: int
    sha256: str


def finish_files(
    files: Mapping[Path, Iterable[str]], interpreter: Interpreter | None, *, protect: bool
) -> dict[Path, list[FinishedFile]]:
    """Compile modules and describe all files, bytecode too, on every core.

    :param files: names by the directory they lie below.
    :param interpreter: of the target's version; without one nothing is compiled.
    :param protect: make the files read-only.
    :raises OSError: when a file cannot be read or written.
    :raises BuildError: when that Python breaks.
    """
    pairs = [(str(root), name) for root, names in files.items() for name in names]
    found: dict[Path, list[FinishedFile]] = {root: [] for root in files}
    if pairs:
        for root, *facts in _run(interpreter, protect, pairs):
            found[Path(root)].append(msgspec.convert(facts, FinishedFile))
    return found


def _run(
    interpreter: Interpreter | None, protect: bool, pairs: list[tuple[str, str]]
) -> list[tuple[str, str, int, int, str]]:
    python = interpreter.path if interpreter else sys.executable
    job = msgspec.json.encode((interpreter is not None, protect, pairs))
    done = subprocess.run(
        [python, "-I", "-S", "-W", "ignore", str(_CHILD)],
        input=job,
        capture_output=True,
        check=False,
    )
    if done.returncode == _FAILED:
        raise OSError(*msgspec.json.decode(done.stdout, type=tuple[int, str, str | None]))
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BuildError(
            f"{python!r} could not compile the bundle (exit {done.returncode}): {said}",
            "Check the free memory, or build with another --python.",
        )
    return msgspec.json.decode(done.stdout, type=list[tuple[str, str, int, int, str]])
