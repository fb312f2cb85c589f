"""Trace the statements that are sent to a database."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from mastra_core.storage.sqlite_database import Statement
from mastra_core.telemetry import Span, get_current_span, is_recording, start_span

__all__ = ("start_database_span",)


def start_database_span(
    statements: Sequence[Statement], namespace: str
) -> contextlib.AbstractContextManager[Span]:
    """Start a span around one transaction, in OpenTelemetry's conventions for databases.

    There is a span only inside of the span of a request or a run. The texts of the statements have
    no values, because all values are bound.

    :param statements: the statements of the transaction.
    :param namespace: the name of the database.
    :returns: a context manager that gives the span; ``None`` if nothing is traced.
    """
    if not is_recording() or get_current_span() is None:
        return contextlib.nullcontext()
    keywords = {each.sql.split(maxsplit=1)[0].upper() for each in statements}
    operation = keywords.pop() if len(keywords) == 1 else ""
    if len(statements) > 1:
        operation = f"BATCH {operation}".rstrip()
    attributes: dict[str, Any] = {
        "db.system.name": "sqlite",
        "db.namespace": namespace,
        "db.operation.name": operation,
        "db.query.text": "; ".join(" ".join(each.sql.split()) for each in statements),
    }
    if len(statements) > 1:
        attributes["db.operation.batch.size"] = len(statements)
    return start_span(f"{operation} {namespace}", attributes, kind="client")
