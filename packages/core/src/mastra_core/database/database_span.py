"""Trace the statements that are sent to a database, in OpenTelemetry's conventions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from mastra_core.database.url import DatabaseUrl
from mastra_core.telemetry import get_current_span, is_recording, start_span

if TYPE_CHECKING:
    from mastra_core.telemetry import Span

__all__ = ("TracedDatabase", "describe_database", "trace_transaction")

_POSTGRESQL_PORT = 5432
_Block = contextlib.AbstractContextManager[list[str] | None]


class TracedDatabase(NamedTuple):
    """The attributes that the spans of a database have in common.

    :param system: the kind of the database, as a value of the attribute ``db.system.name``.
    :param namespace: the name of the database.
    :param address: the host of the server; empty for a file.
    :param port: the port of the server.
    """

    system: str
    namespace: str
    address: str = ""
    port: int = 0


def describe_database(url: DatabaseUrl) -> TracedDatabase:
    """Return the attributes that the spans of a PostgreSQL database have in common.

    :param url: the database.
    """
    parts = urlsplit(url.display)
    name = unquote(parts.path.rpartition("/")[2])  # the path of a socket comes before it
    return TracedDatabase("postgresql", name, parts.hostname or "", parts.port or _POSTGRESQL_PORT)


def trace_transaction(database: TracedDatabase, texts: Iterable[str] = ()) -> _Block:
    """Start a span around one transaction.

    A span is recorded only inside the span of a request or a run. The texts of the statements
    contain no data of the application, because every value is a bound parameter.

    :param database: the database.
    :param texts: the statements that are known before the transaction begins.
    :returns: a context manager that yields the list of the statements, or ``None`` if nothing is
        traced. The block may add statements to the list.
    """
    if not is_recording() or get_current_span() is None:
        return contextlib.nullcontext()
    return _trace_transaction(database, list(texts))


@contextlib.contextmanager
def _trace_transaction(database: TracedDatabase, texts: list[str]) -> Iterator[list[str]]:
    attributes: dict[str, Any] = {
        "db.system.name": database.system,
        "db.namespace": database.namespace,
    }
    if database.address:
        attributes |= {"server.address": database.address, "server.port": database.port}
    with start_span(database.namespace, attributes, kind="client") as span:
        try:
            yield texts
        except Exception as error:
            _record_code(span, error)
            raise
        finally:
            _record_statements(span, database, texts)


def _record_statements(span: Span, database: TracedDatabase, texts: list[str]) -> None:
    if span is None or not texts:
        return
    keywords = {text.split(maxsplit=1)[0].upper() for text in texts}
    operation = keywords.pop() if len(keywords) == 1 else ""
    if len(texts) > 1:
        operation = f"BATCH {operation}".rstrip()
        span.set_attribute("db.operation.batch.size", len(texts))
    span.set_attribute("db.operation.name", operation)
    different = dict.fromkeys(" ".join(text.split()) for text in texts)
    span.set_attribute("db.query.text", "; ".join(different))
    span.update_name(f"{operation} {database.namespace}")


def _record_code(span: Span, error: Exception) -> None:
    """Record the code of the server's error, such as ``57014``."""
    code = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
    if span is not None and code:
        span.set_attributes({"db.response.status_code": code, "error.type": code})
