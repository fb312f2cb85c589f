"""Estimate the memory that an ended span takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ("estimate_span_size",)

_SPAN_SIZE = 1_024  # bytes of a span without its texts
_TEXTS = (str, bytes)
_LISTS = (list, tuple)


def estimate_span_size(span: Any) -> int:
    """Return about how many bytes of memory a span takes.

    :param span: a ``LightSpan``, or a span of OpenTelemetry's SDK.
    """
    size = _SPAN_SIZE + _measure(span.attributes)
    content = getattr(span, "content", None)
    if content:
        size += _measure(content)
    for part in (*span.events, *span.links):
        size += _measure(part.attributes)
    return size


def _measure(attributes: Mapping[str, Any] | None) -> int:
    """Return the length of all texts in attributes."""
    size = 0
    # Another thread may still set an attribute, so the loop needs a copy.
    for value in tuple((attributes or {}).values()):
        if isinstance(value, _TEXTS):
            size += len(value)
        elif isinstance(value, _LISTS):
            size += sum(len(each) for each in value if isinstance(each, _TEXTS))
    return size
