"""Read and validate JSON bodies and query parameters."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from litestar import Request

from mastra_core.errors import InvalidInput

__all__ = (
    "InvalidBody",
    "InvalidQuery",
    "convert_value",
    "decode_json",
    "read_body",
    "read_json_param",
    "read_number_param",
    "require_param",
)

T = TypeVar("T")
_MAX_DEPTH = 200
_MAX_DIGITS = 15  # every storage and JavaScript can represent such a number exactly
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")


class InvalidBody(InvalidInput):
    """The request body does not have the type of the route.

    :param field: the path of the field, such as ``messages.0.role``.
    :param message: what is wrong with it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__("Invalid request body", issues=((field, message),))


class InvalidQuery(InvalidInput):
    """A query parameter does not have the type of the route.

    :param field: the name of the parameter.
    :param message: what is wrong with it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__("Invalid query parameters", issues=((field, message),))


def decode_json(raw: bytes, type_: type[T]) -> T:
    """Decode JSON from a caller as ``type_``.

    :param raw: the JSON.
    :param type_: the type to decode to.
    :returns: the decoded value.
    :raises msgspec.DecodeError: for invalid JSON, for JSON nested deeper than 200 levels, or for
        another type.
    """
    if raw.count(b"[") + raw.count(b"{") > _MAX_DEPTH and _measure_depth(raw) > _MAX_DEPTH:
        raise msgspec.DecodeError("JSON nests too deeply")
    return msgspec.json.decode(raw, type=type_)


def _measure_depth(raw: bytes) -> int:
    """Measure the nesting depth of JSON without a decoder, which fails at its recursion limit."""
    depth = maximum = 0
    for bracket in _STRING.sub(b"", raw).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        maximum = max(maximum, depth)
    return maximum


async def read_body(request: Request[Any, Any, Any], type_: type[T]) -> T:
    """Read the JSON body as ``type_``, regardless of its content type.

    :param request: the request; a missing body counts as an empty object.
    :param type_: the type to decode to.
    :returns: the decoded body.
    :raises InvalidBody: naming the first field that does not fit.
    """
    raw = await request.body()
    try:
        return decode_json(raw or b"{}", type_)
    except msgspec.ValidationError as error:
        raise _to_invalid_body(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidBody("body", "Invalid JSON in request body") from None


def read_json_param(request: Request[Any, Any, Any], name: str, type_: type[T]) -> T | None:
    """Read a query parameter that holds JSON.

    :param request: the request.
    :param name: the name of the parameter.
    :param type_: the type to decode to.
    :returns: the decoded value, ``None`` where the parameter is missing.
    :raises InvalidQuery: for invalid JSON, or JSON of another type.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    try:
        return decode_json(text.encode(), type_)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidQuery(name, f"Expected JSON: {error}") from None


def convert_value(value: Any, type_: type[T], where: str = "") -> T:
    """Convert a part of a decoded body to ``type_``.

    :param value: the decoded value.
    :param type_: the type to convert to.
    :param where: the path of the part in the body, for errors; empty for the whole body.
    :returns: the converted value.
    :raises InvalidBody: naming the first field that does not fit.
    """
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise _to_invalid_body(str(error), where) from None


def require_param(request: Request[Any, Any, Any], name: str) -> str:
    """Read a query parameter that must be present.

    :param request: the request.
    :param name: the name of the parameter.
    :returns: its value, which is not empty.
    :raises InvalidQuery: when the parameter is missing.
    """
    value: str = request.query_params.get(name, "")
    if not value:
        raise InvalidQuery(name, "Required")
    return value


def read_number_param(request: Request[Any, Any, Any], name: str) -> int | None:
    """Read a query parameter that is a number of 0 or more.

    :param request: the request.
    :param name: the name of the parameter.
    :returns: the number, ``None`` where the parameter is missing.
    :raises InvalidQuery: for anything but digits, or for a number of more than 15 digits.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidQuery(name, f"Expected a number of 0 or more, of at most {_MAX_DIGITS} digits")
    return int(text)


def _to_invalid_body(message: str, where: str = "") -> InvalidBody:
    text, _, path = message.partition(" - at `$")
    field = f"{where}{path.rstrip('`')}"
    missing = _MISSING.match(text)
    if missing:
        return InvalidBody(f"{field}.{missing['field']}".lstrip("."), "Required")
    return InvalidBody(field.lstrip(".") or "root", text)
