"""Call the functions of the request context that choose the model and the tools of a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mastra_core.agents.providers import parse_models
from mastra_core.errors import ConfigError
from mastra_core.tools import Tool, as_tool

__all__ = (
    "ModelFunction",
    "ToolsFunction",
    "choose_models",
    "choose_tools",
    "get_tools_function",
    "is_model_function",
)

ModelFunction: TypeAlias = Callable[[Mapping[str, Any]], Any]
ToolsFunction: TypeAlias = Callable[[Mapping[str, Any]], Any]


def is_model_function(model: Any) -> bool:
    """Return whether an agent's ``model`` is a function, and not a model object.

    :param model: the argument ``model`` of an agent.
    """
    return callable(model) and not hasattr(model, "model_name")


def get_tools_function(tools: Any) -> ToolsFunction | None:
    """Return an agent's ``tools`` if they are a function, and neither a list nor a single tool.

    :param tools: the argument ``tools`` of an agent.
    """
    return tools if callable(tools) and not isinstance(tools, Tool) else None


async def choose_models(function: ModelFunction, context: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the models that a function chooses for one run, in the order in which they are tried.

    :param function: a sync or async function.
    :param context: the request context.
    :raises ConfigError: when the function returns no model.
    """
    return parse_models(await _call(function, context))


async def choose_tools(function: ToolsFunction, context: Mapping[str, Any]) -> list[Tool]:
    """Return the tools that a function chooses for one run.

    :param function: a sync or async function.
    :param context: the request context.
    :raises ConfigError: when the function returns no list, or an item that is no tool.
    """
    items = await _call(function, context)
    if not isinstance(items, list | tuple):
        raise ConfigError(
            f"The function that was passed as tools returned {type(items).__name__!r}, which is "
            "not a list.",
            "Return a list of tools. To pass one tool, write tools=[...].",
        )
    return [as_tool(item) for item in items]


async def _call(function: Callable[[Mapping[str, Any]], Any], context: Mapping[str, Any]) -> Any:
    result = function(context)
    return await result if inspect.isawaitable(result) else result
