"""Compile bytecode for the target's Python, so that no server compiles at its first start.

The bytecode has the type ``unchecked-hash``, so it stays valid in a copy with other time stamps and
on a read-only disk. The file names in it are relative, so two machines produce the same bytes. The
import system inserts the real paths.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from mastra_core.errors import BuildError
from mastra_core.pipeline.file_tree import HAS_MODES, is_executable
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("FinishedFile", "finish_files")

_CHILD = Path(__file__).parent / "bytecode_child.py"
_FILE_ERROR = 3  # exit code of the child: a file could not be read or written


_Row: TypeAlias = tuple[str, str, int, int, str, bool]


class FinishedFile(msgspec.Struct, frozen=True, array_like=True):
    """A file in its final state.

    :param name: relative to its directory.
    :param size: in bytes.
    :param mtime: in nanoseconds; with the size it shows whether the file was written to since.
    :param sha256: of its content, in hexadecimal digits.
    :param executable: whether its owner may execute it.
    """

    name: str
    size: int
    mtime: int
    sha256: str
    executable: bool = False


def finish_files(
    files: Mapping[Path, Iterable[str]], interpreter: Interpreter | None, *, protect: bool
) -> dict[Path, list[FinishedFile]]:
    """Compile modules and describe all files, including the bytecode, on all cores.

    :param files: names by the directory they are below.
    :param interpreter: of the target's version; without one nothing is compiled.
    :param protect: whether to make the files read-only.
    :raises OSError: when a file cannot be read or written.
    :raises BuildError: when the interpreter crashes.
    """
    pairs = [(str(root), name) for root, names in files.items() for name in names]
    finished: dict[Path, list[FinishedFile]] = {root: [] for root in files}
    if pairs:
        for root, *fields in _run_child(interpreter, protect, pairs):
            file = msgspec.convert(fields, FinishedFile)
            finished[Path(root)].append(file if HAS_MODES else _read_mode(Path(root), file))
    return finished


def _read_mode(root: Path, file: FinishedFile) -> FinishedFile:
    path = root / file.name
    return msgspec.structs.replace(file, executable=is_executable(path, path.stat()))


def _run_child(
    interpreter: Interpreter | None, protect: bool, pairs: list[tuple[str, str]]
) -> list[_Row]:
    python = interpreter.path if interpreter else sys.executable
    job = msgspec.json.encode((interpreter is not None, protect, pairs))
    result = subprocess.run(
        [python, "-I", "-S", "-W", "ignore", str(_CHILD)],
        input=job,
        capture_output=True,
        check=False,
    )
    if result.returncode == _FILE_ERROR:
        raise OSError(*msgspec.json.decode(result.stdout, type=tuple[int, str, str | None]))
    if result.returncode:
        message = result.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BuildError(
            f"{python!r} could not compile the bundle (exit {result.returncode}): {message}",
            "Check the free memory, or build with another --python.",
        )
    return msgspec.json.decode(result.stdout, type=list[_Row])
