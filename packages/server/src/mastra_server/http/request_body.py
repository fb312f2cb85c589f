"""Read and validate JSON bodies and query parameters."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request

from mastra_core.errors import InvalidInput
from mastra_server.http.content_type import require_json_type, require_plain_text

__all__ = (
    "MAX_ID_LENGTH",
    "MAX_ITEMS",
    "MAX_METADATA_BYTES",
    "MAX_NUMBER_DIGITS",
    "MAX_VALUES",
    "Id",
    "InvalidBody",
    "InvalidQuery",
    "MaybeId",
    "OptionalId",
    "StructureError",
    "check_metadata",
    "check_numbers",
    "check_structure",
    "convert_value",
    "decode_json",
    "read_body",
    "read_id_param",
    "read_json_param",
    "read_number_param",
    "read_params",
    "require_id",
    "require_param",
)

T = TypeVar("T")
MAX_VALUES = 100_000  # of one body: commas, and brackets that open a list or an object
MAX_ITEMS = 1000  # of a list of messages, tools or ids
MAX_ID_LENGTH = 512
MAX_METADATA_BYTES = 65_536  # of one thread or message, as JSON
_MAX_DEPTH = 200
MAX_NUMBER_DIGITS = 309  # of a JSON number; JavaScript's largest number has as many
_LONG_NUMBER = b"0" * (MAX_NUMBER_DIGITS + 1)
_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_NO_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
_MAX_DIGITS = 15  # every storage and JavaScript can represent such a number exactly
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")


Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
OptionalId = Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)]  # empty for none
MaybeId = OptionalId | None


class InvalidBody(InvalidInput):
    """The request body does not have the type that the route expects.

    :param field: the path of the field, such as ``messages.0.role``.
    :param message: a description of the problem.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__("Invalid request body", issues=((field, message),))


class InvalidQuery(InvalidInput):
    """A query parameter does not have the type that the route expects.

    :param field: the name of the parameter.
    :param message: a description of the problem.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__("Invalid query parameters", issues=((field, message),))


class StructureError(msgspec.DecodeError):
    """JSON has too many values, has a number that is too long, or is nested too deeply."""


def decode_json(raw: bytes, type_: type[T]) -> T:
    """Decode JSON from a caller as ``type_``.

    :param raw: the JSON.
    :param type_: the type to decode to.
    :returns: the decoded value.
    :raises msgspec.DecodeError: for invalid JSON, for JSON of another type, or for JSON that has
        more than 100,000 values, a number of more than 309 digits, or more than 200 levels.
    """
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > _MAX_DEPTH or brackets + raw.count(b",") > MAX_VALUES:
        check_structure(raw, MAX_VALUES)
    if len(raw) > MAX_NUMBER_DIGITS:
        check_numbers(raw, MAX_VALUES)
    return msgspec.json.decode(raw, type=type_)


def check_structure(raw: bytes, max_values: int) -> None:
    """Check the number and the depth of JSON values, before a decoder uses time and memory.

    Commas and opening brackets outside of strings are counted, because each value except the first
    follows one of them.

    :param raw: the JSON.
    :param max_values: the maximum number of commas and opening brackets.
    :raises StructureError: for too many values, or more than 200 levels.
    """
    structure = _remove_texts(raw, max_values).translate(None, _NO_STRUCTURE)
    brackets = structure.replace(b",", b"")
    if len(structure) - brackets.count(b"]") - brackets.count(b"}") > max_values:
        raise _build_size_error(max_values)
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > _MAX_DEPTH:
            raise StructureError(f"Expected at most {_MAX_DEPTH} levels")


def check_numbers(raw: bytes, max_values: int) -> None:
    """Check the length of JSON numbers; the time to convert a number grows with the length squared.

    :param raw: the JSON.
    :param max_values: the maximum number of values, which limits the work of this function.
    :raises StructureError: for a number of more than 309 digits.
    """
    if _LONG_NUMBER not in raw.translate(_TO_ZEROS):
        return
    if _LONG_NUMBER in _remove_texts(raw, max_values).translate(_TO_ZEROS):
        raise StructureError(f"Expected numbers of at most {MAX_NUMBER_DIGITS} digits")


def _remove_texts(raw: bytes, max_values: int) -> bytes:
    """Return JSON without its strings; raise an error if the strings alone exceed the limit."""
    text = raw.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in raw else raw
    if text.count(b'"') > 4 * max_values:  # an entry of an object has two strings
        raise _build_size_error(max_values)
    return b"".join(text.split(b'"')[::2])


def _build_size_error(max_values: int) -> StructureError:
    return StructureError(f"Expected at most {max_values} values")


async def read_body(request: Request[Any, Any, Any], type_: type[T]) -> T:
    """Read the JSON body as ``type_``.

    :param request: the request; a missing body counts as an empty object. A byte order mark is
        skipped.
    :param type_: the type to decode to.
    :returns: the decoded body.
    :raises UnsupportedMediaType: for a body whose content type is not JSON, or that is compressed
        or not in UTF-8.
    :raises InvalidBody: when a field is invalid; the error names the first invalid field.
    """
    raw = (await request.body()).removeprefix(BOM_UTF8)
    if raw:
        require_json_type(request.scope["headers"])
    try:
        return decode_json(raw or b"{}", type_)
    except msgspec.ValidationError as error:
        raise _to_invalid_body(str(error)) from None
    except StructureError as error:
        require_plain_text(request.scope["headers"])
        raise InvalidBody("body", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        require_plain_text(request.scope["headers"])
        raise InvalidBody("body", "Invalid JSON in request body") from None


def read_json_param(request: Request[Any, Any, Any], name: str, type_: type[T]) -> T | None:
    """Read a query parameter that contains JSON.

    :param request: the request.
    :param name: the name of the parameter.
    :param type_: the type to decode to.
    :returns: the decoded value, ``None`` if the parameter is missing.
    :raises InvalidQuery: for invalid JSON, or JSON of another type.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    try:
        return decode_json(text.encode(), type_)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidQuery(name, f"Expected JSON: {error}") from None


def read_params(request: Request[Any, Any, Any], type_: type[T]) -> T:
    """Read all query parameters that are not empty as ``type_``.

    :param request: the request.
    :param type_: the type that the endpoint declares; its other fields keep their defaults.
    :raises InvalidQuery: when a parameter does not fit the type.
    """
    params = {name: text for name, text in request.query_params.items() if text}
    try:
        return msgspec.convert(params, type_, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise InvalidQuery(path.rstrip("`") or "query", message) from None


def convert_value(value: Any, type_: type[T], where: str = "") -> T:
    """Convert a part of a decoded body to ``type_``.

    :param value: the decoded value.
    :param type_: the type to convert to.
    :param where: the path of the part in the body, for error messages; empty for the whole body.
    :returns: the converted value.
    :raises InvalidBody: when a field is invalid; the error names the first invalid field.
    """
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise _to_invalid_body(str(error), where) from None


def read_id_param(request: Request[Any, Any, Any], name: str) -> str:
    """Read a query parameter that is an id; empty if the parameter is missing.

    :param request: the request.
    :param name: the name of the parameter.
    :raises InvalidQuery: for an id of more than 512 characters.
    """
    value: str = request.query_params.get(name, "")
    if len(value) > MAX_ID_LENGTH:
        raise InvalidQuery(name, f"Expected at most {MAX_ID_LENGTH} characters")
    return value


def require_param(request: Request[Any, Any, Any], name: str) -> str:
    """Read a query parameter that must be present.

    :param request: the request.
    :param name: the name of the parameter.
    :returns: the value of the parameter, which is not empty.
    :raises InvalidQuery: when the parameter is missing.
    """
    value: str = request.query_params.get(name, "")
    if not value:
        raise InvalidQuery(name, "Required")
    return value


def require_id(value: Any, field: str) -> str:
    """Return ``value`` if it is an id; otherwise raise an error.

    :param value: a value of decoded JSON.
    :param field: the path of the field, for the error message.
    :raises InvalidBody: if the id is missing, is not a string, or has more than 512 characters.
    """
    if value is None or value == "":
        raise InvalidBody(field, "Required")
    if not isinstance(value, str):
        raise InvalidBody(field, "Expected a string")
    if len(value) > MAX_ID_LENGTH:
        raise InvalidBody(field, f"Expected at most {MAX_ID_LENGTH} characters")
    return value


def check_metadata(metadata: dict[str, Any] | None, field: str) -> None:
    """Check the size of metadata, because queries with a filter read the metadata of all records.

    :param metadata: the metadata of a thread or message; ``None`` for none.
    :param field: the path of the field, such as ``messages.0.metadata``.
    :raises InvalidBody: when the metadata is larger than ``MAX_METADATA_BYTES``.
    """
    if metadata and len(msgspec.json.encode(metadata)) > MAX_METADATA_BYTES:
        raise InvalidBody(field, f"Expected at most {MAX_METADATA_BYTES} bytes")


def read_number_param(request: Request[Any, Any, Any], name: str) -> int | None:
    """Read a query parameter that is a number of 0 or more.

    :param request: the request.
    :param name: the name of the parameter.
    :returns: the number, ``None`` if the parameter is missing.
    :raises InvalidQuery: for anything but digits, or for a number of more than 15 digits.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidQuery(
            name, f"Expected a number of 0 or more with at most {_MAX_DIGITS} digits"
        )
    return int(text)


def _to_invalid_body(message: str, where: str = "") -> InvalidBody:
    text, _, path = message.partition(" - at `$")
    field = f"{where}{path.rstrip('`')}"
    missing = _MISSING.match(text)
    if missing:
        return InvalidBody(f"{field}.{missing['field']}".lstrip("."), "Required")
    return InvalidBody(field.lstrip(".") or "root", text)
