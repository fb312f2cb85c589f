"""Execute statements on Cloudflare D1.

Objects of one request cannot be used in another, so each call fetches the binding of its own
request by name. The call sends its statements as one batch, which is one transaction.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from mastra_core.database.database_span import TracedDatabase, trace_transaction
from mastra_core.database.encodable_text import check_encodable
from mastra_core.database.table_versions import Schema
from mastra_core.errors import ConfigError, MastraError, StorageError
from mastra_core.storage.d1_binding import D1Binding, get_binding
from mastra_core.storage.d1_errors import is_missing_table, is_transient, to_storage_error
from mastra_core.storage.sql_database import Lock, Result, Statement
from mastra_core.storage.sqlite_schema import BLOB_COLUMNS, SCHEMA

__all__ = ("D1Database",)

T = TypeVar("T")
# D1 limits a row to 2,000,000 bytes, with its keys and the numbers of its columns.
_MAX_ROW_BYTES = 1_990_000
# The memory of a Worker is 128 MB, and a result takes several times its size until it is decoded.
_MAX_READ_BYTES = 8_388_608
_MAX_INTEGER = 2**53 - 2  # larger integers become a BigInt in Pyodide, which D1 refuses
# An error undoes a batch. This statement fails if the statement before it has changed no row.
_GUARD = "SELECT CASE WHEN changes() = 0 THEN json('refused') END"
_GUARD_ERROR = "malformed JSON"
# Seconds between attempts, for a batch that D1 did not execute; about 3 seconds in all.
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5)


class D1Database:
    """A D1 database of a Worker.

    :param binding: name of the binding, or an object with the methods of a binding.
    :param schema: the tables.
    :param blob_columns: names of the columns whose values are bytes.
    :raises ConfigError: when the name is not a valid name of a binding.
    """

    max_row_bytes: int | None = _MAX_ROW_BYTES
    max_read_bytes: int | None = _MAX_READ_BYTES

    def __init__(
        self,
        binding: str | D1Binding,
        schema: Schema = SCHEMA,
        blob_columns: Collection[str] = BLOB_COLUMNS,
    ) -> None:
        is_name = isinstance(binding, str) and re.fullmatch(r"[A-Za-z_$][\w$]*", binding, re.ASCII)
        if not is_name and not hasattr(binding, "prepare"):
            raise ConfigError(
                f"{binding!r} cannot be the name of a binding.",
                'Pass the name of a D1 binding of the Worker: "d1:DB".',
            )
        self._binding, self._schema, self._blob_columns = binding, schema, blob_columns
        self.name = binding if isinstance(binding, str) else type(binding).__name__

    async def open(self) -> None:
        """Create or migrate the tables.

        :raises ConfigError: when there is no such binding.
        :raises StorageError: when the database cannot be used, or was written by a newer version of
            mastra.
        """
        version = await self._read_version()
        self._schema.require_known(
            version, f"The D1 database {self.name!r}", "use another database"
        )
        if version < self._schema.newest:
            await self._migrate(version)

    async def execute(
        self,
        statements: Sequence[Statement],
        convert: Callable[[Sequence[Result]], T],
        *,
        writes: bool = False,  # noqa: ARG002  # a batch is a transaction in any case
        locks: Sequence[Lock] = (),  # noqa: ARG002  # D1 executes one batch at a time
        is_conditional: bool = False,  # noqa: ARG002  # nobody writes in between
    ) -> T:
        """Execute statements in one batch, and convert their results.

        :param statements: the statements.
        :param convert: converts the results, one for each statement.
        :param writes: whether a statement changes data.
        :param locks: ignored, because there is one writer at a time.
        :param is_conditional: ignored, because no other caller can write between two statements.
        :raises StorageError: when the database cannot be used.
        """
        traced = TracedDatabase("sqlite", self.name)
        with trace_transaction(traced, (each.sql for each in statements)):
            return convert(await self._send_or_create(statements))

    async def execute_guarded(
        self, statement: Statement, dependents: Sequence[Statement]
    ) -> Sequence[tuple[Any, ...]]:
        """Execute a statement and its dependents in one batch; return the rows of the statement.

        If ``statement`` changes no row, the dependents are not executed, and no rows are returned.

        :param statement: the statement, which changes rows and returns these rows.
        :param dependents: statements that are executed only if ``statement`` changes a row.
        :raises StorageError: when the database cannot be used.
        """
        batch = [statement, Statement(_GUARD), *dependents]
        try:
            return await self.execute(batch, lambda results: results[0].rows, writes=True)
        except StorageError as error:
            if _GUARD_ERROR in str(error.__cause__):
                return ()
            raise

    async def _send_or_create(self, statements: Sequence[Statement]) -> Sequence[Result]:
        """Send statements; create the tables first if they do not exist."""
        try:
            return await self._send(statements)
        except Exception as error:  # JavaScript's errors have no class in CPython
            if not is_missing_table(error):
                raise self._convert_error(error) from error
            await self.open()
            try:
                return await self._send(statements)
            except Exception as repeated:  # see above
                raise self._convert_error(repeated) from repeated

    async def _read_version(self) -> int:
        """Return the version of mastra's tables; 0 if the database has no such tables."""
        try:
            results = await self._send([Statement(self._schema.version_query)])
        except Exception as error:  # see ``_send_or_create``
            if is_missing_table(error):
                return 0
            raise self._convert_error(error) from error
        return int(results[0].rows[0][0])

    async def _migrate(self, version: int) -> None:
        """Migrate the tables, unless another instance does so at the same moment."""
        try:
            await self._send([Statement(sql) for sql in self._schema.build_migration(version)])
        except Exception as error:  # see ``_send_or_create``
            if await self._read_version() != self._schema.newest:
                raise self._convert_error(error) from error

    async def _send(self, statements: Sequence[Statement]) -> list[Result]:
        """Send statements as one batch; repeat a batch that D1 did not execute."""
        for pause in _PAUSES:
            try:
                return await self._try_send(statements)
            except Exception as error:  # see ``_send_or_create``
                if not is_transient(error):
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # instances must not retry at once
        return await self._try_send(statements)

    async def _try_send(self, statements: Sequence[Statement]) -> list[Result]:
        binding: Any = self._binding
        if isinstance(binding, str):
            binding = get_binding(binding)
        convert_values, convert_list = _get_converters(binding)
        batch = [_prepare(binding, each, convert_values) for each in statements]
        results = await binding.batch(convert_list(batch))
        if hasattr(results, "to_py"):
            results = results.to_py()
        return [_parse_result(each, self._blob_columns) for each in results]

    def _convert_error(self, error: Exception) -> Exception:
        return error if isinstance(error, MastraError) else to_storage_error(error, self.name)


def _prepare(binding: D1Binding, statement: Statement, convert: Callable[[Any], Any]) -> Any:
    sql, values = statement.sql, [*statement.values]
    if statement.max_bytes is not None:
        sql = statement.limited_sql
        values.append(statement.max_bytes)
    prepared = binding.prepare(sql)
    return (
        prepared.bind(*(convert(_to_d1_value(value)) for value in values)) if values else prepared
    )


def _to_d1_value(value: Any) -> Any:
    """Convert a value to a value that D1 transports without loss.

    D1 returns bytes as a list of numbers, so bytes that are UTF-8 text are sent as text.
    """
    if isinstance(value, str):  # JavaScript would replace half of a surrogate pair
        check_encodable(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise StorageError(
            f"D1 cannot store the number {value}.", f"Use a number of at most {_MAX_INTEGER}."
        )
    return value


def _parse_result(result: Mapping[str, Any], blob_columns: Collection[str]) -> Result:
    rows = [
        tuple(_to_bytes(value) if name in blob_columns else value for name, value in row.items())
        for row in result["results"]
    ]
    return Result(rows, int(result["meta"].get("changes") or 0))


def _to_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _get_converters(
    binding: Any,
) -> tuple[Callable[[Any], Any], Callable[[list[Any]], Any]]:
    """Return the functions that convert values and lists of statements for a binding.

    A JavaScript binding accepts only JavaScript values. A Python wrapper of a binding converts
    Python values itself.
    """
    if sys.platform == "emscripten":
        from pyodide.ffi import (  # type: ignore[import-not-found,unused-ignore]  # in Pyodide only
            JsProxy,
            jsnull,
            to_js,
        )

        if isinstance(binding, JsProxy):
            return (lambda value: jsnull if value is None else to_js(value)), to_js
    return _keep, _keep


def _keep(value: Any) -> Any:
    return value
