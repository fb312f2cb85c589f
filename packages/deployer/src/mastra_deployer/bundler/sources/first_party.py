"""Collect the user's own code: top-level packages and modules that the entry reaches."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from mastra_core.errors import BuildError
from mastra_core.pipeline import Problem, Project
from mastra_core.pipeline.file_tree import is_executable
from mastra_deployer.bundler.sources.app_sources import AppSources
from mastra_deployer.bundler.sources.module_code import ModuleCode, parse_module
from mastra_deployer.bundler.sources.named_files import find_named_files
from mastra_deployer.bundler.sources.own_metadata import build_own_metadata
from mastra_deployer.bundler.sources.private_files import find_secret_files, is_private
from mastra_deployer.bundler.sources.strip_deployer import check_deployer_imports, strip_deployer
from mastra_deployer.bundler.vendor.code_usage import TEST_NAMES, iter_test_directories
from mastra_deployer.files.glob_pattern import find_matches
from mastra_deployer.files.path_encoding import is_utf8
from mastra_deployer.project.deployer_argument import read_deployer
from mastra_deployer.project.discovery import find_module_file, get_config, parse_source

__all__ = (
    "NOT_CODE",
    "NOT_SHIPPED",
    "TESTS",
    "collect_sources",
    "iter_top_modules",
    "list_first_party_files",
)

# Directories of these names never contain code of an application.
NOT_CODE = frozenset(("__pycache__", "node_modules", "site-packages"))
# Backups of editors may contain secrets that the code itself does not contain any more.
_BACKUPS = ("*~", "#*#", "*.bak", "*.orig", "*.rej")
NOT_SHIPPED = (".*", "*.pyc", "*.pyo", "*.egg-info", *_BACKUPS)
TESTS = ("conftest.py", "test_*.py", "*_test.py")  # unless the app imports one
# In the import root, tools write directories of these names. Inside a package they are code.
_OUTPUTS = frozenset(("build", "dist", "env", "venv"))
# DVC and git-annex replace large data files by links to files in these directories.
_DATA_STORES = (".dvc/cache/", ".git/annex/objects/")
# The directory of the well-known addresses of a web site (RFC 8615).
_WELL_KNOWN = ".well-known"


def collect_sources(project: Project, packages: set[str]) -> AppSources:
    """Collect the project's files that ship; the bundled entry file has no ``deployer=``.

    :param project: the app.
    :param packages: import names of deployer packages, which the app must not import.
    :raises BuildError: for an import of a deployer package, with file and line, and for a symbolic
        link that points outside of the project.
    """
    entry = find_module_file(project)
    source = entry.read_bytes()
    tree = parse_source(entry, source)  # the file may change between two reads
    if deployer := read_deployer(entry, tree):
        source = strip_deployer(source, tree, deployer)
    collector = _FileCollector(project, entry, source)
    shipped = collector.collect_files()
    for path, code in collector.code.items():
        if not packages.isdisjoint(code.names):
            check_deployer_imports(path, code.tree, packages)
    files: dict[str, bytes | Path] = {
        _get_relative_name(project, path): source if path == entry else path for path in shipped
    }
    files |= build_own_metadata(project)
    _check_names(project, files)
    dropped = {name: reason for name, reason in collector.dropped.items() if name not in files}
    executables = frozenset(
        _get_relative_name(project, path) for path in shipped if is_executable(path, path.stat())
    )
    return AppSources(
        files=files,
        dropped=dropped,
        executables=executables,
        code={_get_relative_name(project, path): code for path, code in collector.code.items()},
        included={
            _get_relative_name(project, path): reason for path, reason in collector.included.items()
        },
        problems=collector.problems,
    )


def list_first_party_files(project: Project) -> list[Path]:
    """Return every file of the user's own code that ships.

    :param project: the app.
    :raises BuildError: for a symbolic link that points outside of the project.
    """
    entry = find_module_file(project)
    return _FileCollector(project, entry, entry.read_bytes()).collect_files()


class _FileCollector:
    """Collects the files of a project that ship.

    :param source: the entry file's content as it ships.
    """

    def __init__(self, project: Project, entry: Path, source: bytes) -> None:
        self._project = project
        self._entry = entry
        self._source = source
        config = get_config(project)
        self._build = config.build
        self._root = project.root.resolve()
        self._listed: dict[Path, list[Path]] = {}
        first = project.module.partition(".")[0]
        self._known = {first: project.import_root / first}
        self._known |= {path.stem: path for path in iter_top_modules(project.import_root)}
        self._tests: dict[str, Path] = {}
        self.code: dict[Path, ModuleCode] = {}
        self._names: set[str] = set()
        self._modules: set[str] = set()
        self.dropped: dict[str, str] = {}
        self.included: dict[Path, str] = {}
        self.problems: tuple[Problem, ...] = ()
        # A private deployer never ships, wherever in the project it is.
        deployers = (str(table.get("deployer", "")) for table in config.targets.values())
        self._tools = {
            (project.root / name).resolve() for name in deployers if name.endswith(".py")
        }

    def collect_files(self) -> list[Path]:
        selected = self._select_files()
        included = self._collect_included()
        for path in included:
            self._check_link(path, path.resolve())
        self._read_files(included)
        self.included = dict.fromkeys(included - selected, "[tool.mastra.build] include")
        self._include_named_files(selected | included)
        shipped = sorted(selected | self.included.keys())
        names = [_get_relative_name(self._project, path) for path in shipped]
        self.problems += find_secret_files(self._project.root, names, self._build.include)
        return shipped

    def _include_named_files(self, files: set[Path]) -> None:
        """Include directories such as ``templates`` that the code names; report other files."""
        folders = {parent for path in files for parent in path.parents}

        def is_settled(path: Path) -> bool:
            excluded = self._is_excluded(path) or self._is_excluded(path / "file")
            return path in files or path in folders or excluded

        named = find_named_files(self._project, self.code, is_settled)
        self.problems = named.problems
        for top, place in named.shipped.items():
            reason = f"it is in {top.name!r}, which {place} names"
            self.included |= dict.fromkeys(self._walk_data(top), reason)

    def _walk_data(self, top: Path) -> Iterator[Path]:
        """Yield the files of a directory, except secrets and links out of the directory."""
        for path in sorted(top.iterdir()):
            if _is_generated(path.name) or (path.is_dir() and _is_foreign(path)):
                self._drop(path, "hidden, a backup, or generated by a tool")
            elif is_private(path.name):
                self._drop(path, "it may be a secret or a database")
            elif path.is_symlink() and not path.resolve().is_relative_to(top.resolve()):
                self._drop(path, "a link out of its directory")
            elif path.is_dir():
                yield from self._walk_data(path)
            elif not self._is_excluded(path):
                yield path

    def _select_files(self) -> set[Path]:
        """Return the files of each top-level package or module that the entry reaches.

        A string that is the dotted name of first-party code counts as an import. Frameworks use
        strings with dotted names for settings modules and lists of apps. Tests ship if other code
        in the bundle uses them.
        """
        reached = {self._project.module.partition(".")[0]}
        while True:
            starts = [self._known[name] for name in reached] + self._find_used_tests()
            files = {path for start in starts for path in self._list_files(start)}
            selected = {path for path in files if not _is_test(path) or path.stem in self._names}
            if not self._read_files(selected):
                break
            reached |= {name for name in self._known if self._is_reached(name)}
        for path in [*(files - selected), *set(self._tests.values()).difference(starts)]:
            self._drop(path, "a test that nothing imports")
        for name in self._known.keys() - reached:
            self._drop(self._known[name], "no code in the bundle imports or names it")
        return selected

    def _find_used_tests(self) -> list[Path]:
        """Return the test directories that other code in the bundle uses."""
        used = {folder for module in self._modules for folder in iter_test_directories(module)}
        return [self._tests[folder] for folder in used if folder in self._tests]

    def _is_reached(self, name: str) -> bool:
        if name in _OUTPUTS | TEST_NAMES and self._known[name].is_dir():
            # A word like "build" in a string says nothing: the directory may be a tool's output.
            return any(self._exists(module, name) for module in self._modules)
        return name in self._names

    def _exists(self, module: str, top: str) -> bool:
        if module.partition(".")[0] != top:
            return False
        stem = self._project.import_root.joinpath(*module.split("."))
        return (stem / "__init__.py").is_file() or stem.with_suffix(".py").is_file()

    def _read_files(self, paths: Iterable[Path]) -> bool:
        """Read the code of files, and return whether any file is new."""
        unread = [path for path in paths if path.suffix == ".py" and path not in self.code]
        for path in unread:
            package = ""
            if path.is_relative_to(self._project.import_root):
                package = ".".join(path.parent.relative_to(self._project.import_root).parts)
            source = self._source if path == self._entry else path.read_bytes()
            self.code[path] = code = parse_module(source, package)
            self._names |= code.names
            self._modules |= code.modules
        return bool(unread)

    def _collect_included(self) -> set[Path]:
        files: set[Path] = set()
        for pattern in self._build.include:
            if ".." in Path(pattern).parts or Path(pattern).is_absolute():
                raise BuildError(
                    f"[tool.mastra.build] include {pattern!r} points outside of the project.",
                    "A bundle contains only files of the project. Copy the files into the project, "
                    "or make a package of them.",
                )
            found = _find_included(self._project.root, pattern)
            matches = {path for path in found if path.is_file() and self._is_named(path, pattern)}
            if not matches:
                raise BuildError(
                    f"[tool.mastra.build] include {pattern!r} matches no file.",
                    "Correct the pattern.",
                )
            files |= {path for path in matches if not self._is_excluded(path)}
        return files

    def _is_named(self, path: Path, pattern: str) -> bool:
        """Return whether each hidden part of a path matches a hidden part of the pattern."""
        patterns = [part for part in Path(pattern).parts if part.startswith(".")]
        parts = path.relative_to(self._project.root).parts
        hidden = [part for part in parts if part.startswith(".") and part != _WELL_KNOWN]
        return all(any(fnmatch.fnmatch(part, it) for it in patterns) for part in hidden)

    def _list_files(self, top: Path) -> list[Path]:
        if top not in self._listed:
            self._listed[top] = list(self._walk(top))
        return self._listed[top]

    def _walk(
        self, top: Path, parent: Path | None = None, ancestors: frozenset[Path] = frozenset()
    ) -> Iterator[Path]:
        """Yield the files below ``top``; follow links inside of the project, never in a circle.

        :param parent: the real path of the directory that contains ``top``.
        """
        # To resolve each of many files takes as long as the rest of the walk.
        real = top.resolve() if parent is None or top.is_symlink() else parent / top.name
        if real in ancestors:
            return
        if self._is_excluded(top, real):
            self._drop(top, "[tool.mastra.build] exclude, or a deployer of the project")
            return
        self._check_link(top, real)
        if top.is_file():
            yield top
            return
        for path in sorted(top.iterdir()):
            if _is_generated(path.name):
                self._drop(path, "hidden, a backup, or generated by a tool")
            elif path.is_dir() and _is_foreign(path):
                self._drop(path, "it contains installed packages, not application code")
            elif path.is_dir() and path.name in TEST_NAMES:
                folder = path.relative_to(self._project.import_root)
                self._tests[folder.as_posix()] = path
            elif path.is_file() or path.is_dir():
                yield from self._walk(path, real, ancestors | {real})

    def _is_excluded(self, path: Path, real: Path | None = None) -> bool:
        name = path.relative_to(self._project.root).as_posix()
        excluded = any(fnmatch.fnmatch(name, pattern) for pattern in self._build.exclude)
        return excluded or (real or path.resolve()) in self._tools

    def _check_link(self, path: Path, real: Path) -> None:
        """Raise an error for a ``.env`` file, and for a link to a hidden or an outer file.

        Hidden files of a checkout, such as ``.git/config``, may contain credentials.
        """
        if not real.is_relative_to(self._root):
            raise BuildError(
                f"{str(path)!r} is a link that points outside of the project.",
                "Copy the file into the project, or exclude the link with [tool.mastra.build] "
                "exclude.",
            )
        if real.name.startswith(".env") or path.name.startswith(".env"):
            raise BuildError(
                f"{str(path)!r} is an environment file, so the bundle would contain its secret "
                "values.",
                "Exclude it with [tool.mastra.build] exclude, and declare the names of its "
                "variables in [tool.mastra.env].",
            )
        target, name = real.relative_to(self._root), path.relative_to(self._project.root)
        if _is_hidden(target) and not _is_hidden(name):
            raise BuildError(
                f"{str(path)!r} is a link to a hidden file of the project.",
                "Copy the file, or exclude the link with [tool.mastra.build] exclude.",
            )

    def _drop(self, path: Path, reason: str) -> None:
        if path.name != "__pycache__":
            self.dropped[_get_relative_name(self._project, path)] = reason


def _get_relative_name(project: Project, path: Path) -> str:
    return path.relative_to(project.root).as_posix()


def _find_included(root: Path, pattern: str) -> list[Path]:
    try:
        return find_matches(root, pattern)
    except ValueError:
        raise BuildError(
            f"[tool.mastra.build] include {pattern!r} is not a valid pattern.",
            "Write a path from the project's directory, such as data/words.txt or data/**/*.json.",
        ) from None


def _check_names(project: Project, names: Iterable[str]) -> None:
    """Raise an error for names that are not UTF-8, because bundles need UTF-8."""
    for name in names:
        if not is_utf8(name):
            raise BuildError(
                f"The name of the file {os.fsencode(project.root / name)!r} is not UTF-8.",
                "Rename the file, or exclude it with [tool.mastra.build] exclude.",
            )


def iter_top_modules(root: Path) -> Iterator[Path]:
    """Yield the packages and modules in the import root.

    Packages come last, so that a package replaces a module with the same name, as in Python. A
    directory with a tool's output, such as ``build``, counts only if it is a package.

    :param root: the import root.
    """
    entries = sorted(root.iterdir(), key=lambda path: (path.is_dir(), path.name))
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.suffix == ".py" or (path.is_dir() and _has_code(path)):
            yield path


def _has_code(directory: Path) -> bool:
    if not directory.name.isidentifier() or _is_foreign(directory):
        return False
    if directory.name in _OUTPUTS:
        return (directory / "__init__.py").is_file()
    for _, names, files in os.walk(directory, onerror=_raise):
        if any(file.endswith(".py") for file in files):
            return True
        # None of these ships, and node_modules may contain a hundred thousand files.
        names[:] = [name for name in names if not _is_generated(name) and name not in NOT_CODE]
    return False


def _is_foreign(directory: Path) -> bool:
    """Return whether a directory contains installed packages.

    :raises PermissionError: when the directory may not be searched; ``Path.exists`` of Python 3.14
        does not raise, so the directory would be left out without a word.
    """
    if directory.name in NOT_CODE:
        return True
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        (directory / "pyvenv.cfg").stat()
        return True
    return False


def _raise(error: OSError) -> NoReturn:
    raise error


def _is_generated(name: str) -> bool:
    return name != _WELL_KNOWN and any(fnmatch.fnmatch(name, it) for it in NOT_SHIPPED)


def _is_hidden(path: Path) -> bool:
    if path.as_posix().startswith(_DATA_STORES):
        return False
    return any(part.startswith(".") and part != _WELL_KNOWN for part in path.parts)


def _is_test(path: Path) -> bool:
    return any(fnmatch.fnmatch(path.name, pattern) for pattern in TESTS)
