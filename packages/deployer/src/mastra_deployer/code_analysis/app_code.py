"""Tell which code of an app runs while the app is imported, without running the app."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from mastra_core.pipeline import Build
from mastra_deployer.code_analysis.app_modules import AppModule, AppModules
from mastra_deployer.code_analysis.code_scopes import CONSTRUCTOR, ModuleScopes, read_scopes

__all__ = ("AppCode", "EvaluatedExpression")

_CONSTRUCTING = ("__new__", "__init__", "__post_init__", CONSTRUCTOR)
_MAX_ALIASES = 10  # modules that pass a name on


class EvaluatedExpression(NamedTuple):
    """An expression of the app, and when it is evaluated.

    :param module: the module that contains the expression.
    :param node: the expression.
    :param at_import: whether the expression is evaluated while the app is imported.
    """

    module: AppModule
    node: ast.expr
    at_import: bool


class AppCode:
    """Parses an app, and tells which of its expressions are evaluated while the app is imported.

    Code runs at import if it is at the top level, in the body of a class, or in a function that is
    called at import. Modules that only functions import are not imported with the app.

    :param root: the directory that reported paths are relative to.
    :param import_root: the directory that is on ``sys.path``.
    :param entry: dotted name of the module that is imported first; empty if all modules are
        imported.
    """

    def __init__(self, root: Path, import_root: Path, entry: str = "") -> None:
        self._sources = AppModules(root, import_root, root.rglob("*.py"))
        self._entry = entry

    @classmethod
    def read_build(cls, build: Build) -> AppCode:
        """Return the code of a staged app.

        :param build: the staged app.
        """
        manifest = build.manifest
        import_root = build.directory / manifest.paths[0]
        return cls(build.directory / "app", import_root, manifest.app.partition(":")[0])

    @cached_property
    def modules(self) -> Sequence[AppModule]:
        """The modules that can be parsed, sorted by path."""
        return [item.module for item in self._modules]

    def iter_expressions(self) -> Iterator[EvaluatedExpression]:
        """Yield every expression that may be evaluated."""
        for item in self._modules:
            for name, scope in item.scopes.items():
                at_import = name in self._imported
                for node in scope.nodes:
                    yield EvaluatedExpression(item.module, node, at_import)

    def list_origins(self, module: AppModule, node: ast.expr) -> frozenset[str]:
        """Return the dotted names of the called function, or of the called class and its bases.

        :param module: the module that contains the expression.
        :param node: the expression that is called.
        """
        origin = module.names.resolve_origin(node)
        pending = [origin or f"{module.name}.{ast.unparse(node)}"]
        found: set[str] = set()
        while pending:
            name = self._follow(pending.pop())
            if name not in found:
                found.add(name)
                pending += self._bases.get(name, ())
        return frozenset(found if origin else found - {f"{module.name}.{ast.unparse(node)}"})

    @cached_property
    def _modules(self) -> list[ModuleScopes]:
        return [scopes for item in self._sources.iter_modules() if (scopes := read_scopes(item))]

    @cached_property
    def _aliases(self) -> dict[str, str]:
        return {name: origin for item in self._modules for name, origin in item.names.items()}

    @cached_property
    def _bases(self) -> dict[str, list[str]]:
        return {name: bases for item in self._modules for name, bases in item.bases.items()}

    @cached_property
    def _imported(self) -> set[str]:
        """The names of the scopes that run at import."""
        scopes = {name: scope for item in self._modules for name, scope in item.scopes.items()}
        modules = {item.module.name for item in self._modules}
        pending = list(_list_packages(self._entry)) if self._entry in modules else list(modules)
        found: set[str] = set()
        while pending:
            name = pending.pop()
            if name in found or name not in scopes:
                continue
            found.add(name)
            scope = scopes[name]
            imported = (part for item in scope.imported for part in _list_packages(item))
            pending += [part for part in imported if part in modules]  # not functions
            pending += self._find_called(scope.called, scopes)
        return found

    def _find_called(
        self, calls: Iterable[tuple[str, ...]], scopes: Iterable[str]
    ) -> Iterator[str]:
        """Yield the scopes that run when functions are called or classes are instantiated."""
        known = set(scopes)
        for candidates in calls:
            names = [self._follow(name) for name in candidates]
            for name in names:
                if name in known and name not in self._bases:
                    yield name
                    break
                if name in self._bases:
                    yield from self._find_constructors(name)
                    break

    def _find_constructors(self, name: str) -> Iterator[str]:
        pending, seen = [name], set[str]()
        while pending:
            name = self._follow(pending.pop())
            if name in seen:
                continue
            seen.add(name)
            yield from (f"{name}.{method}" for method in _CONSTRUCTING)
            pending += self._bases.get(name, ())

    def _follow(self, name: str) -> str:
        """Return the original definition of a name that other modules import and export again."""
        for _ in range(_MAX_ALIASES):
            if name not in self._aliases or name in self._bases:
                break
            name = self._aliases[name]
        return name


def _list_packages(name: str) -> Iterator[str]:
    """Yield the packages that contain a module, the outermost first, and then the module."""
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))
