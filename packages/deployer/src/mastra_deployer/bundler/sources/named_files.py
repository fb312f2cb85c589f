"""Find files of the project that the code names and that are outside of the app's packages."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from mastra_core.pipeline import Problem, Project
from mastra_deployer.bundler.sources.module_code import ModuleCode
from mastra_deployer.bundler.sources.path_references import PathReference, find_path_references
from mastra_deployer.bundler.sources.private_files import is_database, is_private
from mastra_deployer.output.other_places import format_other_places

__all__ = ("NamedFiles", "find_named_files")

# Directories of these names contain files that an app reads, so they ship if the code names them.
_WELL_KNOWN = frozenset(
    ("assets", "locale", "locales", "prompts", "public", "static", "staticfiles", "templates")
)
# The usual names of files that an app writes.
_WRITTEN = frozenset(("cache", "logs", "log", "media", "out", "output", "tmp", "uploads", "var"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamedFiles:
    """The files and directories that the code names, and that are outside of the app's packages.

    :param shipped: directories and files that ship because the code names them, each with the place
        that names it.
    :param problems: a warning for each named path that does not ship, and for each path that
        depends on the working directory.
    """

    shipped: Mapping[Path, str]
    problems: tuple[Problem, ...]


def find_named_files(
    project: Project, code: Mapping[Path, ModuleCode], is_shipped: Callable[[Path], bool]
) -> NamedFiles:
    """Find files that the code names and that are not in the app's packages.

    :param project: the app.
    :param code: the modules that ship, by their path.
    :param is_shipped: returns whether a file, or any file of a directory, ships with the packages.
    """
    finder = _Finder(project, is_shipped)
    for file, module in sorted(code.items()):
        finder.read(file, module)
    return NamedFiles(shipped=finder.shipped, problems=tuple(finder.iter_problems()))


class _Finder:
    """Collects the paths that modules name."""

    def __init__(self, project: Project, is_shipped: Callable[[Path], bool]) -> None:
        self._project, self._is_shipped = project, is_shipped
        self._words = _list_words(project)
        self._missing: dict[Path, list[str]] = defaultdict(list)
        self._relative: dict[Path, list[tuple[Path, int]]] = defaultdict(list)
        self.shipped: dict[Path, str] = {}

    def read(self, file: Path, module: ModuleCode) -> None:
        if self._words.isdisjoint(module.words):
            return
        for reference in find_path_references(module, file):
            for path in self._find_existing(reference):
                self._add(path, reference, file)

    def _find_existing(self, reference: PathReference) -> Iterator[Path]:
        """Yield the existing file to which a reference leads, if it is in the project."""
        root = self._project.root
        for base in dict.fromkeys((root, self._project.import_root)):
            path = _normalize(base / reference.path)
            if path != root and path.is_relative_to(root) and path.exists():
                yield path
                return

    def _add(self, path: Path, reference: PathReference, file: Path) -> None:
        name = path.relative_to(self._project.root)
        hidden = any(part.startswith(".") and part != ".well-known" for part in name.parts)
        if hidden or name.parts[0] in _WRITTEN or is_database(path.name) or path.suffix == ".log":
            return
        place = f"{file.relative_to(self._project.root).as_posix()}:{reference.line}"
        if not self._is_shipped(path):
            top = self._find_well_known(path)
            if top is None or is_private(path.name):
                self._missing[path].append(place)
            else:
                self.shipped.setdefault(top, place)
        # A package's name may be the value of any keyword, and is rarely meant as a path.
        if reference.relative and not (path / "__init__.py").is_file():
            self._relative[path].append((file, reference.line))

    def _find_well_known(self, path: Path) -> Path | None:
        """Return the directory, such as ``templates``, that contains a path, or ``None``."""
        for base in dict.fromkeys((self._project.root, self._project.import_root)):
            if path.is_relative_to(base):
                top = base / path.relative_to(base).parts[0]
                if top.name in _WELL_KNOWN and top.is_dir():
                    return top
        return None

    def iter_problems(self) -> Iterator[Problem]:
        for path in _select_outermost(self._missing):
            yield self._build_missing_problem(path, self._missing[path])
        for path in _select_outermost(self._relative):
            yield self._build_relative_problem(path, self._relative[path])

    def _build_missing_problem(self, path: Path, places: list[str]) -> Problem:
        name = path.relative_to(self._project.root).as_posix()
        pattern = f"{name}/**/*" if path.is_dir() else name
        return Problem(
            message=f"The code names {name!r}, which does not ship{format_other_places(places)}.",
            hint="A bundle must contain no keys. Pass the content in an environment variable."
            if is_private(path.name)
            else f'Add the file: [tool.mastra.build] include = ["{pattern}"].',
            severity="warning",
            where=places[0],
        )

    def _build_relative_problem(self, path: Path, lines: list[tuple[Path, int]]) -> Problem:
        root = self._project.root
        places = [f"{file.relative_to(root).as_posix()}:{line}" for file, line in lines]
        file, name = lines[0][0].relative_to(root), path.relative_to(root).as_posix()
        level = len(file.parts) - 1
        base = f"Path(__file__).parents[{level}]" if level else "Path(__file__).parent"
        return Problem(
            message=f"The path {name!r} is relative to the working directory"
            f"{format_other_places(places)}. A served bundle has another working directory.",
            hint=f'Write the path relative to the file: {base} / "{name}".',
            severity="warning",
            where=places[0],
        )


def _select_outermost(paths: Collection[Path]) -> list[Path]:
    """Return the outermost paths: those that no other path contains."""
    return sorted(path for path in paths if not any(it in paths for it in path.parents))


def _list_words(project: Project) -> frozenset[str]:
    """Return the words that code must contain to name a file in the project's directories."""
    bases: Collection[Path] = {project.root, project.import_root}
    names = {entry.name for base in bases for entry in base.iterdir()}
    defaults = {"Flask", "Quart", "tests", "test"}
    return frozenset(name for name in names | defaults if not name.startswith("."))


def _normalize(path: Path) -> Path:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts[1:] = parts[1:-1]
        else:
            parts.append(part)
    return Path(*parts)
