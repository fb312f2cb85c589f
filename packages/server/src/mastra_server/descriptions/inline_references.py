"""Replace the references of JSON Schemas, because the forms of Studio do not follow them."""

from __future__ import annotations

from typing import Any

__all__ = ("inline_references",)

_PREFIX = "#/$defs/"
_MAX_VALUES = 10_000  # definitions that refer to one another can grow exponentially


def inline_references(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace each reference to a definition of the schema with the definition itself.

    A definition that contains itself stays a definition, as does every reference to a schema
    elsewhere.

    :param schema: the schema, which is not changed.
    :returns: the schema without references; the same schema if it has no definitions, or if it
        would become too large.
    """
    definitions = schema.get("$defs")
    if not isinstance(definitions, dict):
        return schema
    inliner = _Inliner(definitions)
    inlined = inliner.inline({key: schema[key] for key in schema if key != "$defs"}, frozenset())
    if inliner.is_too_large:
        return schema
    return {**inlined, "$defs": definitions} if inliner.has_recursion else inlined


class _Inliner:
    """Copies a schema, and notes whether a reference had to stay.

    :param definitions: the definitions to which the schema refers.
    """

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._copied = 0
        self.has_recursion = False

    @property
    def is_too_large(self) -> bool:
        """Whether the copy has more values than are sent."""
        return self._copied > _MAX_VALUES

    def inline(self, node: Any, enclosing: frozenset[str]) -> Any:
        """Copy a part of the schema without references.

        :param node: the part.
        :param enclosing: the names of the definitions that contain the part.
        """
        self._copied += 1
        if self.is_too_large:
            return node
        if isinstance(node, list):
            return [self.inline(each, enclosing) for each in node]
        if not isinstance(node, dict):
            return node
        copied = {key: self.inline(value, enclosing) for key, value in node.items()}
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith(_PREFIX):
            return copied
        name = reference.removeprefix(_PREFIX)
        if name in enclosing or name not in self._definitions:
            self.has_recursion = True
            return copied
        del copied["$ref"]
        return {**self.inline(self._definitions[name], enclosing | {name}), **copied}
