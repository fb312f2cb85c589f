"""Encode spans as an OTLP request in protobuf, without a message object for each attribute.

OpenTelemetry's own encoder creates two protobuf objects for each attribute, and therefore takes
several times as long as this module. The tests decode the result with OpenTelemetry's messages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ("SpanLimits", "encode_attributes", "encode_spans")

_MAX_CACHED = 4_096  # attributes with short text, and names
_MAX_CACHED_LENGTH = 64  # characters of such a text
_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1  # a range would be walked for a subclass of int
_MAX_DECIMAL = 10_000  # bits; Python refuses to write longer numbers in decimal
_MAX_DEPTH = 8  # of nested lists
_SPAN_TIMES = struct.Struct("<BQBQ")  # start and end
_FLAGS = struct.Struct("<HI")
_HAS_IS_REMOTE = 0x100
_IS_REMOTE = 0x200
_ENUM_OFFSET = 1  # OTLP numbers the kinds of spans from 1

_cached: dict[tuple[str, str], bytes] = {}
_keys: dict[str, bytes] = {}


class SpanLimits:
    """The limits of spans in OpenTelemetry's specification, as environment variables set them.

    :param attributes: maximum number of attributes of a span.
    :param length: maximum characters of a text in an attribute; ``None`` for no limit.
    :param events: maximum number of events of a span.
    :param links: maximum number of links of a span.
    """

    __slots__ = ("attributes", "events", "length", "links")

    def __init__(
        self,
        attributes: int | None = 128,
        length: int | None = None,
        events: int | None = 128,
        links: int | None = 128,
    ) -> None:
        self.attributes = attributes
        self.length = length
        self.events = events
        self.links = links


def encode_spans(
    spans: Iterable[Any], limits: SpanLimits, failures: list[Any] | None = None
) -> bytes:
    """Encode spans as an ``ExportTraceServiceRequest``.

    :param spans: ``LightSpan`` objects and ended spans of OpenTelemetry's SDK.
    :param limits: the limits of each span.
    :param failures: a list to which spans that cannot be encoded are added. If ``None``, a span
        that cannot be encoded raises an exception.
    """
    groups: dict[int, tuple[Any, dict[Any, list[bytes]]]] = {}
    for span in spans:
        try:
            encoded = _encode_span(span, limits)
        except Exception:  # a user's value may raise anything
            if failures is None:
                raise
            failures.append(span)
            continue
        _, scopes = groups.setdefault(id(span.resource), (span.resource, {}))
        scope = getattr(span, "instrumentation_scope", None)
        scopes.setdefault(scope, []).append(encoded)
    return b"".join(
        _encode_field(0x0A, _encode_resource(resource, scopes))
        for resource, scopes in groups.values()
    )


def encode_attributes(attributes: Mapping[str, Any], tag: int, limits: SpanLimits) -> bytes:
    """Encode attributes as fields of a message; values that OTLP cannot express are left out.

    :param attributes: the attributes.
    :param tag: the tag of the field.
    :param limits: the limits of each span.
    """
    head = bytes((tag,))
    parts: list[bytes] = []
    for key, value in attributes.items():
        pair = _encode_pair(key, value, limits.length)
        if pair:
            parts += (head, _encode_varint(len(pair)), pair)
    return b"".join(parts)


def _encode_resource(resource: Any, scopes: Mapping[Any, list[bytes]]) -> bytes:
    no_limits = SpanLimits()
    body = _encode_field(0x0A, encode_attributes(resource.attributes, 0x0A, no_limits))
    for scope, spans in scopes.items():
        name = getattr(scope, "name", None) or "mastra"
        version = getattr(scope, "version", None) or ""
        described = _encode_text_field(0x0A, name) + (
            _encode_text_field(0x12, version) if version else b""
        )
        body += _encode_field(0x12, _encode_field(0x0A, described) + b"".join(spans))
    return body


def _encode_span(span: Any, limits: SpanLimits) -> bytes:
    ids = span if hasattr(span, "span_id") else span.context
    parent = span.parent_id if ids is span else getattr(span.parent, "span_id", 0)
    attributes: Mapping[str, Any] = span.attributes or {}
    content = getattr(span, "content", None)
    if content:
        attributes = {**attributes, **content}
    attributes, dropped = _limit(attributes, limits.attributes)
    parts = [
        b"\x0a\x10", ids.trace_id.to_bytes(16, "big"), b"\x12\x08", ids.span_id.to_bytes(8, "big"),
        _encode_text_field(0x1A, ids.trace_state.to_header()) if ids.trace_state else b"",
        b"\x22\x08" + parent.to_bytes(8, "big") if parent else b"",
        _encode_text_field(0x2A, span.name),
        b"\x30", _encode_varint(span.kind.value + _ENUM_OFFSET),
        _SPAN_TIMES.pack(0x39, span.start_time, 0x41, span.end_time),
        encode_attributes(attributes, 0x4A, limits),
    ]  # fmt: skip
    if dropped:
        parts.append(b"\x50" + _encode_varint(dropped))
    if span.events:
        parts.append(_encode_events(span.events, limits))
    if span.links:
        parts.append(_encode_links(span.links, limits))
    code = span.status.status_code.value
    if code:
        described = (
            _encode_text_field(0x12, span.status.description) if span.status.description else b""
        )
        parts.append(_encode_field(0x7A, described + b"\x18" + _encode_varint(code)))
    parts.append(_encode_flags(0x0185, span))
    body = b"".join(parts)
    return b"".join((b"\x12", _encode_varint(len(body)), body))


def _encode_flags(tag: int, span: Any) -> bytes:
    remote = getattr(span, "has_remote_parent", None)
    if remote is None:
        remote = span.parent is not None and span.parent.is_remote
    return _FLAGS.pack(tag, _HAS_IS_REMOTE | (_IS_REMOTE if remote else 0) | 1)


def _encode_events(events: Sequence[Any], limits: SpanLimits) -> bytes:
    kept, parts = events[: limits.events], []
    for event in kept:
        body = b"\x09" + struct.pack("<Q", event.timestamp) + _encode_text_field(0x12, event.name)
        attributes = _encode_limited(event.attributes, 0x1A, 0x20, limits)
        parts.append(_encode_field(0x5A, body + attributes))
    if len(kept) < len(events):
        parts.append(b"\x60" + _encode_varint(len(events) - len(kept)))
    return b"".join(parts)


def _encode_links(links: Sequence[Any], limits: SpanLimits) -> bytes:
    kept, parts = links[: limits.links], []
    for link in kept:
        ids = link.context
        body = b"\x0a\x10" + ids.trace_id.to_bytes(16, "big")
        body += b"\x12\x08" + ids.span_id.to_bytes(8, "big")
        body += _encode_limited(link.attributes, 0x22, 0x28, limits)
        flags = _HAS_IS_REMOTE | (_IS_REMOTE if ids.is_remote else 0)
        parts.append(_encode_field(0x6A, body + struct.pack("<BI", 0x35, flags)))
    if len(kept) < len(links):
        parts.append(b"\x70" + _encode_varint(len(links) - len(kept)))
    return b"".join(parts)


def _encode_limited(
    attributes: Mapping[str, Any] | None, tag: int, dropped_tag: int, limits: SpanLimits
) -> bytes:
    """Encode the attributes of an event or a link, and the number of omitted attributes."""
    kept, dropped = _limit(attributes or {}, limits.attributes)
    encoded = encode_attributes(kept, tag, limits)
    return encoded + bytes((dropped_tag,)) + _encode_varint(dropped) if dropped else encoded


def _limit(attributes: Mapping[str, Any], count: int | None) -> tuple[Mapping[str, Any], int]:
    """Return the first ``count`` attributes, and how many attributes are left out in total."""
    dropped = getattr(attributes, "dropped", 0)
    if count is None or len(attributes) <= count:
        return attributes, dropped
    return dict(list(attributes.items())[:count]), dropped + len(attributes) - count


def _encode_pair(key: str, value: Any, length: int | None) -> bytes:
    """Encode a name and a value as a ``KeyValue``; empty if OTLP cannot express the value."""
    if type(value) is str and len(value) <= _MAX_CACHED_LENGTH and length is None:
        found = _cached.get((key, value))
        if found is None:
            found = _encode_key(key) + _encode_field(0x12, _encode_text_field(0x0A, value))
            if len(_cached) >= _MAX_CACHED:
                _cached.clear()
            _cached[key, value] = found
        return found
    encoded = _encode_value(value, length, 0)
    return _encode_key(key) + _encode_field(0x12, encoded) if encoded else b""


def _encode_key(key: str) -> bytes:
    found = _keys.get(key)
    if found is None:
        if len(_keys) >= _MAX_CACHED:
            _keys.clear()
        found = _keys[key] = _encode_text_field(0x0A, str(key))
    return found


def _encode_value(value: Any, length: int | None, depth: int) -> bytes:
    """Encode a value as the content of an ``AnyValue``; empty if OTLP cannot express it."""
    if isinstance(value, str):
        return _encode_text_field(0x0A, value if length is None else value[:length])
    if isinstance(value, int):
        return _encode_integer(value)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    if isinstance(value, bytes):
        return _encode_field(0x3A, value)
    if isinstance(value, list | tuple) and depth < _MAX_DEPTH:
        items = (_encode_value(each, length, depth + 1) for each in tuple(value))
        return _encode_field(0x2A, b"".join(_encode_field(0x0A, item) for item in items))
    return b""


def _encode_integer(value: int) -> bytes:
    """Encode an integer or a boolean; an integer of more than 64 bits becomes a text."""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if not _MIN_INT <= value <= _MAX_INT:
        return _encode_text_field(
            0x0A, str(value) if value.bit_length() < _MAX_DECIMAL else hex(value)
        )
    return b"\x18" + _encode_varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def _encode_text_field(tag: int, text: str) -> bytes:
    try:
        return _encode_field(tag, text.encode())
    except UnicodeEncodeError:  # a lone surrogate
        return _encode_field(tag, text.encode(errors="replace"))


def _encode_field(tag: int, body: bytes) -> bytes:
    return b"".join((bytes((tag,)), _encode_varint(len(body)), body))


def _encode_varint(number: int) -> bytes:
    if number < 0x80:  # noqa: PLR2004  # seven bits
        return _BYTES[number]
    parts = bytearray()
    while number >= 0x80:  # noqa: PLR2004  # seven bits
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_BYTES = [bytes((number,)) for number in range(0x80)]
