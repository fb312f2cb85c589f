"""Build the objects of OpenAI's SDK from decoded JSON, many times faster than the SDK does."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from openai import BaseModel
from pydantic.fields import FieldInfo

__all__ = ("UnexpectedShape", "build_object")

Convert: TypeAlias = Callable[[Any], Any]

_SCALARS = (str, int, bool, float)
_UNIONS = (Union, types.UnionType)


class UnexpectedShape(Exception):
    """The value is one that only the SDK builds correctly."""


def build_object(type_: Any, value: Any) -> Any:
    """Build a value of a type of the SDK.

    For each piece of a stream, the SDK inspects the type and validates optional fields by a schema.
    This function inspects a type once, and builds only what needs no validation.

    :param type_: a class of the SDK, or a union of classes with different values of ``type``.
    :param value: the decoded JSON.
    :raises UnexpectedShape: when the SDK must build the value.
    """
    return _get_converter(type_)(value)


@functools.cache
def _get_converter(type_: Any, *, in_union: bool = False) -> Convert:
    """Return a function that converts values of a type, or raises if there is no conversion.

    :param type_: the type.
    :param in_union: whether the value is part of a union, which the SDK validates.
    """
    try:
        return _create_converter(type_, in_union)
    except UnexpectedShape:
        return _refuse


def _create_converter(type_: Any, in_union: bool) -> Convert:
    origin, arguments = get_origin(type_), get_args(type_)
    if hasattr(type_, "__metadata__"):  # Annotated
        return _get_converter(arguments[0], in_union=in_union)
    if type_ in _SCALARS:
        return functools.partial(_check_scalar, type_)
    if origin is Literal:
        return functools.partial(_check_choice, frozenset(arguments))
    if origin is list:
        return functools.partial(_convert_list, _get_converter(arguments[0], in_union=in_union))
    if origin in _UNIONS:
        return _create_union_converter(arguments)
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        return _ObjectBuilder(type_, in_union).build
    raise UnexpectedShape


def _create_union_converter(types_: tuple[Any, ...]) -> Convert:
    others = [each for each in types_ if each is not type(None)]
    if len(others) == 1 and len(types_) > 1:
        return functools.partial(_convert_optional, _get_converter(others[0], in_union=True))
    variants: dict[str, Any] = {}
    for each in others:
        if not (isinstance(each, type) and issubclass(each, BaseModel)):
            raise UnexpectedShape
        field = each.model_fields.get("type")
        for name in get_args(field.annotation) if field else ():
            if name in variants:
                raise UnexpectedShape
            variants[name] = each
    return functools.partial(_convert_variant, variants)


class _ObjectBuilder:
    """Builds objects of one class.

    :param class_: the class.
    :param in_union: whether the object is part of a union. In a union, ``model_fields_set`` also
        contains properties that the class lacks, as in the SDK.
    """

    def __init__(self, class_: type[BaseModel], in_union: bool) -> None:
        self._class = class_
        self._in_union = in_union
        self._names = frozenset(class_.model_fields)
        self._fields = [
            (name, *_describe_field(field, in_union)) for name, field in class_.model_fields.items()
        ]

    def build(self, value: Any) -> Any:
        """Build the object that the SDK would build, including properties that its class lacks."""
        if type(value) is not dict:
            raise UnexpectedShape
        fields: dict[str, Any] = {}
        present: set[str] = set()
        for name, convert, required, default in self._fields:
            if name in value:
                fields[name] = convert(value[name])
                present.add(name)
            elif required:
                raise UnexpectedShape
            else:
                fields[name] = default
        extra = {key: value[key] for key in value if key not in self._names}
        if self._in_union:
            present.update(extra)
        return _create_object(self._class, fields, extra, present)


def _describe_field(field: FieldInfo, in_union: bool) -> tuple[Convert, bool, Any]:
    """Return the converter of a field, whether the field is required, and its default."""
    if field.alias is not None or field.default_factory is not None:
        raise UnexpectedShape
    type_: Any = field.annotation
    return _get_converter(type_, in_union=in_union), field.is_required(), field.default


def _create_object(
    class_: type[BaseModel], fields: dict[str, Any], extra: dict[str, Any], present: set[str]
) -> BaseModel:
    """Create an object without validation, as pydantic's ``model_construct`` does."""
    created = class_.__new__(class_)
    assign = object.__setattr__
    assign(created, "__dict__", fields)
    assign(created, "__pydantic_private__", None)
    assign(created, "__pydantic_extra__", extra)
    assign(created, "__pydantic_fields_set__", present)
    return created


def _check_scalar(type_: type, value: Any) -> Any:
    if type(value) is not type_:
        raise UnexpectedShape
    return value


def _check_choice(choices: frozenset[Any], value: Any) -> Any:
    if type(value) is not str or value not in choices:
        raise UnexpectedShape
    return value


def _convert_optional(convert: Convert, value: Any) -> Any:
    return None if value is None else convert(value)


def _convert_list(convert: Convert, value: Any) -> Any:
    if type(value) is not list:
        raise UnexpectedShape
    return [convert(each) for each in value]


def _convert_variant(variants: Mapping[str, Any], value: Any) -> Any:
    name = value.get("type") if type(value) is dict else None
    if type(name) is not str or name not in variants:
        raise UnexpectedShape
    return _get_converter(variants[name], in_union=True)(value)


def _refuse(_: Any) -> Any:
    raise UnexpectedShape
