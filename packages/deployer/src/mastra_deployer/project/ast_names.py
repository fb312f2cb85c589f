"""What the names of one module stand for, as far as that is certain."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeGuard

__all__ = ("Code", "Names", "dotted", "imports")

Elsewhere = Callable[[str], str | None]


class Code(NamedTuple):
    """A module: its tree, and all nodes of it in the order of ``ast.walk``, which is slow."""

    tree: ast.Module
    nodes: list[ast.AST]

    @classmethod
    def parse(cls, source: bytes) -> Code:
        """The code of a source file.

        :raises SyntaxError: and what else ``ast.parse`` does.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the app's own escapes are not what is checked
            tree = ast.parse(source)
        return cls(tree, list(ast.walk(tree)))


def dotted(node: ast.expr) -> str:
    """``a.b.c`` as it stands, or nothing for what is no such name."""
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return node.id if isinstance(node, ast.Name) else ""


def imports(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Name to what it was imported as, for the import statements among ``nodes``."""
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


class Names:
    """Follows names through one module.

    A name that is bound twice, or is also a parameter somewhere, stands for nothing: what it is
    at one place cannot be told without running the module.

    :param package: what relative imports begin at (``shop`` in ``shop/agents.py``).
    :param elsewhere: gives the text of another module's constant by its dotted name.
    """

    def __init__(self, code: Code, package: str, elsewhere: Elsewhere) -> None:
        self._elsewhere = elsewhere
        bound = Counter(_bound(code.nodes))
        found = imports(code.nodes)
        self._imports = {
            name: _absolute(origin, package) for name, origin in found.items() if not bound[name]
        }
        once = {name: value for name, value in _assigned(code.tree) if bound[name] == 1}
        self.constants = {
            name: value.value
            for name, value in once.items()
            if isinstance(value, ast.Constant) and isinstance(value.value, str)
        }
        self._calls = {name: value for name, value in once.items() if isinstance(value, ast.Call)}
        for name, value in once.items():
            if self.origin(value):  # env = os.environ
                self._imports[name] = self.origin(value)
        self._lists = {name: value for name, value in once.items() if _is_list(value)}
        self._loops = {name: value for name, value in _looped(code.nodes) if bound[name] == 1}

    def origin(self, node: ast.expr) -> str:
        """The dotted name that an expression was imported as (``os.environ``)."""
        head, dot, rest = dotted(node).partition(".")
        return self._imports[head] + dot + rest if head in self._imports else ""

    def maker(self, node: ast.expr) -> ast.Call | None:
        """The call that made the object of a module-level name."""
        return self._calls.get(node.id) if isinstance(node, ast.Name) else None

    def texts(self, node: ast.expr) -> list[str]:
        """The strings that an expression certainly is, one after the other.

        More than one in a loop over strings: ``for name in ("A", "B"): os.environ[name]``.
        """
        if isinstance(node, ast.Name) and node.id in self._loops:
            run = self._loops[node.id]
            run = self._lists.get(run.id, run) if isinstance(run, ast.Name) else run
            items = [self.text(item) for item in run.elts] if _is_list(run) else []
            return [item for item in items if item] if all(items) else []
        text = self.text(node)
        return [text] if text else []

    def text(self, node: ast.expr) -> str | None:
        """The string that an expression certainly is."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.constants[node.id]
        origin = self.origin(node)
        return self._elsewhere(origin) if origin else None


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Every binding that is no import."""
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _looped(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            yield node.target.id, node.iter


def _is_list(node: ast.expr) -> TypeGuard[ast.Tuple | ast.List | ast.Set]:
    return isinstance(node, ast.Tuple | ast.List | ast.Set)


def _absolute(origin: str, package: str) -> str:
    level = len(origin) - len(origin.lstrip("."))
    if not level:
        return origin
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, origin.lstrip(".")])
