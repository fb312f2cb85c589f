"""Check the model's answer against a JSON Schema, which may come from a caller.

A caller's schema must not make the server load an address or spend unlimited time. Therefore the
server evaluates a copy of the schema without patterns, in which each reference is replaced with its
target. The copy of the schema has a maximum size. If a part of the schema is not in the copy, the
server does not check what this part requires. The model itself still receives the caller's whole
schema.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mastra_core.errors import InvalidInput

__all__ = ("build_answer_check",)

MAX_SIZE = 500  # subschemas that are evaluated
MAX_OPEN_REFERENCES = 4  # nested references
MAX_DEPTH = 9  # nested subschemas; Python cannot compile deeper code
MAX_NESTING = 100  # nested objects and lists of a caller's schema; each level needs stack frames
_ROOT = "answer"  # the name of the whole value in messages
_NO_NAMES = " must contain "  # the end of a brief message, which lacks the names
_HINT = "Send a valid JSON Schema."
# Only these keywords are evaluated: others may contain a pattern, a reference or unlimited work.
_MAPS_OF_SCHEMAS = frozenset(("properties", "dependentSchemas"))
_LISTS_OF_SCHEMAS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_SCHEMAS = frozenset(
    ("items", "additionalItems", "contains", "additionalProperties", "not", "if", "then", "else")
)
_PLAIN_VALUES = frozenset(
    ("type", "required", "enum", "const", "minimum", "maximum", "exclusiveMinimum",
     "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems",
     "uniqueItems", "minProperties", "maxProperties")
)  # fmt: skip
_STRICTER = ("not", "oneOf", "if")  # these keywords refuse more values if their schemas accept more
_ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "$schema", "$id", "id", "$comment", "$defs",
     "definitions", "discriminator", "deprecated", "readOnly", "writeOnly")
)  # fmt: skip
_OMITTED = object()


def build_answer_check(schema: dict[str, Any], *, enforce_patterns: bool) -> Callable[[Any], Any]:
    """Build a function that returns a valid answer, or raises ``ValueError`` with the fault.

    :param schema: the JSON Schema of the answer.
    :param enforce_patterns: whether patterns and formats are checked, as for a schema of the
        application. The check of a caller's pattern could take unlimited time.
    :raises InvalidInput: for an invalid schema.
    """
    import fastjsonschema

    if not enforce_patterns:
        _check_nesting(schema)
    evaluated = copy.deepcopy(schema) if enforce_patterns else _Inliner(schema).inline()
    try:
        try:
            validate_schema = _compile(evaluated)
        except SyntaxError:  # code that is nested too deeply for Python
            if enforce_patterns:
                raise
            validate_schema = _compile(_Inliner(schema, MAX_DEPTH).inline())
    except Exception as error:  # noqa: BLE001  # a malformed schema may raise anything
        raise InvalidInput(f"The schema of the answer is invalid: {error}.", _HINT) from None

    def check(value: Any) -> Any:
        try:
            return validate_schema(value)
        except fastjsonschema.JsonSchemaValueException as error:
            fault = str(error).replace("data", _ROOT, 1)
            if fault.endswith(_NO_NAMES):
                fault += _name_missing(schema, value, fault.removesuffix(_NO_NAMES))
            raise ValueError(fault) from None

    return check


def _name_missing(schema: dict[str, Any], value: Any, path: str) -> str:
    """Return the names of required properties that the object at ``path`` lacks.

    fastjsonschema names them only in its detailed errors, whose code contains parts of the schema.
    """
    try:
        inlined = _Inliner(schema).inline()
    except InvalidInput:  # a reference that only fastjsonschema resolves
        return "more properties"
    names = sorted(set(_find_missing(inlined, value, _ROOT, path)))
    return ", ".join(map(repr, names)) or "more properties"


def _find_missing(schema: Any, value: Any, path: str, target: str) -> Iterator[str]:
    if not isinstance(schema, dict) or not target.startswith(path):
        return
    if path == target and isinstance(value, dict):
        yield from (name for name in schema.get("required", ()) if name not in value)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(keyword, ()):
            yield from _find_missing(each, value, path, target)
    for child_schema, child, child_path in _iter_children(schema, value, path):
        yield from _find_missing(child_schema, child, child_path, target)


def _iter_children(schema: dict[str, Any], value: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Return the parts of a value, with the schema and the path of each part."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, child in value.items():
            yield properties.get(name, others), child, f"{path}.{name}"
    elif isinstance(value, list):
        items = schema.get("items")
        for index, child in enumerate(value):
            item = items[index : index + 1] if isinstance(items, list) else [items]
            yield item[0] if item else None, child, f"{path}[{index}]"


def _compile(schema: Any) -> Callable[[Any], Any]:
    """Compile a schema to a function; its error messages are brief, which keeps the code small."""
    import fastjsonschema

    validate: Callable[[Any], Any] = fastjsonschema.compile(
        schema, handlers=_NoHandlers(), use_default=False, detailed_exceptions=False
    )
    return validate


def _check_nesting(schema: Any) -> None:
    """Raise an error for a schema that is nested too deeply.

    :raises InvalidInput: when the schema has more than ``MAX_NESTING`` levels.
    """
    values, depth = [schema], 0
    while values:
        if depth > MAX_NESTING:
            raise InvalidInput(
                f"The schema of the answer nests objects and lists more than {MAX_NESTING} levels "
                "deep.",
                "Send a schema with fewer levels.",
            )
        parents = [each for each in values if isinstance(each, dict | list)]
        values = [
            child
            for each in parents
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        depth += bool(values)


def _has_reference(value: Any) -> bool:
    """Return whether fastjsonschema would treat a part of plain data as a reference or an id."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "$ref" in item or "$id" in item or "id" in item:
                return True
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False


class _NoHandlers(Mapping[str, Callable[[str], Any]]):
    """A loader for fastjsonschema that refuses to load any reference."""

    def __contains__(self, scheme: object) -> bool:
        return True

    def __getitem__(self, scheme: str) -> Callable[[str], Any]:
        def refuse(address: str) -> Any:
            raise ValueError(f"the reference {address!r} points outside of the schema")

        return refuse

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Inliner:
    """Builds a copy of a schema without references and patterns, up to a size."""

    def __init__(self, schema: dict[str, Any], max_depth: int = sys.maxsize) -> None:
        self._root = schema
        self._size = 0
        self._depth = 0
        self._cuts = 0  # constraints that were left out
        self._max_depth = max_depth

    def inline(self) -> Any:
        """Return a copy of the schema without references and patterns."""
        return self._convert(self._root, ())

    def _convert(self, schema: Any, targets: tuple[str, ...]) -> Any:
        if not isinstance(schema, dict):
            return schema
        self._size += 1
        if self._size > MAX_SIZE or self._depth >= self._max_depth:
            self._cuts += 1
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if len(targets) >= MAX_OPEN_REFERENCES:
                self._cuts += 1
                return {}
            return self._convert(self._find_target(reference), (*targets, reference))
        self._depth += 1
        converted = {key: self._convert_key(key, value, targets) for key, value in schema.items()}
        self._depth -= 1
        # The copy lacks the patterns, so the properties that they allow would count as additional.
        if "patternProperties" in schema:
            converted["additionalProperties"] = _OMITTED
        return {key: value for key, value in converted.items() if value is not _OMITTED}

    def _convert_key(self, key: str, value: Any, targets: tuple[str, ...]) -> Any:
        """Convert a keyword; omit it if its copy is incomplete and would reject valid answers."""
        cuts = self._cuts
        converted = self._convert_value(key, value, targets)
        if converted is _OMITTED:
            self._cuts += key not in _ANNOTATIONS
        elif key in _STRICTER and self._cuts > cuts:
            return _OMITTED
        return converted

    def _convert_value(self, key: str, value: Any, targets: tuple[str, ...]) -> Any:
        """Convert the value of a keyword; return ``_OMITTED`` if the keyword is not evaluated."""
        if key in _PLAIN_VALUES:
            return _OMITTED if _has_reference(value) else value
        if key in _MAPS_OF_SCHEMAS and not isinstance(value, dict):
            raise InvalidInput(
                f"The schema of the answer is invalid: {key!r} is not an object.", _HINT
            )
        if key in _MAPS_OF_SCHEMAS:
            return {name: self._convert(each, targets) for name, each in value.items()}
        if isinstance(value, list) and (key in _LISTS_OF_SCHEMAS or key == "items"):
            return [self._convert(each, targets) for each in value]
        return self._convert(value, targets) if key in _SCHEMAS else _OMITTED

    def _find_target(self, reference: str) -> Any:
        target: Any = self._root
        if reference != "#" and not reference.startswith("#/"):
            raise InvalidInput(
                f"The schema of the answer is invalid: {reference!r} refers to something outside "
                "of the schema.",
                "Use references that begin with '#/'.",
            )
        for part in reference[2:].split("/") if len(reference) > 1 else ():
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
            if target is None:
                raise InvalidInput(
                    f"The schema of the answer is invalid: {reference!r} has no target in the "
                    "schema.",
                    "Correct the reference, or add the definition that it refers to.",
                )
        return target
