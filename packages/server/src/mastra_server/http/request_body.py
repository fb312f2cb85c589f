"""What a request carries, checked: a JSON body, and query parameters."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, TypeVar

import msgspec
from litestar import Request

from mastra_core.errors import InvalidInput

__all__ = (
    "InvalidBody",
    "InvalidQuery",
    "converted",
    "decoded",
    "json_of",
    "moment",
    "number",
    "read",
    "required",
)

T = TypeVar("T")
_DEEPEST = 200
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")


class InvalidBody(InvalidInput):
    """The request's body is not what the route takes."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("Invalid request body", issues=((field, message),))


class InvalidQuery(InvalidInput):
    """A query parameter is not what the route takes."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("Invalid query parameters", issues=((field, message),))


def decoded(raw: bytes, type_: type[T]) -> T:
    """JSON of a caller as ``type_``.

    :raises msgspec.DecodeError: for no JSON, JSON that nests too deeply to be passed on, or another
        type's.
    """
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _depth(raw) > _DEEPEST:
        raise msgspec.DecodeError("JSON nests too deeply")
    return msgspec.json.decode(raw, type=type_)


def _depth(raw: bytes) -> int:
    """How deep JSON nests, without reading it: readers of JSON give up by their own recursion."""
    depth = deepest = 0
    for bracket in _STRING.sub(b"", raw).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


async def read(request: Request[Any, Any, Any], type_: type[T]) -> T:
    """The JSON body as ``type_``; no body counts as an empty object, whatever its content type.

    :raises InvalidBody: naming the first field that does not fit.
    """
    raw = await request.body()
    try:
        return decoded(raw or b"{}", type_)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidBody("body", "Invalid JSON in request body") from None


def json_of(request: Request[Any, Any, Any], name: str, type_: type[T]) -> T | None:
    """A query parameter that is JSON as ``type_``, ``None`` where it is not given.

    :raises InvalidQuery: when it is anything else.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    try:
        return decoded(text.encode(), type_)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidQuery(name, f"Expected JSON: {error}") from None


def converted(value: Any, type_: type[T]) -> T:
    """A piece of a body as ``type_``.

    :raises InvalidBody: naming the first field that does not fit.
    """
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


def required(request: Request[Any, Any, Any], name: str) -> str:
    """A query parameter that must be there.

    :raises InvalidQuery: when it is not.
    """
    value: str = request.query_params.get(name, "")
    if not value:
        raise InvalidQuery(name, "Required")
    return value


def number(request: Request[Any, Any, Any], name: str) -> int | None:
    """A query parameter that counts something, ``None`` where it is not given.

    :raises InvalidQuery: for anything but digits.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidQuery(name, "Expected a number of 0 or more")
    return int(text)


def moment(request: Request[Any, Any, Any], name: str) -> int | None:
    """An ISO date in milliseconds since the epoch; UTC where it names no zone.

    :raises InvalidQuery: for anything else.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    try:
        date = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidQuery(name, "Expected an ISO date") from None
    return int((date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp() * 1000)


def _invalid(message: str) -> InvalidBody:
    text, _, path = message.partition(" - at `$")
    missing = _MISSING.match(text)
    if missing:
        return InvalidBody(f"{path.rstrip('`')}.{missing['field']}".lstrip("."), "Required")
    return InvalidBody(path.rstrip("`").lstrip(".") or "root", text)
