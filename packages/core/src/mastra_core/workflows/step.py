"""A typed function is a step."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, NoReturn, TypeVar, overload

from mastra_core.errors import ConfigError
from mastra_core.schema import dump, hints_of, schema_of, validate

__all__ = ("Step", "StepContext", "Suspended", "step")

In = TypeVar("In")
Out = TypeVar("Out")


class Suspended(BaseException):
    """Leaves a step that waits for a person.

    Not an ``Exception``, so that a step's own ``except Exception`` cannot swallow it.
    """

    def __init__(self, payload: Any) -> None:
        super().__init__("suspended")
        self.payload = payload


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepContext:
    """What a step may know and do beside its input; annotate a parameter with it.

    :param resume_data: what ``resume`` brought, of the step's ``resume`` type; ``None`` on the
        first execution.
    :param request_context: what the caller and the server's middleware passed along.
    """

    run_id: str
    workflow_id: str
    step_id: str
    resume_data: Any = None
    request_context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    writer: Callable[[Any], Awaitable[None]] | None = None

    def suspend(self, payload: Any = None) -> NoReturn:
        """Leave the step here; ``resume`` executes it again from its beginning.

        :param payload: what the person who resumes needs to see, of the ``suspend`` type.
        """
        raise Suspended(dump(payload))

    async def write(self, chunk: Any) -> None:
        """Tell whoever watches the run; ``chunk`` is any JSON-able value."""
        if self.writer is not None:
            await self.writer(dump(chunk))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step(Generic[In, Out]):
    """One unit of a workflow: executed once a run, its output remembered.

    :param id: its name, unique within a workflow.
    :param input: type of the parameter; ``Any`` where the function takes none.
    :param resume: type of the data that ``resume`` must bring.
    :param suspend: type of the payload given to ``suspend``.
    """

    id: str
    description: str
    function: Callable[..., Any]
    input: Any = Any
    output: Any = Any
    resume: Any = None
    suspend: Any = None
    input_name: str = ""
    context_name: str = ""

    async def execute(self, value: Any, context: StepContext) -> Any:
        """Check ``value``, call the function, give back JSON builtins.

        A plain function runs in a worker thread, so it cannot block the server.
        """
        arguments: dict[str, Any] = {}
        if self.input_name:
            arguments[self.input_name] = validate(self.input, value)
        if self.context_name:
            arguments[self.context_name] = context
        if inspect.iscoroutinefunction(self.function):
            return dump(await self.function(**arguments))
        import asyncio

        return dump(await asyncio.to_thread(self.function, **arguments))

    def schema(self, what: str) -> dict[str, Any] | None:
        """JSON Schema of ``input``, ``output``, ``resume`` or ``suspend``, where one is known."""
        type_ = getattr(self, what)
        return None if type_ is None or type_ is Any else schema_of(type_)


@overload
def step(function: Callable[..., Awaitable[Out]], /) -> Step[Any, Out]: ...
@overload
def step(function: Callable[..., Out], /) -> Step[Any, Out]: ...
@overload
def step(
    *, id: str = ..., description: str = ..., resume: Any = ..., suspend: Any = ...
) -> Callable[[Callable[..., Any]], Step[Any, Any]]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    id: str = "",
    description: str = "",
    resume: Any = None,
    suspend: Any = None,
) -> Any:
    """Make a step of a typed function; used bare or with arguments.

    The function takes the input, a ``StepContext``, both or neither.

    :param resume: type of the data that resumes it.
    :param suspend: type of the payload it suspends with.
    :raises ConfigError: when it takes more than one input, or one without a type.
    """

    def make(function: Callable[..., Any]) -> Step[Any, Any]:
        hints = hints_of(function)
        names = list(inspect.signature(function).parameters)
        contexts = [name for name in names if hints.get(name) is StepContext]
        inputs = [name for name in names if name not in contexts]
        _check(function, inputs, hints)
        made: Step[Any, Any] = Step(
            id=id or function.__name__,
            description=description or inspect.getdoc(function) or "",
            function=function,
            input=hints[inputs[0]] if inputs else Any,
            output=hints.get("return", Any),
            resume=resume,
            suspend=suspend,
            input_name=inputs[0] if inputs else "",
            context_name=contexts[0] if contexts else "",
        )
        for what in ("input", "output", "resume", "suspend"):
            made.schema(what)  # a type without a JSON form is found here, not in a run
        return made

    return make(function) if function else make


def _check(function: Callable[..., Any], inputs: list[str], hints: dict[str, Any]) -> None:
    if len(inputs) > 1:
        raise ConfigError(
            f"The step {function.__name__!r} takes {len(inputs)} inputs: {', '.join(inputs)}.",
            "Take one, a dataclass or TypedDict, and a StepContext if it needs one.",
        )
    if inputs and inputs[0] not in hints:
        raise ConfigError(
            f"The input {inputs[0]!r} of step {function.__name__!r} has no type.",
            f"Write {inputs[0]}: str, or whatever it is.",
        )
