"""Tools: typed functions for models and callers."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, overload, runtime_checkable

from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.function_parameters import get_signature
from mastra_core.errors import ConfigError, Conflict
from mastra_core.logs.log_fields import bind_log_fields
from mastra_core.schema import (
    build_parameters_type,
    dump,
    refuse_generator,
    resolve_hints,
    to_json_schema,
    validate,
)
from mastra_core.telemetry import Span, annotate, is_recording, start_span
from mastra_core.worker_thread import run_function

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar

    from mastra_core.usage import Usage

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
    """Raised by ``ToolContext.suspend`` to leave a tool that waits for data.

    The class is not a subclass of ``Exception``, so a tool's own ``except Exception`` cannot catch
    it.

    :param payload: what the person who provides the data needs to see, as JSON builtins.
    """

    def __init__(self, payload: Any) -> None:
        super().__init__("suspended")
        self.payload = payload


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToolContext:
    """The context of one tool call, for a parameter that is annotated with this type.

    The annotation may also be ``ToolContext | None``.

    :param request_context: values that the caller and the server's middleware set.
    :param run_id: id of the run that called the tool, empty for a direct call.
    :param call_id: id of the model's call, empty for a direct call.
    :param thread: id of the conversation, empty if there is none.
    :param resource: owner of the conversation, empty if there is none.
    :param caller: the caller whose limits apply to runs that the tool starts; set by the framework.
    :param resume_data: data that was provided after ``suspend``; ``None`` on the first execution.
    :param writer: sends an output to the readers of the run; set by the framework.
    :param counter: adds token usage to the run; set by the framework.
    :param journal: in a durable run, records the calls of an agent that the tool runs; set by the
        framework.
    """

    request_context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    run_id: str = ""
    call_id: str = ""
    thread: str = ""
    resource: str = ""
    caller: str = ""
    resume_data: Any = None
    writer: Callable[[Any], Awaitable[None]] | None = dataclasses.field(default=None, repr=False)
    counter: Callable[[Any], None] | None = dataclasses.field(default=None, repr=False)
    journal: Any = dataclasses.field(default=None, repr=False)

    @property
    def is_repeated(self) -> bool:
        """Whether an earlier process, which has ended, may have executed this call already."""
        return self.journal is not None and self.journal.is_repeated

    def suspend(self, payload: Any = None) -> NoReturn:
        """Stop the tool here; when somebody provides data, the tool runs again from its start.

        :param payload: the data that the person who answers needs to see; any JSON-able value.
        :raises Conflict: when the tool was called directly, because a direct call cannot wait.
        """
        if not self.call_id:
            raise Conflict(
                "The tool waits for data, but a direct call cannot wait.",
                "Call the tool in a run of an agent.",
            )
        raise ToolSuspension(dump(payload))

    async def write(self, value: Any) -> None:
        """Send an output to the readers of the run.

        :param value: any JSON-able value, or an event of an agent.
        """
        if self.writer is not None:
            await self.writer(value)

    def count_usage(self, usage: Usage) -> None:
        """Add tokens that the tool used to the usage of the run.

        :param usage: the tokens.
        """
        if self.counter is not None:
            self.counter(usage)


_CONTEXT_TYPES: tuple[Any, ...] = (ToolContext, ToolContext | None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tool(Generic[P, R_co]):
    """A function that agents and HTTP callers may call.

    :param id: the name that a model calls the tool by.
    :param description: text that tells the model when to call the tool; by default the docstring of
        the function.
    :param function: a sync or async function, whose parameters are the input of the tool.
    :param input: type of the input, a struct with one field for each parameter; or a JSON Schema.
    :param output: type of the result; ``Any`` if the function has no return annotation.
    :param requires_approval: whether a person must approve each call; or a sync or async function
        that takes the tool's parameters and decides for one call.
    :param resume: type of the data that a suspended call waits for; ``None`` for any data.
    :param to_model_output: a sync or async function that takes the result, as JSON builtins, and
        returns what the model of a built-in agent gets; ``None`` for the result itself.
    :param context_names: names of the parameters that receive the ``ToolContext``.
    :param remote: span attributes for a tool that another process executes; ``None`` for a tool of
        this process.
    :raises ConfigError: for an empty id, or an argument of the wrong type.
    """

    id: str
    description: str
    function: Callable[P, R_co]
    input: Any
    output: Any = Any
    requires_approval: bool | Callable[..., Any] = False
    resume: Any = None
    to_model_output: Callable[[Any], Any] | None = None
    context_names: tuple[str, ...] = ()
    remote: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_types(vars(self), Tool.__annotations__)
        if not self.id:
            raise ConfigError("The id of a tool is empty.", "Set an id: id='...'.")
        if not isinstance(self.input, dict) and not hasattr(self.input, "__struct_fields__"):
            raise ConfigError(
                f"The input {self.input!r} of the tool {self.id!r} is neither a struct nor a JSON "
                "Schema.",
                "Create the tool from a typed function: tool(function).",
            )

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return to_json_schema(self.input)

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the result, or ``None`` if the type is unknown."""
        return None if self.output is Any else to_json_schema(self.output)

    @property
    def resume_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the data that a suspended call waits for, or ``None`` for any data."""
        return None if self.resume is None else to_json_schema(self.resume)

    def parse_resume_data(self, data: Any) -> Any:
        """Validate the data for a suspended call.

        :param data: JSON builtins.
        :returns: a value of the type ``resume``.
        :raises InvalidInput: when ``data`` does not fit the type ``resume``.
        """
        return data if self.resume is None else validate(self.resume, data)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself, without validation.

        :param args: positional arguments of the function.
        :param kwargs: keyword arguments of the function.
        """
        return self.function(*args, **kwargs)

    def parse_arguments(self, data: Any) -> dict[str, Any]:
        """Validate ``data``, and return the arguments for the function.

        :param data: JSON builtins; ``None`` for no arguments.
        :returns: parameter names, mapped to values of the declared types.
        :raises InvalidInput: when ``data`` does not fit the parameters.
        """
        arguments = validate(self.input, {} if data is None else data)
        if isinstance(self.input, dict):  # a JSON Schema, of a tool that no signature describes
            return dict(validate(dict[str, Any], arguments))
        return {name: getattr(arguments, name) for name in self.input.__struct_fields__}

    async def is_approval_required(self, values: Mapping[str, Any]) -> bool:
        """Return whether a person must approve a call with these arguments.

        :param values: validated arguments, as ``parse_arguments`` returns them.
        """
        if not callable(self.requires_approval):
            return self.requires_approval
        answer = self.requires_approval(**values)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    async def build_model_output(self, result: Any) -> Any:
        """Return what the model gets as the result of a call.

        :param result: the result, as JSON builtins.
        """
        if self.to_model_output is None:
            return result
        output = self.to_model_output(result)
        return dump(await output if inspect.isawaitable(output) else output)

    async def call(self, values: Mapping[str, Any], context: ToolContext | None = None) -> Any:
        """Call the function.

        A sync function runs in a worker thread, so it cannot block the server.

        :param values: validated arguments, as ``parse_arguments`` returns them.
        :param context: the context of the call; an empty one by default.
        :returns: the result as JSON builtins.
        """
        arguments = dict(values)
        if self.context_names:
            arguments |= dict.fromkeys(self.context_names, context or ToolContext())
        with bind_log_fields(tool=self.id):
            return await self._call_traced(arguments, values, context)

    async def _call_traced(
        self, arguments: dict[str, Any], values: Mapping[str, Any], context: ToolContext | None
    ) -> Any:
        if not is_recording():
            return await self._invoke(arguments)
        with self._start_span(context) as current:
            annotate(current, input=dict(values))
            output = await self._invoke(arguments)
            annotate(current, output=output)
            return output

    def _start_span(self, context: ToolContext | None) -> AbstractContextManager[Span]:
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": self.id}
        if context is not None and context.call_id:
            attributes["gen_ai.tool.call.id"] = context.call_id
        if self.remote is None:
            attributes["gen_ai.tool.type"] = "function"
            return start_span(f"execute_tool {self.id}", attributes)
        attributes |= self.remote
        return start_span(f"tools/call {self.id}", attributes, kind="client")

    async def _invoke(self, arguments: dict[str, Any]) -> Any:
        function: Callable[..., Any] = functools.partial(self.function, **arguments)
        is_async = inspect.iscoroutinefunction(self.function)
        return dump(await run_function(function, is_async=is_async))

    async def execute(
        self, data: Any, context: ToolContext | None = None, *, check_approval: bool = False
    ) -> Any:
        """Validate ``data`` and call the function.

        :param data: JSON builtins; ``None`` for no arguments.
        :param context: the context of the call; an empty one by default.
        :param check_approval: whether to refuse a call that requires approval.
        :returns: the result as JSON builtins.
        :raises InvalidInput: when ``data`` does not fit the parameters.
        :raises Conflict: when the call requires approval, and ``check_approval`` is set.
        """
        values = self.parse_arguments(data)
        if check_approval and await self.is_approval_required(values):
            raise Conflict(
                f"The tool {self.id!r} requires approval, but a direct call cannot wait for it.",
                "Call the tool in a run of an agent or a workflow, where a person can approve it.",
            )
        return await self.call(values, context)


@overload
def tool(function: Callable[P, R_co], /) -> Tool[P, R_co]: ...
@overload
def tool(
    *,
    id: str = ...,
    description: str = ...,
    requires_approval: bool | Callable[..., Any] = ...,
    resume: Any = ...,
    to_model_output: Callable[[Any], Any] | None = ...,
) -> Callable[[Callable[P, R_co]], Tool[P, R_co]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    id: str = "",
    description: str = "",
    requires_approval: bool | Callable[..., Any] = False,
    resume: Any = None,
    to_model_output: Callable[[Any], Any] | None = None,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Convert a typed function to a ``Tool``; use it as ``@tool`` or ``@tool(...)``.

    :param function: a sync or async function whose parameters have types.
    :param id: the name by which a model calls the tool; by default the function's name.
    :param description: text that tells the model when to call the tool; by default the function's
        docstring.
    :param requires_approval: whether a person must approve each call; or a sync or async function
        that takes the tool's parameters and decides for one call.
    :param resume: type of the data that a suspended call waits for; ``None`` for any data.
    :param to_model_output: a sync or async function that takes the result, as JSON builtins, and
        returns what the model of a built-in agent gets; by default the result itself.
    :raises ConfigError: for a value that is not a function, a generator function, or an argument of
        the wrong type; when a parameter has no type, or when JSON cannot express the values of a
        type.
    """
    if not isinstance(requires_approval, bool) and not callable(requires_approval):
        raise ConfigError(
            f"requires_approval={requires_approval!r} is neither a bool nor a function.",
            "Pass True, False or a function of the tool's parameters.",
        )

    def decorate(function: Callable[..., Any]) -> Tool:
        if not inspect.isroutine(function):
            raise _build_type_error(function)
        refuse_generator(function)
        hints = resolve_hints(function)
        item = Tool(
            id=id or function.__name__,
            description=description or inspect.getdoc(function) or "",
            function=function,
            input=build_parameters_type(function, skip=_CONTEXT_TYPES),
            output=hints.get("return", Any),
            requires_approval=requires_approval,
            resume=resume,
            to_model_output=to_model_output,
            context_names=tuple(name for name, hint in hints.items() if hint in _CONTEXT_TYPES),
        )
        _check_approval_parameters(item)
        # A type that cannot be JSON fails here and not in a request.
        _ = item.input_schema, item.output_schema, item.resume_schema
        return item

    return decorate if function is None else decorate(function)


def _check_approval_parameters(item: Tool) -> None:
    """Check that the function ``requires_approval`` takes the parameters of the tool."""
    if not callable(item.requires_approval):
        return
    try:
        signature = get_signature(item.requires_approval)
    except ValueError:  # a builtin without a signature
        return
    try:
        signature.bind(**dict.fromkeys(item.input.__struct_fields__))
    except TypeError as error:
        raise ConfigError(
            f"The function requires_approval of the tool {item.id!r} does not take the parameters "
            f"of the tool: {error}.",
            "Give the function the same parameters, or **arguments.",
        ) from None


@runtime_checkable
class Toolbox(Protocol):
    """A source of tools that are known only at run time, such as a server."""

    async def list_tools(self) -> Sequence[Tool]:
        """Return the tools that the source offers at this moment."""


def is_toolbox(value: Any) -> bool:
    """Return whether a value is a ``Toolbox``.

    :param value: any object.
    """
    return isinstance(value, Toolbox) and inspect.iscoroutinefunction(value.list_tools)


def as_tool(value: Any) -> Tool:
    """Convert a value to a ``Tool``.

    :param value: a ``Tool``, or a typed function.
    :raises ConfigError: for a value of any other type.
    """
    if isinstance(value, Tool):
        return value
    if inspect.isroutine(value):
        return tool(value)
    raise _build_type_error(value)


def _build_type_error(value: Any) -> ConfigError:
    return ConfigError(
        f"{value!r} is not a tool.", "Pass a typed function, or decorate it with @tool."
    )
