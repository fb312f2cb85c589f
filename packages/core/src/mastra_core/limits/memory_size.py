"""Estimate the memory that JSON data takes as Python objects."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.schema import dump

__all__ = ("estimate_json_size", "estimate_size")

_VALUE_SIZE = 64  # bytes of a small object, or of an entry of a list or dictionary


def estimate_size(value: Any) -> int:
    """Estimate the bytes that a value takes in memory.

    :param value: data that can be encoded as JSON.
    """
    if value is None or isinstance(value, bool | int | float):
        return _VALUE_SIZE
    if isinstance(value, str | bytes):
        return _VALUE_SIZE + len(value)
    return estimate_json_size(msgspec.json.encode(value, enc_hook=dump))


def estimate_json_size(raw: bytes) -> int:
    """Estimate the bytes that JSON takes in memory when it is decoded.

    :param raw: the JSON.
    """
    values = raw.count(b",") + raw.count(b":") + raw.count(b"{") + raw.count(b"[")
    return _VALUE_SIZE * (1 + values) + len(raw)
