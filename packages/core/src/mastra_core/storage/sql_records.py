"""Records that expire, in a database that several processes share."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.override import override
from mastra_core.storage.protocol import RecordStore
from mastra_core.storage.records import now
from mastra_core.storage.sql_database import Lock, Result, SqlDatabase, Statement
from mastra_core.storage.sql_rows import check_row_size

__all__ = ("SqlRecords",)

_PUT = """INSERT INTO mastra_records (kind, id, owner, caller, expires_at, data)
    SELECT ?, ?, ?, ?, ?, ? WHERE true ON CONFLICT (kind, id) DO NOTHING"""
_GET = """SELECT data FROM mastra_records
    WHERE kind = ? AND id = ? AND owner = ? AND expires_at > ?"""
_DELETE = "DELETE FROM mastra_records WHERE kind = ? AND id = ? AND owner = ? AND expires_at > ?"
_DELETE_OLD = "DELETE FROM mastra_records WHERE expires_at <= ?"
_DELETE_EXCESS = """DELETE FROM mastra_records WHERE kind = ? AND caller = ? AND id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER latest AS place, sum(length(data)) OVER latest AS size
        FROM mastra_records WHERE kind = ? AND caller = ?
        WINDOW latest AS (ORDER BY expires_at DESC, id)) AS ranked
    WHERE place > ? OR size > ? LIMIT ?)"""
_KIND = "response"
_MAX_AGE = 24 * 3600 * 1000  # milliseconds
_MAX_RECORDS = 1000  # of a caller; the oldest records are removed
_MAX_EXCESS = 1000  # rows that one call deletes


class SqlRecords(RecordStore):
    """The responses of the Responses API; each caller has a maximum number of them.

    :param database: the database.
    :param max_bytes_per_caller: maximum size of the records of a caller; the oldest records are
        removed.
    """

    def __init__(
        self, database: SqlDatabase, *, max_bytes_per_caller: int = 64 * 1024 * 1024
    ) -> None:
        self._database = database
        self._max_bytes = max_bytes_per_caller

    @override
    async def put(self, record_id: str, owner: str, caller: str, data: bytes) -> None:
        moment = now()
        row = (_KIND, record_id, owner, caller, moment + _MAX_AGE, data)
        check_row_size(row, f"{_KIND} {record_id!r}", self._database.max_row_bytes)
        whose = (_KIND, caller)
        statements = [
            Statement(_DELETE_OLD, (moment,)),
            Statement(_PUT, row),
            Statement(_DELETE_EXCESS, (*whose, *whose, _MAX_RECORDS, self._max_bytes, _MAX_EXCESS)),
        ]
        lock = Lock(f"mastra_records {_KIND} {caller}")
        await self._database.execute(statements, lambda _: None, writes=True, locks=[lock])

    @override
    async def get(self, record_id: str, owner: str) -> bytes | None:
        def convert(results: Sequence[Result]) -> bytes | None:
            return results[0].rows[0][0] if results[0].rows else None

        statement = Statement(_GET, (_KIND, record_id, owner, now()))
        return await self._database.execute([statement], convert)

    @override
    async def delete(self, record_id: str, owner: str) -> bool:
        statement = Statement(_DELETE, (_KIND, record_id, owner, now()))
        return await self._database.execute(
            [statement], lambda results: results[0].changes > 0, writes=True
        )
