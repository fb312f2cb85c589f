"""Find imports in the app's own code that fail in the bundle."""

from __future__ import annotations

import functools
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from mastra_core.pipeline import Problem, Project
from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.bundler.sources.app_sources import AppSources
from mastra_deployer.bundler.vendor.vendor import VendoredDependencies
from mastra_deployer.output.other_places import format_other_places
from mastra_deployer.project.ast_imports import StaticImport
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.declared_dependencies import read_name
from mastra_deployer.project.workspace import find_member

__all__ = ("find_unresolved_imports",)

_SUFFIXES = (".py", ".so", ".pyd", ".pyc")


def find_unresolved_imports(
    project: Project, sources: AppSources, dependencies: VendoredDependencies
) -> list[Problem]:
    """Return a warning for each imported module that the bundle does not contain.

    Imports in functions are included. The function ignores imports whose failure the code handles,
    imports for type checkers, and imports that depend on the platform.

    :param project: the app.
    :param sources: the app's own files that ship.
    :param dependencies: the dependencies that ship.
    """
    modules = _BundledModules(project, sources, dependencies)
    places: dict[str, list[str]] = defaultdict(list)
    for file, code in sources.code.items():
        for item in code.imports:
            if not item.optional and (missing := modules.find_missing(item)):
                places[missing].append(f"{file}:{item.line}")
    return [
        Problem(
            message=f"The module {module!r} is imported, but it is not in the "
            f"bundle{modules.describe(module)}{format_other_places(found)}.",
            hint=modules.suggest_fix(module, found[0]),
            severity="warning",
            where=found[0],
        )
        for module, found in sorted(places.items())
    ]


class _BundledModules:
    """The modules that can be imported in the bundle."""

    def __init__(
        self, project: Project, sources: AppSources, dependencies: VendoredDependencies
    ) -> None:
        self._project, self._sources, self._dependencies = project, sources, dependencies
        files = {project.root / name for name in sources.files}
        self._files = files | {parent for path in files for parent in path.parents}
        # A directory of the app may be put on sys.path, so a module is found by its last name too.
        self._stems = {PurePosixPath(name).name.partition(".")[0] for name in sources.files}
        self._stems |= {part for name in sources.files for part in PurePosixPath(name).parts}
        shipped = [dependencies.distributions[name] for name in dependencies.wheels]
        self._tops = {top for item in shipped for top in item.tops}

    def find_missing(self, item: StaticImport) -> str:
        """Return the missing module of an import; empty if none is missing."""
        top = item.modules[0].partition(".")[0]
        if top in sys.stdlib_module_names or top in ("__main__", "mastra_asgi"):
            return ""
        own = next(filter(None, map(self._find_own_file, item.modules[::-1])), None)
        if own is not None:
            return "" if own in self._files else self._get_module_name(own)
        if top in self._tops:
            return self._find_missing_portion(item)
        return "" if top in self._stems or self._has_own_top(top) else top

    def describe(self, module: str) -> str:
        """Return ``: REASON`` if the build knows why a module is missing, or else an empty text."""
        own = self._find_own_file(module)
        reason = own and self._get_reason(own)
        return f": {reason}" if reason else ""

    def suggest_fix(self, module: str, place: str) -> str:
        own = self._find_own_file(module)
        if own is not None:
            return _suggest_include(self._to_name(own), self._get_reason(own))
        distribution = canonicalize_name(module.partition(".")[0])
        if member := find_member(self._project.root, module):
            return (
                f"It is the workspace member {member!r}. Declare it with `uv add {member}`, "
                "because a bundle contains only declared members."
            )
        if table := self._find_optional_table(distribution):
            return f"Ship it: [tool.mastra.build] {table}, or add it to the dependencies."
        file = place.rpartition(":")[0]
        return (
            f"Add the package that provides {module!r} to the dependencies in "
            f"{find_declaration_file(self._project)}. If the app works without it, catch "
            "ImportError, or leave the file out: "
            f'[tool.mastra.build] exclude = ["{file}"].'
        )

    def _find_own_file(self, module: str) -> Path | None:
        """Return the project's file for a module; ``None`` if it is not a module of the project."""
        stem = self._project.import_root.joinpath(*module.split("."))
        for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if path.is_file():
                return path
        return None

    def _has_own_top(self, top: str) -> bool:
        """Return whether the project has a directory or a file of any kind for a module."""
        stem = self._project.import_root / top
        return stem.is_dir() or any(stem.parent.glob(f"{top}.*"))

    def _get_module_name(self, file: Path) -> str:
        relative = file.relative_to(self._project.import_root).with_suffix("")
        parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
        return ".".join(parts)

    def _to_name(self, path: Path) -> str:
        return path.relative_to(self._project.root).as_posix()

    def _get_reason(self, path: Path) -> str:
        name = self._to_name(path)
        for dropped, reason in self._sources.dropped.items():
            if name == dropped or name.startswith(f"{dropped}/"):
                return reason
        return ""

    def _find_missing_portion(self, item: StaticImport) -> str:
        """Return the missing module of a namespace package that several distributions share.

        Modules of packages with an ``__init__`` are not reported, because it may create them at run
        time.
        """
        modules, folders = self._module_paths
        for name in item.modules:
            path = name.replace(".", "/")
            if path.rpartition("/")[0] in folders - modules and path not in folders | modules:
                return name
        return ""

    @functools.cached_property
    def _module_paths(self) -> tuple[frozenset[str], frozenset[str]]:
        """The paths of the dependencies' modules, and of the directories that contain modules.

        A directory with ``__init__`` also counts as a module.
        """
        modules: set[str] = set()
        folders: set[str] = set()
        for wheel in self._dependencies.wheels.values():
            for file in wheel.files:
                if file.name.endswith(_SUFFIXES):
                    folder, _, name = file.name.rpartition("/")
                    stem = name.partition(".")[0]
                    modules.add(folder if stem == "__init__" else f"{folder}/{stem}".lstrip("/"))
                    while folder and folder not in folders:
                        folders.add(folder)
                        folder = folder.rpartition("/")[0]
        return frozenset(modules), frozenset(folders)

    def _find_optional_table(self, distribution: str) -> str:
        """Return the setting that ships a distribution of an unselected group or extra."""
        pyproject = read_pyproject(self._project.root)
        tables = {
            "groups": pyproject.get("dependency-groups", {}),
            "extras": pyproject.get("project", {}).get("optional-dependencies", {}),
        }
        for key, table in tables.items():
            for name, lines in table.items():
                if any(read_name(line) == distribution for line in lines):
                    return f'{key} = ["{name}"]'
        return ""


def _suggest_include(name: str, reason: str) -> str:
    if "exclude" in reason:
        return "Remove it from [tool.mastra.build] exclude, or remove the import."
    return f'Add it: [tool.mastra.build] include = ["{name}"].'
