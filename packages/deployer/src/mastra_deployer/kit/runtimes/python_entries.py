"""Make the entries of a bundle from an interpreter: executable, standard library, bytecode."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from mastra_core.errors import BuildError, BundleError
from mastra_deployer.kit.files.archive_entries import ArchiveEntry, iter_entries
from mastra_deployer.kit.runtimes.find_python import find_python
from mastra_deployer.kit.runtimes.interpreter_tree import BundledPython

__all__ = ("iter_python_entries", "iter_standard_library", "list_extension_modules")

# Parts of the standard library that no server imports, or that need a terminal, a desktop, a sound
# card or NIS, whose module alone needs eight libraries.
_EXCLUDED = frozenset(
    "__pycache__ curses dist-packages ensurepip idlelib lib2to3 pydoc_data site-packages test "
    "tests tkinter turtledemo turtle.py".split()
)
_EXCLUDED_PREFIXES = (
    *("_ctypes_test", "_curses", "_test", "_tkinter", "config-"),
    *("nis.", "ossaudiodev.", "readline.", "xxlimited", "xxsubtype"),
)
# Modules that an interpreter imports at each start, by the beginnings of their files.
_STARTED = (
    *("_collections_abc.", "_sitebuiltins.", "_sysconfigdata", "abc.", "codecs.", "genericpath."),
    *("encodings/__init__.", "encodings/aliases.", "encodings/ascii.", "encodings/idna."),
    *("encodings/latin_1.", "encodings/utf_8.", "importlib/", "io.", "os.", "posixpath."),
    *("runpy.", "site.", "stat.", "warnings.", "zipimport."),
)


def list_extension_modules(python: BundledPython) -> list[Path]:
    """Return the compiled modules of the standard library that a server may need.

    :param python: the interpreter.
    """
    modules = sorted(python.library.glob("lib-dynload/*.so"))
    return [path for path in modules if not path.name.startswith(_EXCLUDED_PREFIXES)]


def iter_standard_library(python: BundledPython) -> Iterator[Path]:
    """Yield the files of the standard library that a server may need.

    :param python: the interpreter.
    """
    for directory, subdirectories, names in os.walk(python.library):
        ignored = _select_ignored(directory, [*subdirectories, *names])
        subdirectories[:] = sorted(set(subdirectories) - ignored)
        yield from (Path(directory) / name for name in sorted(set(names) - ignored))


def iter_python_entries(
    python: BundledPython, prefix: str, temp_dir: Path, modules: Collection[str] | None = None
) -> Iterator[ArchiveEntry]:
    """Yield an interpreter's files with bytecode, but without tests, terminal and desktop modules.

    The interpreter itself is not run, so it may be for another machine. A Python of the same
    version on this machine compiles the standard library.

    :param python: the interpreter.
    :param prefix: the directory of the interpreter in the bundle, such as ``usr/local``.
    :param temp_dir: an empty directory, which must exist until the archive is written.
    :param modules: names of modules of the standard library, such as those in ``Build.standard``.
        Only the given modules and the modules that they import get bytecode; ``None`` for all
        modules.
    :raises BundleError: when the standard library cannot be compiled, or there is no Python of this
        version to compile it.
    """
    library = temp_dir / python.platlibdir / f"python{python.version}"
    shutil.copytree(python.library, library, ignore=_select_ignored)
    if modules is None:
        _compile_library(python, prefix, temp_dir)
    else:
        _compile_modules(python, library, modules)
    yield from iter_entries(temp_dir, prefix, keep_links=True)
    name = f"python{python.version}"
    yield ArchiveEntry(path=f"{prefix}/bin/{name}", mode=0o755, source=python.path)
    yield ArchiveEntry(path=f"{prefix}/bin/python3", link=name)
    yield ArchiveEntry(path=f"{prefix}/bin/python", link=name)


def _select_ignored(directory: str, names: list[str]) -> set[str]:
    ignored = {name for name in names if name in _EXCLUDED or name.startswith(_EXCLUDED_PREFIXES)}
    if any(Path(directory).glob("lib-dynload/_decimal.*.so")):
        ignored.add("_pydecimal.py")  # decimal imports it only without the compiled module
    return ignored


def _find_compiler(python: BundledPython) -> str:
    """Return the path of a Python of the same version that runs on this machine."""
    compiler = find_python(python.version) or str(python.path)
    if not _runs(compiler):
        raise BundleError(
            f"Compiling the bundle's standard library needs Python {python.version}, which this "
            "machine does not have.",
            f"Install it: uv python install {python.version}.",
        )
    return compiler


def _compile_modules(python: BundledPython, library: Path, modules: Collection[str]) -> None:
    """Compile the modules that the app imports, and those that Python imports at its start."""
    from mastra_deployer.bytecode.compile_modules import (
        CompileJob,
        FileTree,
        run_compiler,
    )

    files = sorted(path.relative_to(library).as_posix() for path in library.rglob("*.py"))
    started = [name for name in files if name.startswith(_STARTED)]
    roots = {*modules, *(name.removesuffix(".py").replace("/", ".") for name in started)}
    tree = FileTree(directory=str(library), output=str(library), files=tuple(files))
    job = CompileJob(trees=(tree,), roots=tuple(sorted(roots)), library=True)
    try:
        run_compiler(_find_compiler(python), job)
    except (BuildError, OSError) as error:
        raise BundleError(
            f"{str(python.path)!r} failed to compile its standard library: {error}",
            "Check the free disk space, or pass -s interpreter=PATH with another Python.",
        ) from None


def _compile_library(python: BundledPython, prefix: str, tree: Path) -> None:
    """Compile to bytecode without time stamps, because archives change the date of files."""
    mode = ["--invalidation-mode", "unchecked-hash"]
    compiler = _find_compiler(python)
    process = subprocess.run(
        [compiler, "-I", "-S", "-m", "compileall", "-qq", "-f", "-j", "0", *mode]
        + ["-s", str(tree), "-p", f"/{prefix}", str(tree)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    if process.returncode and "SyntaxError" not in process.stdout:
        raise BundleError(
            f"{compiler!r} failed to compile the standard library: {process.stderr.strip()[-300:]}",
            "Check the free disk space, or pass -s interpreter=PATH with another Python.",
        )


def _runs(program: str) -> bool:
    """Return whether a Python can run on this machine."""
    try:
        command = [program, "-I", "-S", "-c", ""]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:  # for another machine, or not executable
        return False
