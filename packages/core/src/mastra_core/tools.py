"""A typed function is a tool."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, overload

from mastra_core.errors import ConfigError, Conflict
from mastra_core.schema import dump, hints_of, parameters_type, schema_of, validate
from mastra_core.telemetry import active, note, span

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar

    from mastra_core.agents.events import Usage

    P = ParamSpec("P", default=...)
    R_co = TypeVar("R_co", covariant=True, default=Any)
else:  # Python 3.11 knows no defaults of type variables
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R_co = TypeVar("R_co", covariant=True)

__all__ = (
    "Tool",
    "ToolContext",
    "ToolSuspension",
    "Toolbox",
    "as_tool",
    "is_toolbox",
    "tool",
)


class ToolSuspension(BaseException):
    """Leaves a tool that waits for data; only ``ToolContext.suspend`` raises it.

    Not an ``Exception``, so that a tool's own ``except Exception`` cannot swallow it.
    """

    def __init__(self, payload: Any) -> None:
        super().__init__("suspended")
        self.payload = payload


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToolContext:
    """What a tool may know of the call and do beside it; annotate a parameter with it.

    :param request_context: what the caller and the server's middleware passed along.
    :param run_id: the run that asked, empty for a direct call.
    :param call_id: the model's call, empty for a direct call.
    :param resume_data: what somebody brought after ``suspend``; ``None`` on the first execution.
    """

    request_context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    run_id: str = ""
    call_id: str = ""
    thread: str = ""
    resource: str = ""
    resume_data: Any = None
    writer: Callable[[Any], Awaitable[None]] | None = dataclasses.field(default=None, repr=False)
    counter: Callable[[Any], None] | None = dataclasses.field(default=None, repr=False)

    def suspend(self, payload: Any = None) -> NoReturn:
        """Leave the tool here; once somebody brings data it is executed again from its beginning.

        :param payload: what that person needs to see, any JSON-able value.
        :raises Conflict: in a direct call, which cannot wait.
        """
        if not self.call_id:
            raise Conflict("The tool waits for data, which only a run of an agent can do.")
        raise ToolSuspension(dump(payload))

    async def write(self, value: Any) -> None:
        """Tell whoever watches the run; any JSON-able value, or an event of an agent."""
        if self.writer is not None:
            await self.writer(value)

    def count(self, usage: Usage) -> None:
        """Add tokens that the tool spent to those of the run."""
        if self.counter is not None:
            self.counter(usage)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tool(Generic[P, R_co]):
    """Something an agent, or an HTTP caller, can do.

    :param id: the name a model calls it by.
    :param description: what the model reads to decide; the docstring of the function.
    :param function: sync or async; its parameters are the tool's input.
    :param requires_approval: a person must agree before it runs; or a function, sync or async, of
        the same parameters that says so of one call.
    :param context_names: the parameters that receive the ``ToolContext``.
    """

    id: str
    description: str
    function: Callable[P, R_co]
    input: Any
    output: Any = Any
    requires_approval: bool | Callable[..., Any] = False
    context_names: tuple[str, ...] = ()

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return schema_of(self.input)

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the result, or ``None`` where the function does not say."""
        return None if self.output is Any else schema_of(self.output)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The function itself, so that a decorated function stays one."""
        return self.function(*args, **kwargs)

    def check(self, data: Any) -> dict[str, Any]:
        """``data`` as the values of the function's parameters.

        :raises InvalidInput: when it does not fit them.
        """
        arguments = validate(self.input, {} if data is None else data)
        if isinstance(self.input, dict):  # a JSON Schema, of a tool that no signature describes
            return dict(validate(dict[str, Any], arguments))
        return {name: getattr(arguments, name) for name in self.input.__struct_fields__}

    async def asks(self, values: Mapping[str, Any]) -> bool:
        """Whether a person must agree to a call with these ``values``, which were checked."""
        if not callable(self.requires_approval):
            return self.requires_approval
        answer = self.requires_approval(**values)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    async def call(self, values: Mapping[str, Any], context: ToolContext | None = None) -> Any:
        """Call the function with ``values``, which were checked; gives JSON builtins.

        A plain function runs in a worker thread, so it cannot block the server.
        """
        given = dict(values)
        if self.context_names:
            given |= dict.fromkeys(self.context_names, context or ToolContext())
        if not active():
            return await self._called(given)
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": self.id}
        with span(f"execute_tool {self.id}", attributes) as current:
            note(current, input=dict(values))
            output = await self._called(given)
            note(current, output=output)
            return output

    async def _called(self, given: dict[str, Any]) -> Any:
        function: Callable[..., Any] = self.function
        if inspect.iscoroutinefunction(function):
            return dump(await function(**given))
        import asyncio

        return dump(await asyncio.to_thread(function, **given))

    async def execute(self, data: Any, context: ToolContext | None = None) -> Any:
        """Check ``data`` and call the function; gives JSON builtins.

        :raises InvalidInput: when ``data`` does not fit the parameters.
        """
        return await self.call(self.check(data), context)


@overload
def tool(function: Callable[P, R_co], /) -> Tool[P, R_co]: ...
@overload
def tool(
    *,
    id: str = ...,
    description: str = ...,
    requires_approval: bool | Callable[..., Any] = ...,
) -> Callable[[Callable[P, R_co]], Tool[P, R_co]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    id: str = "",
    description: str = "",
    requires_approval: bool | Callable[..., Any] = False,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function; used bare or with arguments.

    :raises ConfigError: when a parameter has no type or no JSON form.
    """
    if not isinstance(requires_approval, bool) and not callable(requires_approval):
        raise ConfigError(
            f"The rule of approval is {requires_approval!r}.",
            "Pass True, False or a function of the tool's parameters.",
        )

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


class Toolbox(Protocol):
    """Tools that are known only when a run asks for them: those of a server, for one."""

    async def tools(self) -> Sequence[Tool]:
        """The tools as they are now."""


def is_toolbox(value: Any) -> bool:
    """Whether ``value`` is a ``Toolbox``."""
    return inspect.iscoroutinefunction(getattr(value, "tools", None))


def as_tool(value: Any) -> Tool:
    """``value`` as a tool: a ``Tool``, or a typed function.

    :raises ConfigError: for anything else.
    """
    if isinstance(value, Tool):
        return value
    if inspect.isroutine(value):
        return tool(value)
    raise ConfigError(f"{value!r} is not a tool.", "Pass a typed function, or decorate it @tool.")
