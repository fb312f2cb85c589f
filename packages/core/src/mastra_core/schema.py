"""JSON Schema from Python types, and data checked against them.

msgspec does the work, since it is in every bundle anyway; types that belong to pydantic are
recognised by their marks and handed to pydantic, which is imported only then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec

from mastra_core.errors import ConfigError, InvalidInput

__all__ = ("dump", "hints_of", "parameters_type", "schema_of", "validate")

_REF = "#/$defs/{name}"
_PLAIN = frozenset((str, int, bool, float, type(None)))  # what a value of is its own JSON form


def schema_of(type_: Any) -> dict[str, Any]:
    """The JSON Schema of ``type_``; an empty schema for ``Any``.

    :raises ConfigError: when the type has no JSON form.
    """
    if isinstance(type_, dict):
        return type_
    if _is_pydantic(type_):
        return _adapter(type_).json_schema()  # type: ignore[no-any-return]  # pydantic is not imported here
    try:
        (schema,), definitions = msgspec.json.schema_components(
            (type_,), schema_hook=_pydantic_schema, ref_template=_REF
        )
    except TypeError as error:
        raise ConfigError(
            f"The type {_name(type_)} cannot be described as JSON: {error}",
            "Use a dataclass, TypedDict, msgspec.Struct, pydantic model or a built-in type.",
        ) from None
    return _inlined(schema, definitions)


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Clients read ``properties`` at the top: put the named type itself there."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    if name:
        schema = dict(definitions[name])
        if not _mentions(definitions, f"#/$defs/{name}"):
            definitions = {key: value for key, value in definitions.items() if key != name}
    lifted: dict[str, Any] = {}
    schema, definitions = _lift(schema, lifted), _lift(definitions, lifted)
    definitions = {**lifted, **definitions}
    return {**schema, "$defs": definitions} if definitions else schema


def _lift(node: Any, into: dict[str, Any]) -> Any:
    """Move definitions that pydantic put beside one type to where references look: the top."""
    if isinstance(node, list):
        return [_lift(item, into) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$defs"), dict):
        into.update(_lift(node["$defs"], into))
    return {key: _lift(value, into) for key, value in node.items() if key != "$defs"}


def _mentions(node: Any, reference: str) -> bool:
    if isinstance(node, dict):
        return node.get("$ref") == reference or any(
            _mentions(value, reference) for value in node.values()
        )
    return isinstance(node, list) and any(_mentions(item, reference) for item in node)


def validate(type_: Any, value: Any) -> Any:
    """``value`` (JSON builtins) as an instance of ``type_``.

    :raises InvalidInput: with the path of the first thing that does not fit.
    """
    if type(value) is type_ and type_ in _PLAIN:
        return value
    if type_ is Any or isinstance(type_, dict):
        return value
    if _is_pydantic(type_):
        return _validate_pydantic(type_, value)
    try:
        made = msgspec.convert(dump(value), type_, dec_hook=_pydantic_decode)
        return _completed(made) if hasattr(made, "__dataclass_fields__") else made
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or "root"
        raise InvalidInput(f"{field}: {message}", issues=((field, message),)) from None


def _completed(made: Any) -> Any:
    """Msgspec leaves defaults to the class of a dataclass, and then does not encode them."""
    if isinstance(made, list | dict):
        for item in made.values() if isinstance(made, dict) else made:
            _completed(item)
    for name in getattr(made, "__dataclass_fields__", ()):
        value = getattr(made, name)
        if name not in getattr(made, "__dict__", (name,)):
            object.__setattr__(made, name, value)
        _completed(value)
    return made


def dump(value: Any) -> Any:
    """``value`` as JSON builtins: what goes over the wire or into a journal."""
    if type(value) in _PLAIN:
        return value
    return msgspec.to_builtins(value, enc_hook=_encode, str_keys=True)


def parameters_type(function: Callable[..., Any], skip: tuple[type, ...] = ()) -> type:
    """A struct type with one field for each parameter of ``function``.

    Parameters annotated with one of ``skip`` are left out: the framework fills them.

    :raises ConfigError: for a parameter without a type, or ``*args`` and ``**kwargs``.
    """
    hints = hints_of(function)
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if hints.get(name) in skip:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(
                f"The function {function.__name__!r} takes *{name}, which has no schema.",
                "Name each parameter and give it a type.",
            )
        if name not in hints:
            raise ConfigError(
                f"The parameter {name!r} of {function.__name__!r} has no type.",
                f"Write {name}: str, or whatever it is.",
            )
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((name, hints[name], *default))
    return msgspec.defstruct(function.__name__, fields, kw_only=True, forbid_unknown_fields=True)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Resolved type hints of ``function``, its extras kept."""
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigError(
            f"A type hint of {_name(function)} cannot be resolved: {error}.",
            "Import the name at module level, outside TYPE_CHECKING.",
        ) from None


def _encode(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{_name(type(value))} has no JSON form")


def _is_pydantic(type_: Any) -> bool:
    return hasattr(type_, "__pydantic_core_schema__") or hasattr(type_, "__pydantic_validator__")


def _adapter(type_: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(type_)


def _pydantic_schema(type_: type) -> dict[str, Any]:
    if _is_pydantic(type_):
        return _adapter(type_).json_schema()  # type: ignore[no-any-return]  # pydantic is not imported here
    raise NotImplementedError(f"{_name(type_)} has no JSON form")


def _pydantic_decode(type_: type, value: Any) -> Any:
    if _is_pydantic(type_):
        return _validate_pydantic(type_, value)
    raise NotImplementedError(f"{_name(type_)} has no JSON form")


def _validate_pydantic(type_: Any, value: Any) -> Any:
    from pydantic import ValidationError

    try:
        return _adapter(type_).validate_python(value)
    except ValidationError as error:
        issues = tuple(
            (".".join(map(str, item["loc"])) or "root", item["msg"]) for item in error.errors()
        )
        text = "; ".join(f"{field}: {message}" for field, message in issues)
        raise InvalidInput(text, issues=issues) from None


def _name(type_: Any) -> str:
    return getattr(type_, "__qualname__", None) or repr(type_)
