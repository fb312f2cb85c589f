"""Collect the user's own code: the top-level packages and modules that the entry reaches."""

from __future__ import annotations

import ast
import fnmatch
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mastra_core.errors import BuildError
from mastra_core.pipeline import Project
from mastra_core.pipeline.file_tree import is_executable
from mastra_deployer.bundler.sources.app_sources import AppSources
from mastra_deployer.bundler.sources.own_metadata import build_own_metadata
from mastra_deployer.bundler.sources.strip_deployer import check_deployer_imports, strip_deployer
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

# Never code of an application, even where its code imports them.
NOT_CODE = frozenset(
    (
        "tests",
        "test",
        "__pycache__",
        "node_modules",
        "build",
        "dist",
        "venv",
        "env",
        "site-packages",
    )
)
NOT_SHIPPED = (".*", "*.pyc", "*.pyo", "*.egg-info")
TESTS = ("conftest.py", "test_*.py", "*_test.py")  # unless the app imports one


def collect_sources(project: Project, packages: set[str]) -> AppSources:
    """Collect the project's files that ship, sorted by name, without the entry's deployer.

    :param project: the app.
    :param packages: import names of deployer packages, of which none may be imported.
    :raises BuildError: for an import of one, with file and line; for a link out of the project.
    """
    entry = find_module_file(project)
    source = entry.read_bytes()
    tree = parse_source(entry, source)  # the file may change between two reads
    if deployer := read_deployer(entry, tree):
        source = strip_deployer(source, tree, deployer)
    collector = _FileCollector(project, entry, source)
    shipped = collector.collect_files()
    for path in shipped:
        if path.suffix == ".py":
            check_deployer_imports(path, collector.get_tree(path), packages)
    files: dict[str, bytes | Path] = {
        _get_relative_name(project, path): source if path == entry else path for path in shipped
    }
    files |= build_own_metadata(project)
    _check_names(project, files)
    dropped = {name: reason for name, reason in collector.dropped.items() if name not in files}
    executables = frozenset(
        _get_relative_name(project, path) for path in shipped if is_executable(path.stat())
    )
    return AppSources(files=files, dropped=dropped, executables=executables)


def list_first_party_files(project: Project) -> list[Path]:
    """Return every file of the user's own code that ships.

    :param project: the app.
    :raises BuildError: for a link out of the project.
    """
    entry = find_module_file(project)
    return _FileCollector(project, entry, entry.read_bytes()).collect_files()


class _FileCollector:
    """Collect the files of a project that ship.

    :param source: the entry file's content as it ships.
    """

    def __init__(self, project: Project, entry: Path, source: bytes) -> None:
        self._project = project
        self._entry = entry
        self._source = source
        config = get_config(project)
        self._build = config.build
        self._root = project.root.resolve()
        self._trees: dict[Path, ast.AST] = {}
        self._listed: dict[Path, list[Path]] = {}
        self.dropped: dict[str, str] = {}
        # A private deployer never ships, wherever in the project it is.
        deployers = (str(table.get("deployer", "")) for table in config.targets.values())
        self._tools = {
            (project.root / name).resolve() for name in deployers if name.endswith(".py")
        }

    def collect_files(self) -> list[Path]:
        files = {path for top in self._find_reached_modules() for path in self._list_files(top)}
        used = {
            name
            for path in files
            if path.suffix == ".py"
            for name in self._get_mentioned_names(path)
        }
        selected = {path for path in files if not _is_test(path) or path.stem in used}
        for path in files - selected:
            self._drop(path, "a test that nothing imports")
        included = self._collect_included()
        for path in included:
            self._check_link(path)
        return sorted(selected | included)

    def _collect_included(self) -> set[Path]:
        files: set[Path] = set()
        for pattern in self._build.include:
            if ".." in Path(pattern).parts or Path(pattern).is_absolute():
                raise BuildError(
                    f"[tool.mastra.build] include {pattern!r} leads out of the project.",
                    "Only the project's own files ship: copy the files in, or make them a package.",
                )
            matches = {path for path in self._project.root.glob(pattern) if path.is_file()}
            if not matches:
                raise BuildError(
                    f"[tool.mastra.build] include {pattern!r} matches no file.",
                    "Correct the pattern.",
                )
            files |= {path for path in matches if not self._is_excluded(path)}
        return files

    def _find_reached_modules(self) -> set[Path]:
        """Return the top-level packages and modules reached from the entry, by import or by name.

        A string that is the dotted name of first-party code counts as a use of it: settings modules
        and app lists of frameworks are written like that.
        """
        first = self._project.module.partition(".")[0]
        known = {path.stem: path for path in iter_top_modules(self._project.import_root)}
        reached: set[str] = set()
        pending = {first}
        while pending:
            name = pending.pop()
            reached.add(name)
            for path in self._list_files(known[name]):
                if path.suffix == ".py" and not _is_test(path):
                    pending |= (self._get_mentioned_names(path) & known.keys()) - reached
        for name in known.keys() - reached:
            self._drop(known[name], "no code that ships imports or names it")
        return {known[name] for name in reached}

    def _list_files(self, top: Path) -> list[Path]:
        if top not in self._listed:
            self._listed[top] = list(self._walk(top))
        return self._listed[top]

    def _walk(self, top: Path, visited: frozenset[Path] = frozenset()) -> Iterator[Path]:
        """Yield the files below ``top``; follow links inside the project, never in a circle."""
        real = top.resolve()
        if real in visited:
            return
        if self._is_excluded(top):
            self._drop(top, "[tool.mastra.build] exclude, or a deployer of the project")
            return
        self._check_link(top)
        if top.is_file():
            yield top
            return
        for path in sorted(top.iterdir()):
            if any(fnmatch.fnmatch(path.name, pattern) for pattern in NOT_SHIPPED):
                self._drop(path, "hidden, or generated by a tool")
            elif path.is_dir() and path.name in NOT_CODE:
                self._drop(path, "a directory of that name is not application code")
            elif path.is_file() or path.is_dir():
                yield from self._walk(path, visited | {real})

    def _is_excluded(self, path: Path) -> bool:
        name = path.relative_to(self._project.root).as_posix()
        excluded = any(fnmatch.fnmatch(name, pattern) for pattern in self._build.exclude)
        return excluded or path.resolve() in self._tools

    def _check_link(self, path: Path) -> None:
        """Reject links that lead out of the project, and ``.env`` files under any name."""
        real = path.resolve()
        if not real.is_relative_to(self._root):
            raise BuildError(
                f"{str(path)!r} is a link out of the project.",
                "Copy the file in, or exclude the link with [tool.mastra.build] exclude.",
            )
        if real.name.startswith(".env") or path.name.startswith(".env"):
            raise BuildError(
                f"{str(path)!r} is an environment file, and its values would ship.",
                "Exclude it with [tool.mastra.build] exclude, and declare the names of its "
                "variables in [tool.mastra.env].",
            )

    def _drop(self, path: Path, reason: str) -> None:
        if path.name != "__pycache__":
            self.dropped[_get_relative_name(self._project, path)] = reason

    def get_tree(self, path: Path) -> ast.AST:
        """Return the syntax tree of a file as it ships."""
        if path not in self._trees:
            source = self._source if path == self._entry else path.read_bytes()
            self._trees[path] = _parse_leniently(source)
        return self._trees[path]

    def _get_mentioned_names(self, path: Path) -> set[str]:
        return _collect_names(self.get_tree(path))


def _get_relative_name(project: Project, path: Path) -> str:
    return path.relative_to(project.root).as_posix()


def _check_names(project: Project, names: Iterable[str]) -> None:
    """Reject names that are not UTF-8: manifest, hashes and archives of bundles are UTF-8."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise BuildError(
                f"The name of the file {os.fsencode(project.root / name)!r} is not UTF-8.",
                "Rename it, or exclude it with [tool.mastra.build] exclude.",
            ) from None


def _parse_leniently(source: bytes) -> ast.AST:
    """Return a syntax tree; an empty one for a file that this Python cannot parse.

    It may be a template, or newer than the Python that mastra runs on. The app's own Python, which
    imports it, decides.
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def iter_top_modules(root: Path) -> Iterator[Path]:
    """Yield the packages and modules in the import root.

    Packages come last, since Python prefers them to a module of the same name.

    :param root: the import root.
    """
    entries = sorted(root.iterdir(), key=lambda path: (path.is_dir(), path.name))
    for path in entries:
        if path.name.startswith("."):
            continue
        code = path.is_dir() and path.name not in NOT_CODE and _has_code(path)
        if path.suffix == ".py" or code:
            yield path


def _has_code(directory: Path) -> bool:
    return (
        directory.name.isidentifier()
        and not (directory / "pyvenv.cfg").exists()
        and next(directory.rglob("*.py"), None) is not None
    )


def _is_test(path: Path) -> bool:
    return any(fnmatch.fnmatch(path.name, pattern) for pattern in TESTS)


def _collect_names(tree: ast.AST) -> set[str]:
    """Return the parts of every dotted name that a module imports, and its strings' first parts."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            names.update((node.module or "").split("."), (alias.name for alias in node.names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value.partition(".")[0].partition(":")[0])
    return names
