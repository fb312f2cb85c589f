"""Estimate the memory that an ended span takes."""

from __future__ import annotations

from typing import Any

__all__ = ("estimate_span_size",)

_SPAN_SIZE = 1_024  # bytes of a span without its texts
_SMALL = frozenset((int, float, bool, type(None)))
_TEXTS = (str, bytes)


def estimate_span_size(span: Any) -> int:
    """Return about how many bytes of memory a span takes.

    :param span: a ``LightSpan``, or a span of OpenTelemetry's SDK.
    """
    size = _SPAN_SIZE
    # Another thread may still set an attribute, so the loop needs a copy.
    for value in tuple((span.attributes or {}).values()):
        kind = type(value)
        if kind is str:
            size += len(value)
        elif kind not in _SMALL:
            size += _measure(value)
    for text in getattr(span, "content", {}).values():
        size += len(text)
    if span.events or span.links:
        for part in (*span.events, *span.links):
            size += sum(map(_measure, (part.attributes or {}).values()))
    return size


def _measure(value: Any) -> int:
    """Return the length of a text, or of all texts in a list."""
    if isinstance(value, _TEXTS):
        return len(value)
    if isinstance(value, list | tuple):
        return sum(len(each) for each in value if isinstance(each, _TEXTS))
    return 0
