"""Run the child that follows imports and compiles modules in the target's Python.

The bytecode is of the kind ``unchecked-hash``, which stays valid if the files are copied with new
time stamps or are on a read-only disk. The recorded file names are relative, so two machines
produce the same bytes; the import system inserts the real path.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from mastra_core.errors import BuildError
from mastra_deployer.project.child_processes import child_process
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("CompileJob", "CompileResult", "CompiledFile", "FileTree", "compile_app", "run_compiler")

_CHILD = Path(__file__).parent / "compile_child.py"
_FILE_ERROR = 3  # exit code of the child: a file could not be read or written

CompiledFile: TypeAlias = tuple[str, int, int, str]
"""Name, size, modification time and SHA-256 of a file with bytecode."""


class FileTree(msgspec.Struct, frozen=True, kw_only=True):
    """Modules that are imported from one directory.

    :param directory: path of the directory with the modules' sources.
    :param output: path of the directory that receives the bytecode.
    :param files: names of the modules' files, including extension modules.
    :param own: whether strings that look like module names count as imports.
    :param imports: the known imports of the modules, by file.
    :param compiled: files whose bytecode exists already.
    """

    directory: str
    output: str
    files: tuple[str, ...]
    own: bool = False
    imports: Mapping[str, list[Any]] = {}
    compiled: tuple[str, ...] = ()


class CompileJob(msgspec.Struct, frozen=True, kw_only=True):
    """A request to compile all modules of some directories, or only the imported modules.

    :param trees: the directories, in the order of the import path.
    :param roots: dotted names to start from; their last parts may be attributes.
    :param whole: indexes of trees in ``trees``; all modules of these trees count as imported.
    :param all: whether all modules are compiled, and not only the imported modules.
    :param protect: whether the bytecode is read-only.
    :param library: whether the only tree is the standard library.
    """

    trees: tuple[FileTree, ...]
    roots: tuple[str, ...] = ()
    whole: tuple[int, ...] = ()
    all: bool = False
    protect: bool = False
    library: bool = False


class CompileResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the child found, for each tree of the job.

    :param imports: the import statements of each module that the child read, by file.
    :param written: each file that was compiled, with its bytecode if it has any.
    :param imported: the files of the imported modules, sorted.
    :param standard: imported modules of the standard library, for all trees.
    """

    imports: tuple[dict[str, list[Any]], ...]
    written: tuple[tuple[tuple[str, CompiledFile | None], ...], ...]
    imported: tuple[tuple[str, ...], ...]
    standard: tuple[str, ...]


def compile_app(directory: Path, files: Iterable[str], interpreter: Interpreter) -> None:
    """Compile the app's own modules, beside their sources.

    :param directory: the directory of the app in the build.
    :param files: names of the modules' files.
    :param interpreter: an interpreter of the target's version.
    :raises OSError: when a file cannot be read or written.
    :raises BuildError: when the interpreter crashes.
    """
    tree = FileTree(directory=str(directory), output=str(directory), files=tuple(sorted(files)))
    run_compiler(interpreter.path, CompileJob(trees=(tree,), all=True))


def run_compiler(python: str, job: CompileJob) -> CompileResult:
    """Follow imports and compile modules in the target's Python.

    :param python: path of the executable.
    :param job: what to compile.
    :raises OSError: when a file cannot be read or written.
    :raises BuildError: when the interpreter crashes.
    """
    command = [python, "-I", "-S", "-B", "-W", "ignore", str(_CHILD)]
    with child_process(
        command,
        end=_interrupt,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        stdout, stderr = process.communicate(msgspec.json.encode(job))
    if process.returncode == _FILE_ERROR:
        raise OSError(*msgspec.json.decode(stdout, type=tuple[int, str, str | None]))
    if process.returncode:
        message = stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BuildError(
            f"{python!r} could not compile the bundle (exit {process.returncode}): {message}",
            "Check the free memory, or build with another --python.",
        )
    return msgspec.json.decode(stdout, type=CompileResult)


def _interrupt(process: subprocess.Popen[Any]) -> None:
    """End the compiler and the processes of its pool, which would otherwise continue."""
    if os.name == "posix":
        process.send_signal(signal.SIGINT)
    else:
        process.kill()
