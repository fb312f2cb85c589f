"""Limit the size of JSON Schemas from callers, because their conversion is slow."""

from __future__ import annotations

from typing import Any

from mastra_server.http.request_body import InvalidBody

__all__ = ("MAX_SCHEMA_VALUES", "check_schema")

MAX_SCHEMA_VALUES = 2000
_MAX_EXPANDED_VALUES = 10_000
_MAX_DEPTH = 200


def check_schema(schema: Any, field: str) -> None:
    """Check the size of a schema, before and after the replacement of all references.

    :param schema: the decoded schema; ``None`` if there is none.
    :param field: the path of the field, for the error message.
    :raises InvalidBody: if the schema is too large, if its references nest too deeply, or if a
        reference has no target in the schema.
    """
    size = _SchemaSize(schema, field)
    if size.measure(schema, 0, expand=False) > MAX_SCHEMA_VALUES:
        raise InvalidBody(field, f"Expected a schema of at most {MAX_SCHEMA_VALUES} values")
    if size.has_references and size.measure(schema, 0, expand=True) > _MAX_EXPANDED_VALUES:
        raise InvalidBody(field, "Expected fewer references in the schema")


class _SchemaSize:
    """Measures a schema; follows each reference only once, to limit the time."""

    def __init__(self, root: Any, field: str) -> None:
        self._root = root
        self._field = field
        self._sizes: dict[str, int] = {}
        self.has_references = False

    def measure(self, value: Any, depth: int, *, expand: bool) -> int:
        """Return the number of values that ``value`` contains, including itself.

        :param value: a part of the schema.
        :param depth: the number of values that enclose ``value``.
        :param expand: whether to replace references by their targets.
        """
        if depth > _MAX_DEPTH:
            raise InvalidBody(self._field, f"Expected a schema of at most {_MAX_DEPTH} levels")
        if isinstance(value, list):
            return 1 + sum(self.measure(each, depth + 1, expand=expand) for each in value)
        if not isinstance(value, dict):
            return 1
        reference = value.get("$ref")
        if isinstance(reference, str):
            self.has_references = True
        size = 1 + sum(self.measure(each, depth + 1, expand=expand) for each in value.values())
        if expand and isinstance(reference, str):
            size += self._measure_target(reference, depth)
        return size

    def _find_target(self, reference: str) -> Any:
        target: Any = self._root
        start, *parts = reference.split("/")
        for part in parts:
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        if start != "#" or target is None:
            raise InvalidBody(self._field, f"The reference {reference!r} has no target")
        return target

    def _measure_target(self, reference: str, depth: int) -> int:
        if reference not in self._sizes:
            self._sizes[reference] = 1  # within itself
            target = self._find_target(reference)
            self._sizes[reference] = self.measure(target, depth + 1, expand=True)
        return self._sizes[reference]
