"""Resolve names of one module without running it, if the result is certain."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeGuard

__all__ = (
    "NameResolver",
    "ParsedModule",
    "collect_imports",
    "get_dotted_name",
    "to_absolute_name",
)

ConstantLookup = Callable[[str], str | None]


class ParsedModule(NamedTuple):
    """A parsed module with its nodes.

    :param tree: the syntax tree.
    :param nodes: all nodes of the module in the order of ``ast.walk``; a repeated walk would be too
        slow.
    """

    tree: ast.Module
    nodes: list[ast.AST]

    @classmethod
    def parse(cls, source: bytes) -> ParsedModule:
        """Parse a source file.

        :param source: the file's bytes.
        :raises SyntaxError: for invalid Python. Other exceptions of ``ast.parse`` pass unchanged.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about the app's own code are not wanted
            tree = ast.parse(source)
        return cls(tree, list(ast.walk(tree)))


def get_dotted_name(node: ast.expr) -> str:
    """Return a dotted name as written (``a.b.c``); empty for any other expression.

    :param node: the expression.
    """
    if isinstance(node, ast.Attribute):
        head = get_dotted_name(node.value)
        return f"{head}.{node.attr}" if head else ""
    return node.id if isinstance(node, ast.Name) else ""


def collect_imports(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Map each imported name to its origin.

    :param nodes: the nodes of a module; only import statements count.
    :returns: dotted origins by name; origins of relative imports begin with dots.
    """
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            for alias in node.names:
                names[alias.asname or alias.name] = f"{prefix}.{alias.name}"
    return names


def to_absolute_name(origin: str, package: str) -> str:
    """Convert a relative dotted name to an absolute name; return other names unchanged.

    :param origin: the name as imported, such as ``..config.KEY``.
    :param package: the package that relative imports start from (``shop`` in ``shop/agents.py``).
    """
    level = len(origin) - len(origin.lstrip("."))
    if not level:
        return origin
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join(filter(None, [*parts, origin.lstrip(".")]))


class NameResolver:
    """A resolver of names within one module.

    A name that is bound twice, or that is also a parameter, is not resolved, because the value is
    uncertain.

    :param code: the module.
    :param package: the package that relative imports start from (``shop`` in ``shop/agents.py``).
    :param lookup_constant: returns the string of a constant in another module, by the dotted name
        of the constant.
    """

    def __init__(self, code: ParsedModule, package: str, lookup_constant: ConstantLookup) -> None:
        self._lookup_constant = lookup_constant
        bound = Counter(_iter_bindings(code.nodes))
        imported = collect_imports(code.nodes)
        self._imports = {
            name: to_absolute_name(origin, package)
            for name, origin in imported.items()
            if not bound[name]
        }
        single = {name: value for name, value in _iter_assignments(code.tree) if bound[name] == 1}
        self.constants = {
            name: value.value
            for name, value in single.items()
            if isinstance(value, ast.Constant) and isinstance(value.value, str)
        }
        self._calls = {name: value for name, value in single.items() if isinstance(value, ast.Call)}
        for name, value in single.items():
            if self.resolve_origin(value):  # env = os.environ
                self._imports[name] = self.resolve_origin(value)
        self._lists = {name: value for name, value in single.items() if _is_list(value)}
        self._loops = {name: value for name, value in _iter_loops(code.nodes) if bound[name] == 1}

    def resolve_origin(self, node: ast.expr) -> str:
        """Return the full name of an imported object, such as ``os.environ``; empty for others.

        :param node: the expression.
        """
        head, dot, rest = get_dotted_name(node).partition(".")
        return self._imports[head] + dot + rest if head in self._imports else ""

    def find_constructor_call(self, node: ast.expr) -> ast.Call | None:
        """Return the call whose result is assigned to the module-level name ``node``, or ``None``.

        :param node: the expression, which may be a module-level name.
        """
        return self._calls.get(node.id) if isinstance(node, ast.Name) else None

    def resolve_strings(self, node: ast.expr) -> list[str]:
        """Return all strings that an expression may stand for.

        In a loop such as ``for name in ("A", "B"): os.environ[name]``, an expression stands for
        several strings.

        :param node: the expression.
        :returns: the strings; an empty list if one of them is known only at run time.
        """
        if isinstance(node, ast.Name) and node.id in self._loops:
            iterable = self._loops[node.id]
            iterable = (
                self._lists.get(iterable.id, iterable)
                if isinstance(iterable, ast.Name)
                else iterable
            )
            items = (
                [self.resolve_string(item) for item in iterable.elts] if _is_list(iterable) else []
            )
            return [item for item in items if item] if all(items) else []
        string = self.resolve_string(node)
        return [string] if string else []

    def resolve_string(self, node: ast.expr) -> str | None:
        """Return the string of an expression; ``None`` if it is known only at run time.

        :param node: the expression.
        """
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.constants[node.id]
        origin = self.resolve_origin(node)
        return self._lookup_constant(origin) if origin else None


def _iter_bindings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the name of every binding except imports."""
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def _iter_assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _iter_loops(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            yield node.target.id, node.iter


def _is_list(node: ast.expr) -> TypeGuard[ast.Tuple | ast.List | ast.Set]:
    return isinstance(node, ast.Tuple | ast.List | ast.Set)
