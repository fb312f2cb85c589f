"""Read the fields of log records, with credentials masked."""

from __future__ import annotations

import itertools
import logging
import sys
from typing import Any

from mastra_core.logs.credential_masking import mask_credentials, mask_secret_values
from mastra_core.logs.log_fields import get_log_fields

__all__ = ("copy_record", "get_all_fields", "get_extra_fields", "get_level_name", "get_trace_ids")

_RECORD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_STANDARD_COUNT = len(vars(logging.makeLogRecord({})))
_FORMATTER = logging.Formatter()


def get_extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that the caller has passed as ``extra``; credentials are masked.

    :param record: the log record.
    """
    attributes = vars(record)
    added = itertools.islice(attributes.items(), _STANDARD_COUNT, None)  # they come last
    extra = {key: value for key, value in added if key not in _RECORD_ATTRIBUTES}
    return mask_credentials(extra) if extra else extra


def get_all_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record's scope and its ``extra`` fields; credentials are masked.

    :param record: the log record.
    """
    return {**get_log_fields(), **get_extra_fields(record)}


def get_level_name(record: logging.LogRecord) -> str:
    """Return the level of a record as a key of ``LEVELS``.

    :param record: the log record.
    """
    return "warn" if record.levelno == logging.WARNING else record.levelname.lower()


def get_trace_ids() -> dict[str, str]:
    """Return the ids of the current span, without loading OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    context = trace.get_current_span().get_span_context() if trace else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def copy_record(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record that another thread may handle: its texts are final and masked.

    :param record: the log record.
    """
    fields = vars(record).copy()
    fields |= {**get_all_fields(record), **get_trace_ids()}
    fields["msg"], fields["args"] = mask_secret_values(record.getMessage()), None
    if record.exc_info:
        fields["exc_text"] = mask_secret_values(_FORMATTER.formatException(record.exc_info))
        fields["exc_info"] = None
    return logging.makeLogRecord(fields)
