"""Estimate the memory that JSON data takes as Python objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core.schema import dump

__all__ = ("estimate_context_size", "estimate_json_size", "estimate_size")

_VALUE_SIZE = 64  # bytes of a small object, or of an entry of a list or dictionary
_WIDE_SIZE = 5  # bytes of a character in a text with an emoji: 4, and at least 1 of its UTF-8
_SCALARS = frozenset((int, float, bool, type(None)))
_JSON_TYPES = _SCALARS | {dict, list, str}


def estimate_size(value: Any) -> int:
    """Estimate the bytes that a value takes in memory.

    An object that cannot be encoded as JSON counts as one value.

    :param value: JSON builtins and objects.
    """
    if type(value) in _SCALARS:
        return _VALUE_SIZE
    if isinstance(value, str) and not value.isascii():
        return _VALUE_SIZE + value.__sizeof__()
    if isinstance(value, str | bytes):
        return _VALUE_SIZE + len(value)
    return estimate_json_size(msgspec.json.encode(value, enc_hook=_encode_object))


def estimate_context_size(context: Mapping[str, Any]) -> int:
    """Estimate the bytes that a request context takes in memory.

    An object that a middleware stores in the context belongs to the application, so the object
    counts as one value.

    :param context: the request context.
    """
    if not context:
        return 0
    data = {key: each if type(each) in _JSON_TYPES else None for key, each in context.items()}
    try:
        return estimate_size(data)
    except (TypeError, ValueError, RecursionError):  # stored by a middleware, not sent by a caller
        return sum(_VALUE_SIZE + len(key) + _estimate_any_size(each) for key, each in data.items())


def estimate_json_size(raw: bytes) -> int:
    """Estimate the memory that JSON takes after decoding, in bytes.

    :param raw: the JSON.
    """
    values = raw.count(b",") + raw.count(b":") + raw.count(b"{") + raw.count(b"[")
    text = len(raw) if raw.isascii() else len(raw) * _WIDE_SIZE
    return _VALUE_SIZE * (1 + values) + text


def _encode_object(value: Any) -> Any:
    """Convert an object to JSON builtins, or to ``None`` if that is impossible."""
    try:
        return dump(value)
    except (TypeError, ValueError):
        return None


def _estimate_any_size(value: Any) -> int:
    """Estimate the size of a value, even if it cannot be encoded as JSON."""
    try:
        return estimate_size(value)
    except (TypeError, ValueError, RecursionError):
        return _VALUE_SIZE
