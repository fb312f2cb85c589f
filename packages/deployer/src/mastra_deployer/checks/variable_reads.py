"""Which environment variables a module reads, found without running it.

Only what is certain: names that are put together at run time are left out.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from mastra_deployer.project.ast_names import Names
from mastra_deployer.project.deployer_argument import is_none

__all__ = ("Read", "variables_read")

_SECRETS = ("mastra_core.Secret.env", "mastra_core.secret.Secret.env")
_GET = ("os.getenv", "os.environ.get")
# What fails without a value, and where among its arguments a fallback stands.
_RAISING = {"os.environ.pop": 1, "os.environ.setdefault": 1, "decouple.config": 1}
_RAISING |= dict.fromkeys(_SECRETS, 9)
_STARLETTE = "starlette.config.Config"
_STARLETTE_PREFIX = 2  # where it takes a prefix of all names
_CAUGHT = {"KeyError", "LookupError", "Exception", "BaseException", "ConfigError"}
_EXITS = ("sys.exit", "os._exit", "exit", "quit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Read:
    """One place that reads a variable.

    :param default: the app goes on without a value.
    """

    name: str
    line: int
    default: bool


def variables_read(tree: ast.Module, names: Names) -> tuple[list[Read], set[str]]:
    """Every read, and the names that the module sets itself.

    A read that stands in a module that also asks whether there is a value has a default.
    """
    visitor = _Visitor(names)
    visitor.visit(tree)
    found = [
        dataclasses.replace(read, default=read.default or read.name in visitor.tested)
        for read in visitor.found
    ]
    return found, visitor.written


class _Visitor(ast.NodeVisitor):
    def __init__(self, names: Names) -> None:
        self._names = names
        self._asked = False  # whether there is a value is only asked for
        self._caught = False  # a missing value is caught
        self._fatal = False  # a missing value ends the app
        self.found: list[Read] = []
        self.tested: set[str] = set()
        self.written: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if _is_main(node.test) or self._names.origin(node.test) == "typing.TYPE_CHECKING":
            self._visit(node.orelse)
            return
        with self._state(_fatal=_ends(node.body), _asked=True):
            self.visit(node.test)
        self._visit([*node.body, *node.orelse])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        with self._state(_asked=True):
            self.visit(node.test)
        self._visit([node.body, node.orelse])

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        with self._state(_asked=True):
            self._visit(node.values[:-1])
        self.visit(node.values[-1])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        with self._state(_asked=self._asked or isinstance(node.op, ast.Not)):
            self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        with self._state(_fatal=True):
            self.visit(node.test)

    def visit_Try(self, node: ast.Try) -> None:
        caught = any(_catches(handler) and not _ends(handler.body) for handler in node.handlers)
        with self._state(_caught=self._caught or caught):
            self._visit(node.body)
        self._visit([*node.handlers, *node.orelse, *node.finalbody])

    def visit_With(self, node: ast.With) -> None:
        calls = [item.context_expr for item in node.items]
        quiet = any(
            isinstance(call, ast.Call)
            and self._names.origin(call.func) == "contextlib.suppress"
            and any(_named(item) in _CAUGHT for item in call.args)
            for call in calls
        )
        self._visit(node.items)
        with self._state(_caught=self._caught or quiet):
            self._visit(node.body)

    def visit_Compare(self, node: ast.Compare) -> None:
        for operator, place in zip(node.ops, node.comparators, strict=True):
            asks = isinstance(operator, ast.In | ast.NotIn)
            if asks and self._names.origin(place) == "os.environ":
                names = self._names.texts(node.left)
                self._add(names, node, default=not self._fatal)
                self.tested.update(() if self._fatal else names)
        with self._state(_asked=True):
            self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self._names.origin(node.value) == "os.environ":
            names = self._names.texts(node.slice)
            if isinstance(node.ctx, ast.Load):
                self._add(names, node, default=self._caught)
            elif isinstance(node.ctx, ast.Store):
                self.written.update(names)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        origin = self._names.origin(node.func)
        given = [*node.args[:1], *(item.value for item in node.keywords if item.arg == "key")]
        names = self._names.texts(given[0]) if given else []
        if origin == "os.environ.update":
            self._update(node)
        elif origin in _GET:
            fallback = _fallback(node, 1)
            self._get(names, node, default=bool(fallback) and not is_none(fallback[0]))
        elif place := self._raising(node, origin):
            self._add(names, node, default=self._caught or bool(_fallback(node, place)))
            self.written.update(names if origin == "os.environ.setdefault" else ())
        with self._state(_asked=_named(node.func) == "bool"):
            self.generic_visit(node)

    def _raising(self, node: ast.Call, origin: str) -> int:
        """Where the fallback of a call stands that fails without a value; 0 for other calls."""
        if origin in _RAISING:
            return _RAISING[origin]
        maker = self._names.maker(node.func)
        made = self._names.origin(maker.func) if maker else ""
        prefixed = maker is not None and (
            len(maker.args) > _STARLETTE_PREFIX
            or any(item.arg in ("env_prefix", None) for item in maker.keywords)
        )
        return 2 if made == _STARLETTE and not prefixed else 0

    def _get(self, names: list[str], node: ast.Call, *, default: bool) -> None:
        asked = self._asked and not self._fatal
        self._add(names, node, default=default or asked)
        self.tested.update(names if asked else ())

    def _add(self, names: list[str], node: ast.expr, *, default: bool) -> None:
        self.found += [Read(name=name, line=node.lineno, default=default) for name in names]

    def _update(self, node: ast.Call) -> None:
        keys = [key for item in node.args if isinstance(item, ast.Dict) for key in item.keys if key]
        self.written.update(text for key in keys for text in self._names.texts(key))
        self.written |= {item.arg for item in node.keywords if item.arg}

    def _visit(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    @contextlib.contextmanager
    def _state(self, **state: bool) -> Iterator[None]:
        before = {name: getattr(self, name) for name in state}
        vars(self).update(state)
        yield
        vars(self).update(before)


def _fallback(node: ast.Call, place: int) -> list[ast.expr]:
    return [*node.args[place:], *(it.value for it in node.keywords if it.arg == "default")]


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and _named(test.left) == "__name__"
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _ends(body: Sequence[ast.stmt]) -> bool:
    """Whether a block leaves with an error."""
    last = body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return ast.unparse(last.value.func) in _EXITS
    return isinstance(last, ast.Raise)


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or _named(kind) in _CAUGHT for kind in kinds)


def _named(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
