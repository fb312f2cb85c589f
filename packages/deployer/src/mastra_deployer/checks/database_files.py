"""Databases in files that are written in code: where, and what overrides them."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator

from mastra_deployer.checks.value_problems import is_file_store
from mastra_deployer.project.ast_names import Code, Names

__all__ = ("Store", "stores")

_OPENING = (
    "sqlite3.connect",
    "sqlite3.dbapi2.connect",
    "aiosqlite.connect",
    "apsw.Connection",
    "duckdb.connect",
    "libsql.connect",
    "mastra_core.SqliteStorage",
    "mastra_core.storage.SqliteStorage",
)
_DJANGO = "django.db.backends.sqlite3"
_URL = re.compile(r"(sqlite3?|sqlite\+\w+|duckdb|libsql:file):", re.IGNORECASE)
_FILE_URL = re.compile(r"file:.+\.(db|db3|sqlite|sqlite3|duckdb)(\?.*)?", re.IGNORECASE)
_BEGINNING = re.compile(r"(sqlite3?|sqlite\+\w+|duckdb):///", re.IGNORECASE)
_GET = ("os.getenv", "os.environ.get")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Store:
    """A database in a file.

    :param text: as the source has it, without keys; what is known only at run time is ``...``.
    :param variable: the one it is the fallback of, or empty.
    """

    text: str
    line: int
    variable: str = ""


def stores(code: Code, names: Names) -> Iterator[Store]:
    """Every one that a module certainly names, each line once."""
    fallbacks = dict(_fallbacks(code, names))
    ignored = set(_unused(code))
    seen: set[int] = set()
    for node in code.nodes:
        if not isinstance(node, ast.expr) or id(node) in ignored or node.lineno in seen:
            continue
        if text := _opened(node, names) or _written(node, id(node) in fallbacks):
            seen.add(node.lineno)
            variable = fallbacks.get(id(node), "")
            yield Store(text=_shown(text), line=node.lineno, variable=variable)


def _shown(text: str) -> str:
    """A URL without what may be a key: options, and what stands before ``@``."""
    return re.sub(r"//[^/]*@", "//****@", text.partition("?")[0])


def _opened(node: ast.expr, names: Names) -> str:
    """The file that a call opens, where the call says it."""
    if not isinstance(node, ast.Call) or names.origin(node.func) not in _OPENING:
        return ""
    given = [*node.args[:1], *(it.value for it in node.keywords if it.arg in ("database", "path"))]
    text = names.text(given[0]) if given else None
    if text is None or ":memory:" in text or "mode=" in text or not text:
        return ""
    return text


def _written(node: ast.expr, fallback: bool) -> str:
    """The file that a string names; a bare path does only as the fallback of a variable."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
        known = _URL.match(text) or _FILE_URL.fullmatch(text) or text == _DJANGO or fallback
        # Words after it make it a sentence, or SQL.
        return text if known and " " not in text and _is_store(text) else ""
    if isinstance(node, ast.JoinedStr) and node.values:
        first = node.values[0]
        text = str(first.value) if isinstance(first, ast.Constant) else ""
        return f"{text}..." if _BEGINNING.match(text) else ""
    return ""


def _is_store(text: str) -> bool:
    return text == _DJANGO or is_file_store(text)


def _fallbacks(code: Code, names: Names) -> Iterator[tuple[int, str]]:
    """Expressions that stand in for a variable: ``os.getenv("X", HERE)``, ``os.getenv("X") or``."""
    for node in code.nodes:
        if isinstance(node, ast.Call) and names.origin(node.func) in _GET and node.args:
            name = names.text(node.args[0]) or ""
            others = [*node.args[1:], *(it.value for it in node.keywords if it.arg == "default")]
            yield from ((id(other), name) for other in others)
        elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            first = node.values[0]
            if isinstance(first, ast.Call) and names.origin(first.func) in _GET and first.args:
                name = names.text(first.args[0]) or ""
                yield from ((id(other), name) for other in node.values[1:])


def _unused(code: Code) -> Iterator[int]:
    """Docstrings, parts of f-strings, and what is only compared."""
    for node in code.nodes:
        if isinstance(node, ast.Expr | ast.JoinedStr | ast.Compare):
            skipped = ast.iter_child_nodes(node)
            yield from (id(item) for item in skipped if isinstance(item, ast.Constant))
