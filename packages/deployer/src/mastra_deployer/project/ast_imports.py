"""Read the import statements of a module without running the module."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from mastra_deployer.project.ast_names import get_dotted_name, to_absolute_name

__all__ = ("StaticImport", "read_imports")

_CAUGHT = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
# A test of one of these chooses between platforms, versions or installed packages.
_CONDITIONS = (
    *("__name__", "find_spec", "importlib.util.find_spec", "util.find_spec", "os.name"),
    *("sys.platform", "sys.version_info", "sys.implementation.name", "platform.system"),
)
_CALLS = frozenset(("import_module", "__import__"))
_Range = tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StaticImport:
    """An import whose module is written in the source.

    :param module: absolute dotted name.
    :param names: the names that are imported from the module; some may be submodules.
    :param line: the line of the source.
    :param optional: whether the code works without the module. The code may catch the error, or run
        the import only on some platforms, with some packages, or as the main program.
    """

    module: str
    names: tuple[str, ...]
    line: int
    optional: bool

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of all modules that the statement may import."""
        inner = (f"{self.module}.{name}".lstrip(".") for name in self.names)
        return (*filter(None, [self.module]), *inner)


def read_imports(nodes: Iterable[ast.AST], package: str) -> list[StaticImport]:
    """Return every static import that may run, also in functions and conditions.

    Imports for type checkers only are left out. ``importlib.import_module("a.b")`` counts.

    :param nodes: every node of the module.
    :param package: the package that relative imports start from.
    """
    nodes = list(nodes)
    found = [item for node in nodes for item in _iter_imports(node, package)]
    if not found:
        return []
    never, optional = _find_ranges(nodes)
    return [
        dataclasses.replace(item, optional=_is_inside(item.line, optional))
        for item in found
        if not _is_inside(item.line, never)
    ]


def _iter_imports(node: ast.AST, package: str) -> Iterator[StaticImport]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield _create_import(node, alias.name)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        names = tuple(alias.name for alias in node.names if alias.name != "*")
        yield _create_import(node, to_absolute_name(module, package), names)
    elif isinstance(node, ast.Call) and node.args:
        name = get_dotted_name(node.func).rpartition(".")[2]
        argument = node.args[0]
        if (
            name in _CALLS
            and isinstance(argument, ast.Constant)
            and isinstance(argument.value, str)
            and (len(node.args) == 1 or not argument.value.startswith("."))
        ):
            yield _create_import(node, to_absolute_name(argument.value, package))


def _create_import(
    node: ast.stmt | ast.expr, module: str, names: tuple[str, ...] = ()
) -> StaticImport:
    return StaticImport(module=module, names=names, line=node.lineno, optional=False)


def _find_ranges(nodes: Iterable[ast.AST]) -> tuple[list[_Range], list[_Range]]:
    """Return the lines that only type checkers read, and the lines of optional imports."""
    never: list[_Range] = []
    optional: list[_Range] = []
    for node in nodes:
        if isinstance(node, ast.Try) and any(map(_is_import_caught, node.handlers)):
            optional.append(_get_range([*node.body, *node.handlers]))
        elif isinstance(node, ast.With | ast.AsyncWith) and any(
            _is_suppressing(item.context_expr) for item in node.items
        ):
            optional.append(_get_range(node.body))
        elif isinstance(node, ast.If):
            if _is_type_checking(node.test):
                never.append(_get_range(node.body))
            elif any(name in _CONDITIONS for name in _iter_dotted_names(node.test)):
                optional.append(_get_range([*node.body, *node.orelse]))
    return never, optional


def _is_import_caught(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    if caught is None:
        return True
    types = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(get_dotted_name(item).rpartition(".")[2] in _CAUGHT for item in types)


def _is_suppressing(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and get_dotted_name(node.func).rpartition(".")[2] == "suppress"
        and any(get_dotted_name(item).rpartition(".")[2] in _CAUGHT for item in node.args)
    )


def _is_type_checking(test: ast.expr) -> bool:
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    return any(get_dotted_name(item).rpartition(".")[2] == "TYPE_CHECKING" for item in parts)


def _iter_dotted_names(test: ast.expr) -> Iterator[str]:
    for node in ast.walk(test):
        if isinstance(node, ast.Name | ast.Attribute):
            yield get_dotted_name(node)


def _get_range(nodes: Sequence[ast.stmt | ast.ExceptHandler]) -> _Range:
    return nodes[0].lineno, nodes[-1].end_lineno or nodes[-1].lineno


def _is_inside(line: int, ranges: Iterable[_Range]) -> bool:
    return any(first <= line <= last for first, last in ranges)
