"""Find the environment variables that a module reads, without running the module.

Only certain reads count. Names that are computed at run time are skipped.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from mastra_deployer.project.ast_names import NameResolver
from mastra_deployer.project.deployer_argument import is_none

__all__ = ("VariableRead", "find_variable_reads")

_SECRETS = ("mastra_core.Secret.env", "mastra_core.secret.Secret.env")
_GET = ("os.getenv", "os.environ.get")
# Calls that fail without a value, with the position of their fallback argument.
_RAISING = {"os.environ.pop": 1, "os.environ.setdefault": 1, "decouple.config": 1}
_RAISING |= dict.fromkeys(_SECRETS, 9)
_STARLETTE = "starlette.config.Config"
_STARLETTE_PREFIX = 2  # position of its argument that prefixes every name
_CAUGHT = {"KeyError", "LookupError", "Exception", "BaseException", "ConfigError"}
_EXITS = ("sys.exit", "os._exit", "exit", "quit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariableRead:
    """A place in the code that reads a variable.

    :param name: the name of the variable.
    :param line: the number of the line in the source file.
    :param default: whether the app works without a value.
    """

    name: str
    line: int
    default: bool


def find_variable_reads(
    tree: ast.Module, names: NameResolver
) -> tuple[list[VariableRead], set[str]]:
    """Return all reads of variables, and the names that the module sets itself.

    If a module tests whether a variable has a value, all its reads of that variable count as reads
    with a default.

    :param tree: the module.
    :param names: resolves the names in the module.
    """
    visitor = _Visitor(names)
    visitor.visit(tree)
    reads = [
        dataclasses.replace(read, default=read.default or read.name in visitor.tested)
        for read in visitor.reads
    ]
    return reads, visitor.written


class _Visitor(ast.NodeVisitor):
    def __init__(self, names: NameResolver) -> None:
        self._names = names
        self._in_test = False  # the code only tests whether there is a value
        self._in_guard = False  # an error for a missing value is caught
        self._in_required = False  # a missing value ends the app
        self.reads: list[VariableRead] = []
        self.tested: set[str] = set()
        self.written: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if _is_main(node.test) or self._names.resolve_origin(node.test) == "typing.TYPE_CHECKING":
            self._visit_all(node.orelse)
            return
        with self._override_state(_in_required=_is_fatal(node.body), _in_test=True):
            self.visit(node.test)
        self._visit_all([*node.body, *node.orelse])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        with self._override_state(_in_test=True):
            self.visit(node.test)
        self._visit_all([node.body, node.orelse])

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        with self._override_state(_in_test=True):
            self._visit_all(node.values[:-1])
        self.visit(node.values[-1])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        with self._override_state(_in_test=self._in_test or isinstance(node.op, ast.Not)):
            self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        with self._override_state(_in_required=True):
            self.visit(node.test)

    def visit_Try(self, node: ast.Try) -> None:
        is_caught = any(
            _is_catching(handler) and not _is_fatal(handler.body) for handler in node.handlers
        )
        with self._override_state(_in_guard=self._in_guard or is_caught):
            self._visit_all(node.body)
        self._visit_all([*node.handlers, *node.orelse, *node.finalbody])

    def visit_With(self, node: ast.With) -> None:
        calls = [item.context_expr for item in node.items]
        is_suppressed = any(
            isinstance(call, ast.Call)
            and self._names.resolve_origin(call.func) == "contextlib.suppress"
            and any(_get_name(item) in _CAUGHT for item in call.args)
            for call in calls
        )
        self._visit_all(node.items)
        with self._override_state(_in_guard=self._in_guard or is_suppressed):
            self._visit_all(node.body)

    def visit_Compare(self, node: ast.Compare) -> None:
        for operator, container in zip(node.ops, node.comparators, strict=True):
            is_membership = isinstance(operator, ast.In | ast.NotIn)
            if is_membership and self._names.resolve_origin(container) == "os.environ":
                names = self._names.resolve_strings(node.left)
                self._add_reads(names, node, default=not self._in_required)
                self.tested.update(() if self._in_required else names)
        with self._override_state(_in_test=True):
            self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self._names.resolve_origin(node.value) == "os.environ":
            names = self._names.resolve_strings(node.slice)
            if isinstance(node.ctx, ast.Load):
                self._add_reads(names, node, default=self._in_guard)
            elif isinstance(node.ctx, ast.Store):
                self.written.update(names)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        origin = self._names.resolve_origin(node.func)
        arguments = [*node.args[:1], *(item.value for item in node.keywords if item.arg == "key")]
        names = self._names.resolve_strings(arguments[0]) if arguments else []
        if origin == "os.environ.update":
            self._add_written(node)
        elif origin in _GET:
            fallback = _get_fallbacks(node, 1)
            self._add_lookup(names, node, default=bool(fallback) and not is_none(fallback[0]))
        elif position := self._get_fallback_position(node, origin):
            self._add_reads(
                names, node, default=self._in_guard or bool(_get_fallbacks(node, position))
            )
            self.written.update(names if origin == "os.environ.setdefault" else ())
        with self._override_state(_in_test=_get_name(node.func) == "bool"):
            self.generic_visit(node)

    def _get_fallback_position(self, node: ast.Call, origin: str) -> int:
        """Return the position of the fallback in a call that fails without a value, or else 0."""
        if origin in _RAISING:
            return _RAISING[origin]
        maker = self._names.find_constructor_call(node.func)
        constructor = self._names.resolve_origin(maker.func) if maker else ""
        has_prefix = maker is not None and (
            len(maker.args) > _STARLETTE_PREFIX
            or any(item.arg in ("env_prefix", None) for item in maker.keywords)
        )
        return 2 if constructor == _STARLETTE and not has_prefix else 0

    def _add_lookup(self, names: list[str], node: ast.Call, *, default: bool) -> None:
        is_test = self._in_test and not self._in_required
        self._add_reads(names, node, default=default or is_test)
        self.tested.update(names if is_test else ())

    def _add_reads(self, names: list[str], node: ast.expr, *, default: bool) -> None:
        self.reads += [VariableRead(name=name, line=node.lineno, default=default) for name in names]

    def _add_written(self, node: ast.Call) -> None:
        keys = [key for item in node.args if isinstance(item, ast.Dict) for key in item.keys if key]
        self.written.update(text for key in keys for text in self._names.resolve_strings(key))
        self.written |= {item.arg for item in node.keywords if item.arg}

    def _visit_all(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    @contextlib.contextmanager
    def _override_state(self, **state: bool) -> Iterator[None]:
        before = {name: getattr(self, name) for name in state}
        vars(self).update(state)
        yield
        vars(self).update(before)


def _get_fallbacks(node: ast.Call, position: int) -> list[ast.expr]:
    return [*node.args[position:], *(it.value for it in node.keywords if it.arg == "default")]


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and _get_name(test.left) == "__name__"
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _is_fatal(body: Sequence[ast.stmt]) -> bool:
    """Return whether a block ends with an error or an exit."""
    last = body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return ast.unparse(last.value.func) in _EXITS
    return isinstance(last, ast.Raise)


def _is_catching(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or _get_name(kind) in _CAUGHT for kind in kinds)


def _get_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
