"""Collect the expressions of a module by scope: the module itself and its functions."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable

from mastra_deployer.code_analysis.app_modules import AppModule
from mastra_deployer.project.ast_imports import read_imports
from mastra_deployer.project.ast_names import collect_imports, get_dotted_name, to_absolute_name

__all__ = ("CONSTRUCTOR", "ModuleScopes", "Scope", "read_scopes")

CONSTRUCTOR = "<new>"
_FACTORY = "default_factory"  # of dataclasses, attrs and pydantic: called for each new instance
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass
class Scope:
    """Code that runs together: a module with its class bodies, or one function.

    :param nodes: the expressions of the scope, without those of the functions in it.
    :param called: for each call in the scope, the dotted names that the called function may have.
    :param imported: modules that the scope imports.
    """

    nodes: list[ast.expr] = dataclasses.field(default_factory=list)
    called: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    imported: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class ModuleScopes:
    """The scopes of one module.

    :param module: the module.
    :param scopes: the scopes by dotted name; the scope of the module itself runs at import.
    :param bases: dotted names of the base classes, by the dotted name of a class.
    :param names: the original name of each imported object, such as ``os.environ``, by the dotted
        name that it has in this module, such as ``shop.config.environ``.
    """

    module: AppModule
    scopes: dict[str, Scope]
    bases: dict[str, list[str]]
    names: dict[str, str]


def read_scopes(module: AppModule) -> ModuleScopes | None:
    """Return the scopes of a module; ``None`` if it is nested too deeply.

    :param module: the module.
    """
    visitor = _Visitor(module)
    try:
        visitor.visit(module.code.tree)
    except RecursionError:
        return None
    imported = collect_imports(module.code.nodes)
    names = {
        f"{module.name}.{name}": to_absolute_name(origin, module.package)
        for name, origin in imported.items()
    }
    return ModuleScopes(module, visitor.scopes, visitor.bases, names)


class _Visitor(ast.NodeVisitor):
    def __init__(self, module: AppModule) -> None:
        self._module = module
        self._path: tuple[str, ...] = ()  # of functions and classes
        self._class = ""
        self.scopes = {module.name: Scope()}
        self._scope = self.scopes[module.name]
        self.bases: dict[str, list[str]] = {}

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.expr):
            self._scope.nodes.append(node)
        super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_defaults(node.args)
        self._visit_inside("<lambda>", [node.body], Scope())

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *(it.value for it in node.keywords)])
        self._add_decorators(node.decorator_list)
        name = self._join(node.name)
        self.bases[name] = [found for base in node.bases for found in self._locate(base)]
        self.scopes[f"{name}.{CONSTRUCTOR}"] = Scope()
        before, self._class = self._class, name
        self._visit_inside(node.name, node.body, self._scope)  # runs with the defining code
        self._class = before

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        # Annotations are evaluated on use, since Python 3.14.
        self._visit_all([node.target, *([node.value] if node.value else [])])

    def visit_If(self, node: ast.If) -> None:
        if _is_skipped(node.test):
            self._visit_all(node.orelse)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self._add_imports(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._add_imports(node)

    def visit_Call(self, node: ast.Call) -> None:
        self._scope.called.append(self._locate(node.func))
        for item in node.keywords:
            if item.arg == _FACTORY and self._class:
                constructor = self.scopes[f"{self._class}.{CONSTRUCTOR}"]
                constructor.called.append(self._locate(item.value))
                # As if it were written in the constructor.
                constructor.nodes.append(
                    ast.copy_location(ast.Call(func=item.value, args=[], keywords=[]), item.value)
                )
        self.generic_visit(node)

    def _visit_function(self, node: _Function) -> None:
        self._visit_all(node.decorator_list)
        self._add_decorators(node.decorator_list)
        self._visit_defaults(node.args)
        self._visit_inside(node.name, node.body, Scope())

    def _visit_defaults(self, arguments: ast.arguments) -> None:
        self._visit_all([*arguments.defaults, *filter(None, arguments.kw_defaults)])

    def _visit_inside(self, name: str, body: Iterable[ast.AST], scope: Scope) -> None:
        state = self._path, self._scope
        self._path = (*self._path, name)
        is_class = scope is state[1]
        self._scope = scope if is_class else self.scopes.setdefault(self._join(), scope)
        self._visit_all(body)
        self._path, self._scope = state

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _add_decorators(self, decorators: Iterable[ast.expr]) -> None:
        for item in decorators:
            if not isinstance(item, ast.Call):
                self._scope.called.append(self._locate(item))

    def _add_imports(self, node: ast.stmt) -> None:
        self._scope.imported += [
            name for item in read_imports([node], self._module.package) for name in item.modules
        ]

    def _locate(self, node: ast.expr) -> tuple[str, ...]:
        """Return the dotted names that an expression may stand for, the likeliest first."""
        if origin := self._module.names.resolve_origin(node):
            return (origin,)
        name = get_dotted_name(node)
        head, _, rest = name.partition(".")
        if head in ("self", "cls") and rest and self._class:
            return (f"{self._class}.{rest}",)
        paths = [self._path[:length] for length in range(len(self._path), -1, -1)]
        return tuple(".".join((self._module.name, *path, name)) for path in paths) if name else ()

    def _join(self, *names: str) -> str:
        return ".".join((self._module.name, *self._path, *names))


def _is_skipped(test: ast.expr) -> bool:
    """Return whether a condition is ``TYPE_CHECKING`` or ``__name__ == ...``."""
    if isinstance(test, ast.Compare):
        return get_dotted_name(test.left) == "__name__" and isinstance(test.ops[0], ast.Eq)
    return get_dotted_name(test).rpartition(".")[2] == "TYPE_CHECKING"
