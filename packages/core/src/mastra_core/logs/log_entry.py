"""Read what a log record says, so that another thread can write it as a line of JSON."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mastra_core.logs.credential_masking import (
    get_secret_values,
    mask_credentials,
    mask_json,
)
from mastra_core.logs.log_fields import get_log_fields
from mastra_core.logs.log_records import convert_level, find_trace_ids, read_extra_fields

__all__ = ("LogEntry", "format_entries", "format_entry", "measure_entry", "read_entry")

_SCALARS = frozenset((int, float, bool, type(None)))
_ENTRY_SIZE = 768  # bytes that an entry takes beside its texts
_FORMATTER = logging.Formatter()
_MAX_SECRET_SETS = 2  # in lines that are masked together
_ENCODER = msgspec.json.Encoder(enc_hook=str)


class LogEntry(msgspec.Struct, gc=False):
    """The content of a log record, read by the code that logs the record.

    :param created: seconds since the epoch.
    :param level: the number of the level.
    :param level_name: the name of the level.
    :param name: the name of the logger.
    :param message: the message with its arguments inserted.
    :param ids: the ids of the trace and the span; zeros outside of a span.
    :param scope: the fields of the request and the run.
    :param extra: the fields that the caller has passed; credentials are not masked.
    :param error: the traceback, or an empty text.
    :param secrets: the values that the line must not show.
    """

    created: float
    level: int
    level_name: str
    name: str
    message: str
    ids: tuple[int, int]
    scope: Mapping[str, Any]
    extra: Mapping[str, Any]
    error: str
    secrets: tuple[str, ...]


def read_entry(record: logging.LogRecord) -> LogEntry:
    """Return the content of a log record.

    :param record: the log record.
    """
    message = record.msg
    return LogEntry(
        record.created,
        record.levelno,
        record.levelname,
        record.name,
        message if type(message) is str and not record.args else record.getMessage(),
        find_trace_ids(),
        get_log_fields(),
        read_extra_fields(record),
        _FORMATTER.formatException(record.exc_info) if record.exc_info else "",
        get_secret_values(),
    )


def measure_entry(entry: LogEntry) -> int:
    """Estimate the bytes of memory that an entry takes; return 0 if a field may be mutable.

    An entry of size 0 must be formatted at once, before the application changes the object.

    :param entry: the entry.
    """
    size = _ENTRY_SIZE + len(entry.message) + len(entry.error)
    for fields in (entry.scope, entry.extra):
        for value in fields.values():
            kind = type(value)
            if kind is str:
                size += len(value)
            elif kind not in _SCALARS:
                return 0
    return size


def format_entry(entry: LogEntry) -> str:
    """Return the line of JSON of an entry; credentials are masked.

    :param entry: the entry.
    """
    return mask_json(_encode(_build_line(entry)), entry.secrets)


def format_entries(entries: Sequence[LogEntry]) -> list[str]:
    """Return the lines of JSON of entries; all lines are encoded and masked together.

    :param entries: the entries.
    """
    secret_sets = {id(entry.secrets): entry.secrets for entry in entries}
    if len(secret_sets) > _MAX_SECRET_SETS:  # each of them would search all lines
        return [format_entry(entry) for entry in entries]
    try:
        text = _ENCODER.encode_lines([_build_line(entry) for entry in entries]).decode()
    except ValueError:  # of one line
        return [format_entry(entry) for entry in entries]
    for secrets in secret_sets.values():
        text = mask_json(text, secrets)
    lines = text.split("\n")
    lines.pop()  # what follows the last line
    return lines


def _build_line(entry: LogEntry) -> dict[str, Any]:
    line: dict[str, Any] = {
        "time": _format_time(entry.created),
        "level": convert_level(entry.level, entry.level_name),
        "name": entry.name,
        "msg": entry.message,
    }
    trace_id, span_id = entry.ids
    if trace_id:
        line["trace_id"], line["span_id"] = f"{trace_id:032x}", f"{span_id:016x}"
    own = line.copy() if _has_same_name(line, entry) else None
    line.update(mask_credentials(entry.scope))
    if entry.extra:
        line.update(mask_credentials(entry.extra))
    if own:  # a caller's field cannot replace one of these
        line.update(own)
    if entry.error:
        line["error"] = entry.error
    return line


def _has_same_name(line: dict[str, Any], entry: LogEntry) -> bool:
    """Return whether a field of the caller or the scope has the name of a standard field."""
    names = line.keys()
    return not (names.isdisjoint(entry.scope) and names.isdisjoint(entry.extra))


def _format_time(seconds: float) -> str:
    second = int(seconds)
    return f"{_format_second(second)}.{int((seconds - second) * 1000):03d}Z"


@functools.lru_cache(maxsize=2)
def _format_second(second: int) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).replace(tzinfo=None).isoformat()


def _encode(line: dict[str, Any]) -> str:
    try:
        return _ENCODER.encode(line).decode()
    except ValueError:  # half of a surrogate pair, or a giant number
        from mastra_core.json_repair import repair_data

        builtins = msgspec.to_builtins(line, enc_hook=str, str_keys=True)
        return msgspec.json.encode(repair_data(builtins)).decode()
