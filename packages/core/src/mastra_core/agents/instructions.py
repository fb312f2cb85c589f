"""Render the instructions of an agent: text, a template or a function."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from mastra_core.errors import ConfigError, InvalidInput

__all__ = ("Instructions", "check_instructions", "render_instructions")

Instructions: TypeAlias = str | Callable[[Mapping[str, Any]], str | Awaitable[str]]

# Double braces, because single ones are common in prompts (JSON, code).
_FIELD = re.compile(r"\{\{\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*\}\}")


def check_instructions(instructions: object) -> None:
    """Raise an error if instructions are neither text nor a function.

    :param instructions: the instructions of an agent.
    :raises ConfigError: for any other type.
    """
    if not isinstance(instructions, str) and not callable(instructions):
        raise ConfigError(
            f"The argument 'instructions' has the wrong type {type(instructions).__name__!r}.",
            "Pass text, or a function of the request context.",
        )


async def render_instructions(instructions: Instructions, context: Mapping[str, Any]) -> str:
    """Return the instructions of one run.

    ``{{ name }}`` and ``{{ user.name }}`` stand for values of the request context. A template only
    looks up values and executes nothing. If a value itself contains a placeholder, that placeholder
    is not replaced.

    :param instructions: text, a template, or a function of the request context.
    :param context: the request context.
    :raises InvalidInput: when the request context lacks a value of the template.
    :raises ConfigError: when a function returns anything but text.
    """
    if isinstance(instructions, str):
        return _FIELD.sub(lambda found: _look_up(found[1], context), instructions)
    result = instructions(context)
    text = await result if inspect.isawaitable(result) else result
    if not isinstance(text, str):
        raise ConfigError(
            f"The function that was passed as instructions returned {type(text).__name__!r}, which "
            "is not text.",
            "Return text.",
        )
    return text


def _look_up(path: str, context: Mapping[str, Any]) -> str:
    value: Any = context
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise InvalidInput(
                f"The instructions use the value {path!r}, which is not in the request context.",
                "Send the value with the request, or set it in a middleware.",
            )
        value = value[name]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
