"""One unit of work: a typed function, an agent, a tool or a whole workflow."""

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

_RESERVED = ".[]#@!?"  # they separate the parts of a path or key


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step(Generic[In, Out]):
    """One unit of a workflow: executed once a run, its output remembered.

    :param id: its name, unique within a workflow.
    :param input: type of the parameter; ``Any`` where the function takes none.
    :param resume: type of the data that ``resume`` must bring.
    :param suspend: type of the payload given to ``suspend``.
    :param retry: when it is tried again; the workflow's policy where ``None``.
    :param timeout: seconds one try may take.
    :param workflow: what it executes instead of a function.
    :param kind: what it was made of.
    :param of: the id of the agent, tool or workflow that it was made of.
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
            self.get_schema(what)  # a type without a JSON form is found here, not in a run

    @property
    def function(self) -> Callable[..., Any]:
        """The function it was made of."""
        return self.call.function

    @property
    def can_suspend(self) -> bool:
        """It says what it suspends or resumes with, or a step of its workflow does."""
        inner = self.workflow.iter_steps() if self.workflow is not None else ()
        return (
            self.resume is not None
            or self.suspend is not None
            or any(item.can_suspend for item in inner)
        )

    async def execute(self, value: Any, context: StepContext | None = None) -> Any:
        """Check ``value``, call the function, give back JSON builtins.

        A plain function runs in a worker thread, so it cannot block the server.

        :param context: may be left out where the function takes none.

        :raises InvalidInput: when ``value`` does not fit.
        """
        bound = self.call.bound(value, context)
        if self.call.awaits:
            return dump(await bound())
        import asyncio

        return dump(await asyncio.to_thread(bound))

    def get_schema(self, what: str) -> dict[str, Any] | None:
        """JSON Schema of ``input``, ``output``, ``resume`` or ``suspend``, where one is known."""
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
    """Make a step of a typed function; used bare or with arguments.

    The function takes the input, a ``StepContext``, both or neither.

    :param resume: type of the data that resumes it.
    :param suspend: type of the payload it suspends with.
    :param retry: when it is tried again: ``Retry(...)``, or how often.
    :param timeout: seconds one try may take.
    :raises ConfigError: when it takes more than one input, or one without a type.
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
    """Ids are parts of paths.

    :raises ConfigError: for an empty id, or one with a character that paths are made of.
    """
    if not id_ or any(character in _RESERVED for character in id_):
        raise ConfigError(
            f"The id {id_!r} of a {what} is empty or has one of {' '.join(_RESERVED)}",
            "Give it another: id='...'.",
        )
