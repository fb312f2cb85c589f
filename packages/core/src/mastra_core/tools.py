"""A typed function is a tool."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, overload

from mastra_core.errors import ConfigError
from mastra_core.schema import dump, hints_of, parameters_type, schema_of, validate

__all__ = ("Tool", "ToolContext", "as_tool", "tool")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToolContext:
    """What a tool may know about the call; annotate a parameter with it to receive it.

    :param request_context: what the caller and the server's middleware passed along.
    :param run_id: the run that asked, empty for a direct call.
    """

    request_context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    run_id: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tool:
    """Something an agent, or an HTTP caller, can do.

    :param id: the name a model calls it by.
    :param description: what the model reads to decide; the docstring of the function.
    :param function: sync or async; its parameters are the tool's input.
    :param requires_approval: a person must agree before it runs.
    :param context_names: the parameters that receive the ``ToolContext``.
    """

    id: str
    description: str
    function: Callable[..., Any]
    input: Any
    output: Any = Any
    requires_approval: bool = False
    context_names: tuple[str, ...] = ()

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return schema_of(self.input)

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the result, or ``None`` where the function does not say."""
        return None if self.output is Any else schema_of(self.output)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, so that a decorated function stays one."""
        return self.function(*args, **kwargs)

    async def execute(self, data: Any, context: ToolContext | None = None) -> Any:
        """Check ``data``, call the function, give back JSON builtins.

        A plain function runs in a worker thread, so it cannot block the server.

        :raises InvalidInput: when ``data`` does not fit the parameters.
        """
        arguments = validate(self.input, {} if data is None else data)
        values = {name: getattr(arguments, name) for name in self.input.__struct_fields__}
        values |= dict.fromkeys(self.context_names, context or ToolContext())
        if inspect.iscoroutinefunction(self.function):
            return dump(await self.function(**values))
        import asyncio

        return dump(await asyncio.to_thread(self.function, **values))


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, id: str = ..., description: str = ..., requires_approval: bool = ...
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    id: str = "",
    description: str = "",
    requires_approval: bool = False,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function; used bare or with arguments.

    :raises ConfigError: when a parameter has no type or no JSON form.
    """

    def make(function: Callable[..., Any]) -> Tool:
        hints = hints_of(function)
        made = Tool(
            id=id or function.__name__,
            description=description or inspect.getdoc(function) or "",
            function=function,
            input=parameters_type(function, skip=(ToolContext,)),
            output=hints.get("return", Any),
            requires_approval=requires_approval,
            context_names=tuple(name for name, hint in hints.items() if hint is ToolContext),
        )
        schema_of(made.input)  # a type without a JSON form is found here, not in a request
        return made

    return make(function) if function else make


def as_tool(value: Any) -> Tool:
    """``value`` as a tool: a ``Tool``, or a typed function.

    :raises ConfigError: for anything else.
    """
    if isinstance(value, Tool):
        return value
    if inspect.isroutine(value):
        return tool(value)
    raise ConfigError(f"{value!r} is not a tool.", "Pass a typed function, or decorate it @tool.")
