"""Encode the request context of a run for the database, and restore it for an execution."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from mastra_core.secret import Secret
from mastra_core.workflows.durable.store.run_rows import encode

__all__ = ("build_context", "encode_context", "replace_context")


def encode_context(
    context: Mapping[str, Any] | None, stored_keys: Collection[str] | None
) -> str | None:
    """Return the JSON of the request context to store; ``None`` to keep the stored context.

    Secrets, and values that cannot be encoded as JSON, are left out.

    :param context: the request context of the caller.
    :param stored_keys: the keys that are stored; ``None`` for all.
    """
    if not context:
        return None
    keys = context if stored_keys is None else stored_keys
    stored = {key: context[key] for key in keys if key in context}
    return encode({key: value for key, value in stored.items() if _is_json(value)})


def build_context(text: str, context: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the caller's context, or the stored context if the caller's context is empty.

    :param text: the JSON of the stored context.
    :param context: the request context of the caller.
    """
    return dict(context) if context else msgspec.json.decode(text, type=dict[str, Any])


def replace_context(present: dict[str, Any], context: Mapping[str, Any] | None) -> None:
    """Replace the request context in place, because the steps hold a reference to the mapping.

    :param present: the mapping that the running steps use.
    :param context: the new context; if it is empty, the present one stays.
    """
    if context:
        present.clear()
        present.update(context)


def _is_json(value: Any) -> bool:
    if isinstance(value, Secret):
        return False
    try:
        encode(value)
    except (TypeError, RecursionError):  # RecursionError for a value that contains itself
        return False
    return True
