"""Convert the statements and texts of a storage to the form that PostgreSQL expects.

The statements are in SQL that SQLite and PostgreSQL both understand, except for the expressions
that this module replaces. PostgreSQL stores no U+0000 in a text, so this module escapes the
character: U+0000 becomes U+F8FF and ``0``, and U+F8FF itself becomes U+F8FF and ``1``.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import msgspec

from mastra_core.storage.sql_rows import JsonNames, JsonText, encode_names
from mastra_core.storage.sql_select import HAS_METADATA

__all__ = ("decode_row", "encode_value", "translate_sql")

_NULL = "\x00"
_ESCAPE = "\uf8ff"
# Few rows contain the wanted values in any way, and only those are compared key by key.
_HAS_METADATA = """(SELECT mastra_parse_json(convert_from(metadata, 'UTF8'))
        @> mastra_parse_json(wanted) AND mastra_has_metadata(metadata, wanted)
    FROM (SELECT CAST(? AS text) AS wanted) AS criteria)"""
_EXPRESSIONS = (
    (re.compile(re.escape(HAS_METADATA)), _HAS_METADATA),
    (re.compile(r"json_each\(([^()]*)\)"), r"json_array_elements_text(CAST(\1 AS json)) AS value"),
    (re.compile(r"\bmax\((\w+(?: \+ 1)?), \?\)"), r"greatest(\1, ?)"),
    (re.compile("%"), "%%"),
    (re.compile(r"\?"), "%s"),
)


@functools.lru_cache(maxsize=512)
def translate_sql(sql: str) -> bytes:
    """Translate a statement of SQLite for PostgreSQL; placeholders become ``%s``.

    :param sql: the statement, which has no quoted question marks.
    """
    for pattern, replacement in _EXPRESSIONS:
        sql = pattern.sub(replacement, sql)
    return sql.encode()


def encode_value(value: Any) -> Any:
    """Return a value that PostgreSQL can store.

    :param value: the value of a statement.
    """
    if isinstance(value, JsonNames):
        return _encode_names(value)
    if isinstance(value, JsonText):
        return str(value)
    return _encode_text(value) if isinstance(value, str) else value


def decode_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Decode the texts that ``encode_value`` has encoded.

    :param row: the row of PostgreSQL.
    """
    if not any(isinstance(value, str) and _ESCAPE in value for value in row):
        return row
    return tuple(_decode_text(value) if isinstance(value, str) else value for value in row)


def _encode_names(names: JsonNames) -> str:
    if "\\u0000" not in names and _ESCAPE not in names:
        return str(names)
    return str(encode_names(map(_encode_text, msgspec.json.decode(str(names), type=list[str]))))


def _encode_text(text: str) -> str:
    if _NULL not in text and _ESCAPE not in text:
        return text
    return text.replace(_ESCAPE, f"{_ESCAPE}1").replace(_NULL, f"{_ESCAPE}0")


def _decode_text(text: str) -> str:
    return text.replace(f"{_ESCAPE}0", _NULL).replace(f"{_ESCAPE}1", _ESCAPE)
