"""Instructions: text, a template of the request context, or a function of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from mastra_core.errors import ConfigError, InvalidInput

__all__ = ("Instructions", "render_instructions")

Instructions: TypeAlias = str | Callable[[Mapping[str, Any]], str | Awaitable[str]]

# Double braces: single ones are common in what people write to models (JSON, code).
_FIELD = re.compile(r"\{\{\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*\}\}")


async def render_instructions(instructions: Instructions, context: Mapping[str, Any]) -> str:
    """The instructions for one run.

    ``{{ name }}`` and ``{{ user.name }}`` stand for values of the request context. They are
    looked up, never executed, and what they hold is not looked at for more of them.

    :raises InvalidInput: when the request context has no such value.
    :raises ConfigError: when a function gives anything but text.
    """
    if isinstance(instructions, str):
        return _FIELD.sub(lambda found: _value(found[1], context), instructions)
    made = instructions(context)
    text = await made if inspect.isawaitable(made) else made
    if not isinstance(text, str):
        raise ConfigError(
            f"The function of the instructions gave {type(text).__name__}.", "Return text."
        )
    return text


def _value(path: str, context: Mapping[str, Any]) -> str:
    value: Any = context
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise InvalidInput(
                f"The instructions need {path!r} of the request context.",
                "Send it with the request, or set it in a middleware.",
            )
        value = value[name]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
