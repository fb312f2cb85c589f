"""Decide whether a value of one type can be valid for another type.

Two types are incompatible only if no value can be valid for both. If a type cannot be inspected, it
is compatible with all types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msgspec import inspect as mi

__all__ = ("explain_mismatch",)

_KINDS = {
    "NoneType": "null", "BoolType": "boolean", "IntType": "number", "FloatType": "number",
    "StrType": "string", "BytesType": "string", "ByteArrayType": "string",
    "MemoryViewType": "string", "UUIDType": "string", "DateTimeType": "string",
    "DateType": "string", "TimeType": "string",
    "ListType": "array", "SetType": "array", "FrozenSetType": "array", "VarTupleType": "array",
    "TupleType": "array", "NamedTupleType": "array", "DictType": "object",
    "TypedDictType": "object", "DataclassType": "object",
}  # fmt: skip
_VALUE_KINDS = {type(None): "null", bool: "boolean", int: "number", str: "string"}


@dataclasses.dataclass(frozen=True)
class _Shape:
    """A type, or one member of a union. A shape without a kind is compatible with every shape."""

    kind: str = ""
    name: str = ""
    item: mi.Type | None = None  # the items of an array; the values of an object without fields
    fields: dict[str, tuple[bool, mi.Type | None]] | None = None
    closed: bool = False  # unknown fields are invalid


def explain_mismatch(source: Any, target: Any) -> str:
    """Explain why no value of ``source`` is valid for ``target``.

    :param source: the type of the values.
    :param target: the type that the values must fit.
    :returns: the reason, such as ``total: number is not string``; empty if a value can be valid.
    """
    from msgspec.inspect import type_info

    if any(type_ is Any or isinstance(type_, dict) for type_ in (source, target)):
        return ""
    return _explain_mismatch(type_info(source), type_info(target), "", set())


def _explain_mismatch(
    source: mi.Type, target: mi.Type, path: str, visited_pairs: set[tuple[int, int]]
) -> str:
    pair = (id(source), id(target))
    if pair in visited_pairs:  # a recursive type
        return ""
    visited_pairs.add(pair)
    reason = ""
    for one in _iter_shapes(source):
        for other in _iter_shapes(target):
            reason = _compare_shapes(one, other, path, visited_pairs)
            if not reason:
                return ""
    return reason


def _compare_shapes(
    one: _Shape, other: _Shape, path: str, visited_pairs: set[tuple[int, int]]
) -> str:
    if not one.kind or not other.kind:
        return ""
    if one.kind != other.kind:
        return f"{path or 'root'}: {one.name or one.kind} is not {other.name or other.kind}"
    if one.kind == "array":
        return _compare_items(one.item, other.item, f"{path}[]", visited_pairs)
    if one.kind == "object":
        return next(filter(None, _iter_differences(one, other, path, visited_pairs)), "")
    return ""


def _compare_items(
    one: mi.Type | None, other: mi.Type | None, path: str, visited_pairs: set[tuple[int, int]]
) -> str:
    return (
        "" if one is None or other is None else _explain_mismatch(one, other, path, visited_pairs)
    )


def _iter_differences(
    one: _Shape, other: _Shape, path: str, visited_pairs: set[tuple[int, int]]
) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    source_fields, target_fields = one.fields, other.fields
    if source_fields is None and target_fields is None:
        yield _compare_items(one.item, other.item, f"{path}{{}}", visited_pairs)
    for name, (required, type_) in (target_fields or {}).items():
        always, source_type = (source_fields or {}).get(
            name, (False, None if source_fields else one.item)
        )
        if required and source_fields is not None and name not in source_fields:
            yield f"{prefix}{name}: missing"
        elif always or (required and source_fields is None):
            yield _compare_items(source_type, type_, prefix + name, visited_pairs)
    for name, (always, source_type) in (source_fields or {}).items():
        if always and target_fields is None:
            yield _compare_items(source_type, other.item, prefix + name, visited_pairs)
        elif always and other.closed and name not in (target_fields or {}):
            yield f"{prefix}{name}: unknown field"


def _iter_shapes(type_: mi.Type) -> Iterator[_Shape]:
    name = type(type_).__name__
    kind, info = _KINDS.get(name, ""), _as_any(type_)
    if name == "UnionType":
        for part in info.types:
            yield from _iter_shapes(part)
    elif name in {"LiteralType", "EnumType"}:
        values = info.values if name == "LiteralType" else [item.value for item in info.cls]
        yield from (_Shape(_VALUE_KINDS.get(type(value), "")) for value in values)
    elif name == "Metadata":
        yield from _iter_shapes(info.type)
    elif kind == "array":
        yield _Shape(kind, item=getattr(info, "item_type", None))
    elif name == "DictType":
        yield _Shape(kind, item=info.value_type)
    elif kind == "object" or (name == "StructType" and not info.array_like):
        yield _build_object_shape(info)
    else:
        yield _build_model_shape(info.cls) if name == "CustomType" else _Shape(kind)


def _build_object_shape(info: Any) -> _Shape:
    if getattr(info, "tag_field", None):
        return _Shape("object", info.cls.__name__)
    fields = {item.encode_name: (item.required, item.type) for item in info.fields}
    closed = getattr(info, "forbid_unknown_fields", False)
    return _Shape("object", info.cls.__name__, fields=fields, closed=closed)


def _build_model_shape(cls: Any) -> _Shape:
    """Build the shape of a pydantic model that has no validators or serializers of its own."""
    decorators = getattr(cls, "__pydantic_decorators__", None)
    if decorators is None or getattr(cls, "__pydantic_root_model__", False):
        return _Shape()
    if decorators.model_validators or decorators.root_validators or decorators.model_serializers:
        return _Shape()
    if any(item.alias or item.validation_alias for item in cls.model_fields.values()):
        return _Shape("object", cls.__name__)
    fields: dict[str, tuple[bool, mi.Type | None]]
    fields = {name: (item.is_required(), None) for name, item in cls.model_fields.items()}
    return _Shape("object", cls.__name__, fields=fields)


def _as_any(value: object) -> Any:
    return value
