"""Read the fields of log records, with credentials masked."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Mapping
from typing import Any

from mastra_core.logs.credential_masking import (
    mask_credentials,
    mask_nested_secrets,
    mask_secret_values,
)
from mastra_core.logs.log_fields import get_log_fields

__all__ = (
    "convert_level",
    "copy_record",
    "find_trace_ids",
    "get_extra_fields",
    "read_extra_fields",
)

_RECORD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_STANDARD_COUNT = len(vars(logging.makeLogRecord({})))
_FORMATTER = logging.Formatter()
_NO_FIELDS: Mapping[str, Any] = {}
_NO_IDS = (0, 0)


def read_extra_fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return the fields that the caller has passed as ``extra``; credentials are not masked.

    :param record: the log record.
    """
    attributes = record.__dict__
    if len(attributes) <= _STANDARD_COUNT:
        return _NO_FIELDS
    added = itertools.islice(attributes.items(), _STANDARD_COUNT, None)  # they come last
    return {key: value for key, value in added if key not in _RECORD_ATTRIBUTES}


def get_extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that the caller has passed as ``extra``; credentials are masked.

    :param record: the log record.
    """
    return mask_credentials(read_extra_fields(record))


def convert_level(level: int, name: str) -> str:
    """Return a level of ``logging`` as a key of ``LEVELS``.

    :param level: the number of the level.
    :param name: the name of the level.
    """
    return "warn" if level == logging.WARNING else name.lower()


def find_trace_ids() -> tuple[int, int]:
    """Return the ids of the current trace and span, or zeros, without loading OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return _NO_IDS
    span = trace.get_current_span()
    if span is trace.INVALID_SPAN:
        return _NO_IDS
    context = span.get_span_context()
    return (context.trace_id, context.span_id) if context.is_valid else _NO_IDS


def copy_record(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record that another thread may handle: its texts are final and masked.

    An object whose text shows a known secret is replaced by the masked text.

    :param record: the log record.
    """
    fields = vars(record).copy()
    extra = mask_credentials({**get_log_fields(), **read_extra_fields(record)})
    fields |= {name: mask_nested_secrets(value) for name, value in extra.items()}
    trace_id, span_id = find_trace_ids()
    if trace_id:
        fields |= {"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}"}
    fields["msg"], fields["args"] = mask_secret_values(record.getMessage()), None
    if record.exc_info:
        fields["exc_text"] = mask_secret_values(_FORMATTER.formatException(record.exc_info))
        fields["exc_info"] = None
    return logging.makeLogRecord(fields)
