"""Refuse request bodies that the server cannot read, or that any web page could send.

A browser sends some requests of a page to another origin without a preflight request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mastra_core.errors import RequestError

__all__ = ("UnsupportedMediaType", "is_json_type", "require_json_type", "require_plain_text")

_JSON = b"application/json"
_JSON_TYPE = re.compile(rb"\s*application/(json|[^\s,;/]+\+json)\s*(;|$)", re.IGNORECASE)
_CHARSET = re.compile(rb";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_UTF_8 = ("utf-8", "utf8", "us-ascii", "ascii")
_SHOWN = 100  # characters of a content type that the error quotes


class UnsupportedMediaType(RequestError):
    """The request has a body whose content type or content encoding the server does not accept."""

    status = 415


def is_json_type(value: bytes) -> bool:
    """Return whether a content type is JSON.

    :param value: the value of the header; empty without the header.
    """
    return value == _JSON or _JSON_TYPE.match(value) is not None


def require_json_type(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Check that the content type of a request with a body is JSON.

    Before a page sends JSON to another origin, the browser sends a preflight request; for text and
    forms, it sends none. A program may send a request without a content type. The request of a page
    is recognised by the header ``Origin``, which the browser adds.

    :param headers: the headers of the request, with names in lower case.
    :raises UnsupportedMediaType: when the content type is not JSON, or when a web page sent a body
        without a content type.
    """
    has_type = has_origin = False
    for name, value in headers:
        if name == b"content-type":
            if value and not is_json_type(value):
                raise _build_error(f"The content type {value.decode('latin-1')[:_SHOWN]!r} is not")
            has_type = has_type or bool(value)
        elif name == b"origin":
            has_origin = True
    if has_origin and not has_type:
        raise _build_error("A body without a content type is not accepted as")


def require_plain_text(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Check that a body that is not readable as JSON is neither compressed nor in another charset.

    :param headers: the headers of the request, with names in lower case.
    :raises UnsupportedMediaType: when the body is compressed, or not in UTF-8.
    """
    for name, value in headers:
        text = value.decode("latin-1").strip()[:_SHOWN]
        if name == b"content-encoding" and text.lower() not in ("", "identity"):
            raise UnsupportedMediaType(
                f"The body has the content encoding {text!r}. Send the body without compression."
            )
        charset = _CHARSET.search(value) if name == b"content-type" else None
        text = charset[1].decode("latin-1")[:_SHOWN] if charset else "utf-8"
        if text.lower().replace("_", "-") not in _UTF_8:
            raise UnsupportedMediaType(
                f"The body has the charset {text!r}. Send the body in UTF-8."
            )


def _build_error(problem: str) -> UnsupportedMediaType:
    hint = "Add the header; with curl: -H 'content-type: application/json'"
    return UnsupportedMediaType(f"{problem} JSON. {hint}")
