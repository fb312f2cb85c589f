"""Create JSON Schemas from Python types, and validate data against these types.

This module uses msgspec, because every bundle contains it. Types of pydantic are recognised by
their attributes. pydantic is imported only for such types.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args, get_type_hints, is_typeddict
from weakref import WeakKeyDictionary

import msgspec

from mastra_core.arguments.function_parameters import get_signature
from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.json_repair import repair_data
from mastra_core.logger import get_logger

__all__ = (
    "build_parameters_type",
    "describe_validation_error",
    "dump",
    "dump_instance",
    "encode_json",
    "refuse_generator",
    "repair_struct",
    "resolve_hints",
    "to_json_schema",
    "validate",
    "validate_named",
)

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_REF = "#/$defs/{name}"
_SCALARS = frozenset((str, int, bool, float, type(None)))
_PLAIN = frozenset((bool, float, type(None)))  # all their values can be encoded
_SMALL = 2**63
# Each function converts an instance of a subclass to an instance of the base class.
_CONVERSIONS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)
# The JSON of the schemas of classes. The API lists the same schemas again and again, and msgspec
# takes thirty times as long to build a schema as to decode its JSON.
_encoded_schemas: WeakKeyDictionary[type, bytes] = WeakKeyDictionary()


def to_json_schema(type_: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type.

    :param type_: a type, or a JSON Schema, which is returned as it is.
    :returns: the schema; an empty one for ``Any``.
    :raises ConfigError: when JSON cannot express the values of the type, or a name in a type hint
        cannot be resolved.
    """
    if isinstance(type_, dict):
        return type_
    # Other types, such as unions, may be equal although their schemas differ.
    if not isinstance(type_, type) or type(type_).__hash__ is not type.__hash__:
        return _build_json_schema(type_)
    encoded = _encoded_schemas.get(type_)
    if encoded is None:
        encoded = _encoded_schemas[type_] = encode_json(_build_json_schema(type_))
    schema: dict[str, Any] = msgspec.json.decode(encoded)  # callers may change it
    return schema


def _build_json_schema(type_: Any) -> dict[str, Any]:
    if _is_pydantic(type_):
        return _build_adapter(type_).json_schema()  # type: ignore[no-any-return]  # pydantic is not imported here
    try:
        (schema,), definitions = msgspec.json.schema_components(
            (type_,), schema_hook=_build_custom_schema, ref_template=_REF
        )
    except TypeError as error:
        reason = str(error).splitlines()[-1]  # the other lines are for authors of libraries
        raise ConfigError(
            f"The type {_get_type_name(type_)} has no JSON Schema: {reason}.",
            "Use a dataclass, TypedDict, msgspec.Struct, pydantic model or a built-in type.",
        ) from None
    except NameError as error:
        raise _build_hint_error(type_, error) from None
    return _inline_root(schema, definitions)


def _inline_root(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Replace a root reference with its definition, because clients expect ``properties`` there."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    if name:
        schema = dict(definitions[name])
        if not _has_reference(definitions, f"#/$defs/{name}"):
            definitions = {key: value for key, value in definitions.items() if key != name}
    nested: dict[str, Any] = {}
    schema, definitions = _lift_definitions(schema, nested), _lift_definitions(definitions, nested)
    definitions = {**nested, **definitions}
    return {**schema, "$defs": definitions} if definitions else schema


def _lift_definitions(node: Any, into: dict[str, Any]) -> Any:
    """Move pydantic's nested definitions to the root, because references point to the root."""
    if isinstance(node, list):
        return [_lift_definitions(item, into) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$defs"), dict):
        into.update(_lift_definitions(node["$defs"], into))
    return {key: _lift_definitions(value, into) for key, value in node.items() if key != "$defs"}


def _has_reference(node: Any, reference: str) -> bool:
    if isinstance(node, dict):
        return node.get("$ref") == reference or any(
            _has_reference(value, reference) for value in node.values()
        )
    return isinstance(node, list) and any(_has_reference(item, reference) for item in node)


def validate(type_: Any, value: Any) -> Any:
    """Convert JSON builtins to an instance of a type.

    :param type_: the type; if it is a JSON Schema or ``Any``, every value is accepted.
    :param value: JSON builtins.
    :raises InvalidInput: for the first value that does not match, with its path.
    """
    if type(value) is type_ and type_ in _SCALARS:
        return value
    if type_ is Any or isinstance(type_, dict):
        return value
    if _is_pydantic(type_):
        return _validate_pydantic(type_, value)
    try:
        converted = msgspec.convert(dump(value), type_, dec_hook=_decode_custom)
        return _fill_defaults(converted) if _contains_dataclass(type_) else converted
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or "root"
        raise InvalidInput(f"{field}: {message}", issues=((field, message),)) from None


def validate_named(name: str, type_: Any, value: Any) -> Any:
    """Convert JSON builtins to an instance of a type; an error names the data.

    :param name: what the value is, such as ``input of step 'pay'``.
    :param type_: the type.
    :param value: JSON builtins.
    :raises InvalidInput: for the first value that does not match, with its path.
    """
    try:
        return validate(type_, value)
    except InvalidInput as error:
        raise InvalidInput(f"Invalid {name}: {error.message}", issues=error.issues) from None


def _contains_dataclass(type_: Any) -> bool:
    """Return whether instances of a type may contain instances of dataclasses."""
    try:
        return _search_dataclass(type_)
    except (ConfigError, TypeError):  # a hint that cannot be resolved or hashed
        return True


@functools.lru_cache(maxsize=1024)
def _search_dataclass(type_: Any) -> bool:
    found, waiting = set(), [type_]
    while waiting:
        each = waiting.pop()
        if hasattr(each, "__dataclass_fields__"):
            return True
        if each not in found:
            found.add(each)
            waiting += get_args(each)
            if hasattr(each, "__struct_fields__") or is_typeddict(each):
                waiting += resolve_hints(each).values()
    return False


def _fill_defaults(value: Any) -> Any:
    """Set the defaults of dataclasses on the instance.

    msgspec does not copy the defaults from the class to the instance, and encodes only the values
    of the instance.
    """
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            _fill_defaults(item)
    for name in getattr(value, "__struct_fields__", ()):
        _fill_defaults(getattr(value, name))
    for name in getattr(value, "__dataclass_fields__", ()):
        field = getattr(value, name)
        if name not in getattr(value, "__dict__", (name,)):
            object.__setattr__(value, name, field)
        _fill_defaults(field)
    return value


def dump(value: Any) -> Any:
    """Convert a value to JSON builtins, for a response or the journal.

    Text and numbers that JSON cannot contain are replaced, so the result can be encoded as JSON.

    :param value: any JSON-able value.
    """
    kind = type(value)
    if kind in _PLAIN or (kind is str and value.isascii()):
        return value
    if kind is int and -_SMALL < value < _SMALL:
        return value
    data = msgspec.to_builtins(value, enc_hook=_encode, str_keys=True)
    try:
        msgspec.json.encode(data)
    except ValueError:  # a lone surrogate, or a giant number
        get_logger("mastra").warning(
            "a value contains an unpaired surrogate or an integer of more than 4,300 digits, which "
            "JSON cannot contain: it is replaced with U+FFFD or null"
        )
        return repair_data(data)
    return data


def dump_instance(type_: Any, value: Any) -> Any:
    """Convert an instance of a type to JSON builtins, under the names that the type reads.

    :param type_: the type.
    :param value: what ``validate`` returned for the type.
    """
    if _is_pydantic(type_):
        return _build_adapter(type_).dump_python(value, mode="json", by_alias=True)
    return dump(value)


def encode_json(value: Any) -> bytes:
    """Encode a value as JSON on one line, in UTF-8.

    Text and numbers that JSON cannot contain are replaced.

    :param value: anything that msgspec or pydantic can encode.
    :raises TypeError: when a part of it cannot be encoded as JSON.
    """
    try:
        return msgspec.json.encode(value, enc_hook=dump)
    except ValueError:
        return msgspec.json.encode(dump(value))


def repair_struct(value: _Struct) -> _Struct:
    """Return a copy of a struct in which texts and numbers that JSON cannot contain are replaced.

    :param value: the struct.
    """
    try:
        msgspec.json.encode(value, enc_hook=dump)
    except ValueError:  # half of a surrogate pair, or a giant number
        return msgspec.json.decode(encode_json(value), type=type(value))
    return value


def build_parameters_type(function: Callable[..., Any], skip: tuple[type, ...] = ()) -> type:
    """Build a struct type with one field for each parameter of a function.

    :param function: a function whose parameters have types.
    :param skip: parameters annotated with one of these types are left out, because the framework
        supplies them.
    :raises ConfigError: for a parameter without a type, a positional-only parameter, or ``*args``
        and ``**kwargs``.
    """
    hints = resolve_hints(function)
    fields: list[Any] = []
    for name, parameter in get_signature(function).parameters.items():
        if hints.get(name) in skip:
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigError(
                f"The parameter {name!r} of {function.__name__!r} is positional-only, but "
                "arguments are passed by name.",
                "Remove the '/' from the signature.",
            )
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(
                f"The function {function.__name__!r} has the parameter *{name}, which has no "
                "schema.",
                "Name each parameter and give it a type.",
            )
        if name not in hints:
            raise ConfigError(
                f"The parameter {name!r} of {function.__name__!r} has no type.",
                f"Add the type of the parameter, such as {name}: str.",
            )
        has_default = parameter.default is not parameter.empty
        default = (_build_default(parameter.default),) if has_default else ()
        fields.append((name, hints[name], *default))
    return msgspec.defstruct(function.__name__, fields, kw_only=True, forbid_unknown_fields=True)


def _build_default(default: Any) -> Any:
    """Return a default for a field; msgspec refuses a mutable default, unless a factory copies it.

    :param default: the default of a parameter.
    """
    is_struct = isinstance(default, msgspec.Struct) and not default.__struct_config__.frozen
    if is_struct or (default and isinstance(default, list | dict | set | bytearray)):
        return msgspec.field(default_factory=functools.partial(copy.deepcopy, default))
    return default


def refuse_generator(function: Callable[..., Any]) -> None:
    """Raise an error for a generator function, whose result is not the value that it yields.

    :param function: the function of a tool or a step.
    :raises ConfigError: for a generator function or an async generator function.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(
            f"The function {_get_type_name(function)!r} is a generator, so it returns no result.",
            "Return the result. Send earlier outputs with the method write of the context.",
        )


def resolve_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the type hints of a function as types, with their ``Annotated`` extras.

    :param function: any function.
    :raises ConfigError: when a name in a hint cannot be resolved.
    """
    try:
        return get_type_hints(function, include_extras=True)
    except (AttributeError, NameError, SyntaxError, TypeError) as error:
        raise _build_hint_error(function, error) from None


def _build_hint_error(owner: Any, error: Exception) -> ConfigError:
    return ConfigError(
        f"A type hint of {_get_type_name(owner)} cannot be resolved: {error}.",
        "Import the name at module level, outside TYPE_CHECKING.",
    )


def describe_validation_error(error: Any) -> str:
    """Describe an error of pydantic in one line, without the values and links that it contains.

    :param error: pydantic's ``ValidationError``.
    """
    return "; ".join(f"{field}: {message}" for field, message in _iter_issues(error))


def _encode(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    for base, convert in _CONVERSIONS:  # numpy.str_ and numpy.float64, for example
        if isinstance(value, base):
            return convert(value)
    raise TypeError(f"{_get_type_name(type(value))} cannot be encoded as JSON")


def _is_pydantic(type_: Any) -> bool:
    return hasattr(type_, "__pydantic_core_schema__") or hasattr(type_, "__pydantic_validator__")


def _build_adapter(type_: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(type_)


def _build_custom_schema(type_: type) -> dict[str, Any]:
    if type_ is object:
        return {"description": "Any value."}  # msgspec refuses an empty schema
    if _is_pydantic(type_):
        return _build_adapter(type_).json_schema()  # type: ignore[no-any-return]  # pydantic is not imported here
    raise NotImplementedError(f"{_get_type_name(type_)} cannot be encoded as JSON")


def _decode_custom(type_: type, value: Any) -> Any:
    if type_ is object:
        return value
    if _is_pydantic(type_):
        return _validate_pydantic(type_, value)
    raise NotImplementedError(f"{_get_type_name(type_)} cannot be encoded as JSON")


def _validate_pydantic(type_: Any, value: Any) -> Any:
    from pydantic import ValidationError

    try:
        return _build_adapter(type_).validate_python(value)
    except ValidationError as error:
        raise InvalidInput(
            describe_validation_error(error), issues=tuple(_iter_issues(error))
        ) from None


def _iter_issues(error: Any) -> Iterator[tuple[str, str]]:
    for item in error.errors():
        yield ".".join(map(str, item["loc"])) or "root", item["msg"]


def _get_type_name(type_: Any) -> str:
    return getattr(type_, "__qualname__", None) or repr(type_)
