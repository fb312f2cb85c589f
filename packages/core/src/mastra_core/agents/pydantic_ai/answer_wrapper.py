"""Wrap an answer of another type in a JSON object, because tool arguments must be an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ("list_choices", "unwrap_check", "wrap_schema")

# The names that Mastra for TypeScript and the AI SDK use.
_ARRAY, _VALUE = "elements", "result"
_REFERENCE = "#/$defs/"
_ROOT_NAME = "answer_root"
_ROOT = f"{_REFERENCE}{_ROOT_NAME}"
_SHARED = ("$defs", "definitions")  # stay at the root, because references name this place


def wrap_schema(schema: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the schema of an object that contains the answer.

    :param schema: the JSON Schema of the answer.
    :returns: the schema, and the name of the property that contains the answer; the name is empty
        if the answer is an object itself.
    """
    schema = _inline_root(schema)
    if schema.get("type") == "object":
        return schema, ""
    name = _ARRAY if schema.get("type") == "array" else _VALUE
    inner = {key: value for key, value in schema.items() if key not in _SHARED}
    shared = {key: schema[key] for key in _SHARED if isinstance(schema.get(key), dict)}
    if (moved := _move_references(schema)) != schema:  # a part refers to the root
        definitions = {key: value for key, value in moved.items() if key in shared}
        root = {key: value for key, value in moved.items() if key not in _SHARED}
        inner = {"$ref": _ROOT}
        shared = {**definitions, "$defs": {**definitions.get("$defs", {}), _ROOT_NAME: root}}
    wrapper = {
        "type": "object",
        "properties": {name: inner},
        "required": [name],
        "additionalProperties": False,
    }
    return {**wrapper, **shared}, name


def list_choices(schema: dict[str, Any]) -> tuple[str, ...]:
    """Return the allowed texts of an answer; empty if its type is not an enumeration.

    :param schema: the JSON Schema of the answer, without a wrapper.
    """
    choices = _inline_root(schema).get("enum")
    if not isinstance(choices, list):
        return ()
    return tuple(each for each in choices if isinstance(each, str))


def unwrap_check(check: Callable[[Any], Any], wrapper: str) -> Callable[[Any], Any]:
    """Build a check of a wrapped answer; the check also accepts an answer without a wrapper.

    :param check: returns a valid answer without the wrapper, or raises ``ValueError``.
    :param wrapper: the property that contains the answer.
    """

    def check_wrapped(value: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {wrapper}:
            return check(value[wrapper])
        try:
            return check(value)
        except ValueError:
            raise ValueError(f"The property {wrapper!r} is missing.") from None

    return check_wrapped


def _inline_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace a root that is a reference with its target, because providers need an object."""
    reference, definitions = schema.get("$ref"), schema.get("$defs")
    if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
        return schema
    name = reference.removeprefix(_REFERENCE)
    target = definitions.get(name) if isinstance(definitions, dict) else None
    return {**target, "$defs": schema["$defs"]} if isinstance(target, dict) else schema


def _move_references(value: Any) -> Any:
    """Return a part of a schema, in which references to the old root point to its new place."""
    if isinstance(value, list):
        return [_move_references(each) for each in value]
    if not isinstance(value, dict):
        return value
    moved = {key: _move_references(each) for key, each in value.items()}
    reference = value.get("$ref")
    if isinstance(reference, str) and _is_below_root(reference):
        moved["$ref"] = _ROOT + reference[1:]
    return moved


def _is_below_root(reference: str) -> bool:
    shared = tuple(f"#/{name}/" for name in _SHARED)
    return reference == "#" or (reference.startswith("#/") and not reference.startswith(shared))
