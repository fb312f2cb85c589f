"""A step: a typed function, an agent, a tool or a nested workflow."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, overload

from mastra_core.errors import ConfigError
from mastra_core.schema import dump, to_json_schema
from mastra_core.workflows.model.function import Function, inspect_function
from mastra_core.workflows.model.retry import Retry, as_retry
from mastra_core.workflows.model.step_context import StepContext

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from mastra_core.workflows.model.signatures import (
        KeywordContext,
        R,
        StepDecorator,
        T,
        WithInput,
        WithoutInput,
    )
    from mastra_core.workflows.model.workflow import Workflow

    In = TypeVar("In", contravariant=True, default=Any)  # noqa: PLC0105  # shown to users
    Out = TypeVar("Out", covariant=True, default=Any)  # noqa: PLC0105  # shown to users
else:  # Python 3.11 knows no defaults of type variables
    from typing import TypeVar

    In = TypeVar("In", contravariant=True)  # noqa: PLC0105  # as above
    Out = TypeVar("Out", covariant=True)  # noqa: PLC0105  # as above

__all__ = ("In", "Out", "Step", "check_id", "step")

_RESERVED = ".[]#@!?"  # separators in the paths and journal keys of steps


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step(Generic[In, Out]):
    """One step of a workflow.

    :param id: the id, unique within a workflow.
    :param call: the function, and the arguments that it takes.
    :param description: the description.
    :param input: the type of the input; ``Any`` where the function takes none.
    :param output: the type of the output.
    :param resume: the type of the data that ``resume`` must pass.
    :param suspend: the type of the payload of ``suspend``.
    :param retry: the retry policy; that of the workflow by default.
    :param timeout: the seconds that one attempt may take.
    :param workflow: the nested workflow that is executed instead of ``call``.
    :param kind: what the step was created from.
    :param source_id: the id of the agent, tool or workflow that the step was created from.
    """

    id: str
    call: Function
    description: str = ""
    input: Any = Any
    output: Any = Any
    resume: Any = None
    suspend: Any = None
    retry: Retry | None = None
    timeout: float | None = None
    workflow: Workflow | None = None
    kind: Literal["function", "agent", "tool", "workflow", "mapping"] = "function"
    source_id: str = ""

    def __post_init__(self) -> None:
        check_id("step", self.id)
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigError(
                f"The step {self.id!r} has a timeout of {self.timeout!r}.", "Use seconds above 0."
            )
        for what in ("input", "output", "resume", "suspend"):
            self.get_schema(what)  # a type without a JSON schema fails here, not in a run

    @property
    def function(self) -> Callable[..., Any]:
        """The function of the step."""
        return self.call.function

    @property
    def can_suspend(self) -> bool:
        """Whether the step, or a step of its workflow, has a ``resume`` or ``suspend`` type."""
        inner = self.workflow.iter_steps() if self.workflow is not None else ()
        return (
            self.resume is not None
            or self.suspend is not None
            or any(item.can_suspend for item in inner)
        )

    async def execute(self, value: Any, context: StepContext | None = None) -> Any:
        """Validate the input, call the function and return its output as JSON builtins.

        A plain function runs in a worker thread, so that it does not block the event loop.

        :param value: the input.
        :param context: the context; optional where the function takes none.
        :raises InvalidInput: when ``value`` does not fit the type of the input.
        """
        bound = self.call.bind(value, context)
        if self.call.awaits:
            return dump(await bound())
        import asyncio

        return dump(await asyncio.to_thread(bound))

    def get_schema(self, what: str) -> dict[str, Any] | None:
        """Return the JSON Schema of one of the types, or ``None`` where it is not declared.

        :param what: ``input``, ``output``, ``resume`` or ``suspend``.
        """
        type_ = getattr(self, what)
        return None if type_ is None or type_ is Any else to_json_schema(type_)


if TYPE_CHECKING:

    @overload
    def step(function: WithoutInput[Awaitable[R]], /) -> Step[Any, R]: ...
    @overload
    def step(function: WithoutInput[R], /) -> Step[Any, R]: ...
    @overload
    def step(function: WithInput[T, Awaitable[R]], /) -> Step[T, R]: ...
    @overload
    def step(function: WithInput[T, R], /) -> Step[T, R]: ...
    @overload
    def step(function: KeywordContext[T, Awaitable[R]], /) -> Step[T, R]: ...
    @overload
    def step(function: KeywordContext[T, R], /) -> Step[T, R]: ...
    @overload
    def step(function: Callable[[], Awaitable[R]], /) -> Step[Any, R]: ...
    @overload
    def step(function: Callable[[], R], /) -> Step[Any, R]: ...
    @overload
    def step(
        *,
        id: str = ...,
        description: str = ...,
        resume: Any = ...,
        suspend: Any = ...,
        retry: Retry | int | None = ...,
        timeout: float | None = ...,
    ) -> StepDecorator: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    id: str = "",
    description: str = "",
    resume: Any = None,
    suspend: Any = None,
    retry: Retry | int | None = None,
    timeout: float | None = None,
) -> Any:
    """Create a step from a typed function; a decorator with or without arguments.

    The function takes an input, a ``StepContext``, both or neither.

    :param function: the function.
    :param id: the id; the name of the function by default.
    :param description: the description; the docstring of the function by default.
    :param resume: the type of the data that resumes the step.
    :param suspend: the type of the payload of ``suspend``.
    :param retry: the retry policy, or the number of retries; that of the workflow by default.
    :param timeout: the seconds that one attempt may take.
    :raises ConfigError: when the function takes more than one input, or one without a type.
    """

    def make(function: Callable[..., Any]) -> Step[Any, Any]:
        call = inspect_function(function, typed=True)
        return Step(
            id=id or function.__name__,
            description=description or inspect.getdoc(function) or "",
            call=call,
            input=call.input,
            output=call.output,
            resume=resume,
            suspend=suspend,
            retry=as_retry(retry),
            timeout=timeout,
        )

    return make(function) if function else make


def check_id(what: str, id_: str) -> None:
    """Check that an id can be a part of paths and journal keys.

    :param what: the kind of object, for the message: ``step``.
    :param id_: the id.
    :raises ConfigError: when the id is empty or contains a reserved character.
    """
    if not id_ or any(character in _RESERVED for character in id_):
        raise ConfigError(
            f"The id {id_!r} of a {what} is empty or contains one of {' '.join(_RESERVED)}",
            "Set another id: id='...'.",
        )
