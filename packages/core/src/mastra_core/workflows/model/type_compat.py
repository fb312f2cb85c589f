"""Whether what one type describes can ever be what another one asks for.

The answer is no only where it is certain: a type that cannot be looked into fits everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msgspec import inspect as mi

__all__ = ("misfit",)

_KINDS = {
    "NoneType": "null", "BoolType": "boolean", "IntType": "number", "FloatType": "number",
    "StrType": "string", "BytesType": "string", "ByteArrayType": "string",
    "MemoryViewType": "string", "UUIDType": "string", "DateTimeType": "string",
    "DateType": "string", "TimeType": "string",
    "ListType": "array", "SetType": "array", "FrozenSetType": "array", "VarTupleType": "array",
    "TupleType": "array", "NamedTupleType": "array", "DictType": "object",
    "TypedDictType": "object", "DataclassType": "object",
}  # fmt: skip
_WORDS = {type(None): "null", bool: "boolean", int: "number", str: "string"}


@dataclasses.dataclass(frozen=True)
class _Shape:
    """One of the things that a type can be. No kind: anything."""

    kind: str = ""
    name: str = ""
    item: mi.Type | None = None  # of an array; the values of an object without fields
    fields: dict[str, tuple[bool, mi.Type | None]] | None = None
    closed: bool = False  # refuses fields it does not know


def misfit(source: Any, target: Any) -> str:
    """Why no value of ``source`` can be a ``target``; empty where one can.

    ``{"total": int}`` for ``{"total": str}`` gives ``total: number is not string``.
    """
    from msgspec.inspect import type_info

    if any(type_ is Any or isinstance(type_, dict) for type_ in (source, target)):
        return ""
    return _misfit(type_info(source), type_info(target), "", set())


def _misfit(source: mi.Type, target: mi.Type, path: str, seen: set[tuple[int, int]]) -> str:
    pair = (id(source), id(target))
    if pair in seen:  # a type that contains itself
        return ""
    seen.add(pair)
    reason = ""
    for one in _shapes(source):
        for other in _shapes(target):
            reason = _apart(one, other, path, seen)
            if not reason:
                return ""
    return reason


def _apart(one: _Shape, other: _Shape, path: str, seen: set[tuple[int, int]]) -> str:
    if not one.kind or not other.kind:
        return ""
    if one.kind != other.kind:
        return f"{path or 'root'}: {one.name or one.kind} is not {other.name or other.kind}"
    if one.kind == "array":
        return _inside(one.item, other.item, f"{path}[]", seen)
    if one.kind == "object":
        return next(filter(None, _differences(one, other, path, seen)), "")
    return ""


def _inside(
    one: mi.Type | None, other: mi.Type | None, path: str, seen: set[tuple[int, int]]
) -> str:
    return "" if one is None or other is None else _misfit(one, other, path, seen)


def _differences(
    one: _Shape, other: _Shape, path: str, seen: set[tuple[int, int]]
) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    given, wanted = one.fields, other.fields
    if given is None and wanted is None:
        yield _inside(one.item, other.item, f"{path}{{}}", seen)
    for name, (required, type_) in (wanted or {}).items():
        there, given_type = (given or {}).get(name, (False, None if given else one.item))
        if required and given is not None and name not in given:
            yield f"{prefix}{name}: missing"
        elif there or (required and given is None):
            yield _inside(given_type, type_, prefix + name, seen)
    for name, (there, given_type) in (given or {}).items():
        if there and wanted is None:
            yield _inside(given_type, other.item, prefix + name, seen)
        elif there and other.closed and name not in (wanted or {}):
            yield f"{prefix}{name}: not asked for"


def _shapes(type_: mi.Type) -> Iterator[_Shape]:
    name = type(type_).__name__
    kind, info = _KINDS.get(name, ""), _as_any(type_)
    if name == "UnionType":
        for part in info.types:
            yield from _shapes(part)
    elif name in {"LiteralType", "EnumType"}:
        values = info.values if name == "LiteralType" else [item.value for item in info.cls]
        yield from (_Shape(_WORDS.get(type(value), "")) for value in values)
    elif name == "Metadata":
        yield from _shapes(info.type)
    elif kind == "array":
        yield _Shape(kind, item=getattr(info, "item_type", None))
    elif name == "DictType":
        yield _Shape(kind, item=info.value_type)
    elif kind == "object" or (name == "StructType" and not info.array_like):
        yield _object(info)
    else:
        yield _model(info.cls) if name == "CustomType" else _Shape(kind)


def _object(info: Any) -> _Shape:
    if getattr(info, "tag_field", None):
        return _Shape("object", info.cls.__name__)
    fields = {item.encode_name: (item.required, item.type) for item in info.fields}
    closed = getattr(info, "forbid_unknown_fields", False)
    return _Shape("object", info.cls.__name__, fields=fields, closed=closed)


def _model(cls: Any) -> _Shape:
    """A pydantic model, where no code of its own decides what it reads and writes."""
    own = getattr(cls, "__pydantic_decorators__", None)
    if own is None or getattr(cls, "__pydantic_root_model__", False):
        return _Shape()
    if own.model_validators or own.root_validators or own.model_serializers:
        return _Shape()
    if any(item.alias or item.validation_alias for item in cls.model_fields.values()):
        return _Shape("object", cls.__name__)
    fields: dict[str, tuple[bool, mi.Type | None]]
    fields = {name: (item.is_required(), None) for name, item in cls.model_fields.items()}
    return _Shape("object", cls.__name__, fields=fields)


def _as_any(value: object) -> Any:
    return value
