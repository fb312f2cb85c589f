"""Find the database files that code names, and the variables that can name another database."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator

from mastra_deployer.project.ast_names import NameResolver, ParsedModule

__all__ = ("DatabaseFile", "find_database_files", "is_file_store")

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
_STORES = re.compile(r"(sqlite3?|sqlite\+\w+|duckdb|libsql:file|file):(?!/*$)", re.IGNORECASE)
_FILE = re.compile(r"[^\s:,;]+\.(db|db3|sqlite|sqlite3|duckdb)", re.IGNORECASE)
_NO_FILE = (":memory:", "mode=memory", "immutable=1", "mode=ro")
_GET = ("os.getenv", "os.environ.get")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatabaseFile:
    """A database file that the app's source names.

    :param text: the text as written in the source, without keys; a part known only at run time is
        ``...``.
    :param line: the number of the line in the source file.
    :param variable: the environment variable whose fallback is this database, or empty.
    """

    text: str
    line: int
    variable: str = ""


def find_database_files(code: ParsedModule, names: NameResolver) -> Iterator[DatabaseFile]:
    """Yield the databases that a module certainly names, at most one for each line.

    :param code: the module.
    :param names: resolves the names in the module.
    """
    fallbacks = dict(_iter_fallbacks(code, names))
    ignored = set(_iter_ignored(code))
    reported_lines: set[int] = set()
    for node in code.nodes:
        if not isinstance(node, ast.expr) or id(node) in ignored or node.lineno in reported_lines:
            continue
        if text := _get_opened_file(node, names) or _get_named_file(node, id(node) in fallbacks):
            reported_lines.add(node.lineno)
            variable = fallbacks.get(id(node), "")
            yield DatabaseFile(text=_redact_url(text), line=node.lineno, variable=variable)


def is_file_store(value: str) -> bool:
    """Return whether a value names a database file that the app writes to.

    :param value: a URL or a path.
    """
    if any(word in value.lower() for word in _NO_FILE):
        return False
    return bool(_STORES.match(value) or _FILE.fullmatch(value))


def _redact_url(text: str) -> str:
    """Return a URL without options and credentials, because they may contain a key."""
    return re.sub(r"//[^/]*@", "//****@", text.partition("?")[0])


def _get_opened_file(node: ast.expr, names: NameResolver) -> str:
    """Return the file that a call opens; empty if its argument is known only at run time."""
    if not isinstance(node, ast.Call) or names.resolve_origin(node.func) not in _OPENING:
        return ""
    arguments = [
        *node.args[:1],
        *(it.value for it in node.keywords if it.arg in ("database", "path")),
    ]
    text = names.resolve_string(arguments[0]) if arguments else None
    if text is None or ":memory:" in text or "mode=" in text or not text:
        return ""
    return text


def _get_named_file(node: ast.expr, fallback: bool) -> str:
    """Return the database file that a string names; without ``fallback``, it must be a URL."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
        is_known = _URL.match(text) or _FILE_URL.fullmatch(text) or text == _DJANGO or fallback
        # A text with spaces is a sentence or SQL.
        return text if is_known and " " not in text and _is_database(text) else ""
    if isinstance(node, ast.JoinedStr) and node.values:
        first = node.values[0]
        text = str(first.value) if isinstance(first, ast.Constant) else ""
        return f"{text}..." if _BEGINNING.match(text) else ""
    return ""


def _is_database(text: str) -> bool:
    return text == _DJANGO or is_file_store(text)


def _iter_fallbacks(code: ParsedModule, names: NameResolver) -> Iterator[tuple[int, str]]:
    """Yield fallbacks of variables, as in ``os.getenv("X", HERE)`` or ``getenv("X") or HERE``."""
    for node in code.nodes:
        if isinstance(node, ast.Call) and names.resolve_origin(node.func) in _GET and node.args:
            name = names.resolve_string(node.args[0]) or ""
            others = [*node.args[1:], *(it.value for it in node.keywords if it.arg == "default")]
            yield from ((id(other), name) for other in others)
        elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            first = node.values[0]
            if (
                isinstance(first, ast.Call)
                and names.resolve_origin(first.func) in _GET
                and first.args
            ):
                name = names.resolve_string(first.args[0]) or ""
                yield from ((id(other), name) for other in node.values[1:])


def _iter_ignored(code: ParsedModule) -> Iterator[int]:
    """Yield the ids of constants to skip: docstrings, parts of f-strings, and compared values."""
    for node in code.nodes:
        if isinstance(node, ast.Expr | ast.JoinedStr | ast.Compare):
            skipped = ast.iter_child_nodes(node)
            yield from (id(item) for item in skipped if isinstance(item, ast.Constant))
