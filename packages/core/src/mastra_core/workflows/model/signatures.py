"""Define the types of the arguments of steps and workflows, for type checkers.

Only type checkers read this module, so it does not slow the start of an application.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypedDict, overload

import msgspec

from mastra_core.agents.protocol import AgentLike
from mastra_core.workflows.model.definition import Node, Step, WorkflowDefinition
from mastra_core.workflows.model.retry import Retry
from mastra_core.workflows.model.schedule import Schedule
from mastra_core.workflows.model.step_context import StepContext

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    New = TypeVar("New", default=Any)
else:
    from typing import TypeVar

    New = TypeVar("New")

__all__ = (
    "AnyArray",
    "AnyMapper",
    "AnyObject",
    "AnyText",
    "AsyncMapper",
    "Condition",
    "Following",
    "JsonArray",
    "JsonObject",
    "JsonText",
    "KeywordContext",
    "Mapper",
    "New",
    "NoSteps",
    "R",
    "Repeated",
    "Source",
    "StepDecorator",
    "StepOptions",
    "T",
    "WithInput",
    "WithoutInput",
    "WorkflowOptions",
)

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class KeywordContext(Protocol[T_contra, R_co]):
    """A function that takes an input, and the context as a keyword argument."""

    def __call__(self, value: T_contra, /, *, context: StepContext) -> R_co:
        """Call the function."""


# A function whose input is Any matches both, so overloads with WithoutInput come first.
WithoutInput: TypeAlias = Callable[[StepContext], R] | Callable[[StepContext, StepContext], R]
WithInput: TypeAlias = (
    Callable[[T], R] | Callable[[T, StepContext], R] | Callable[[StepContext, T], R]
)


class StepDecorator(Protocol):
    """The decorator that ``step(...)`` with arguments returns."""

    @overload
    def __call__(self, function: WithoutInput[Awaitable[R]], /) -> Step[Any, R]: ...
    @overload
    def __call__(self, function: WithoutInput[R], /) -> Step[Any, R]: ...
    @overload
    def __call__(self, function: WithInput[T, Awaitable[R]], /) -> Step[T, R]: ...
    @overload
    def __call__(self, function: WithInput[T, R], /) -> Step[T, R]: ...
    @overload
    def __call__(self, function: KeywordContext[T, Awaitable[R]], /) -> Step[T, R]: ...
    @overload
    def __call__(self, function: KeywordContext[T, R], /) -> Step[T, R]: ...
    @overload
    def __call__(self, function: Callable[[], Awaitable[R]], /) -> Step[Any, R]: ...
    @overload
    def __call__(self, function: Callable[[], R], /) -> Step[Any, R]: ...


class StepOptions(TypedDict, total=False):
    """The options of ``as_step`` for every kind of step."""

    id: str
    retry: Retry | int | None
    timeout: float | None


class NoSteps:
    """The output type of a workflow that has neither steps nor an input type."""


class WorkflowOptions(TypedDict, total=False):
    """The arguments of ``Workflow(...)``, except its id and its input type."""

    output: Any
    description: str
    nodes: tuple[Node, ...]
    state: Any
    retry: Retry | int | None
    timeout: float | None
    durable: bool
    version: str
    previous: Sequence[WorkflowDefinition]
    concurrency: int | None
    schedule: Schedule | str | Sequence[Schedule | str] | None


Following: TypeAlias = Step[T, R] | WorkflowDefinition[T, R]
Repeated: TypeAlias = Following[Any, R] | AgentLike | Callable[..., Any]

# Pyright infers the parameters of a lambda from a union with one function type for each arity.
Mapper: TypeAlias = Callable[[Any], R] | Callable[[Any, Any], R] | Callable[[], R]
AsyncMapper: TypeAlias = Mapper[Awaitable[R]]
Condition: TypeAlias = Mapper[Any] | KeywordContext[Any, Any]
Source: TypeAlias = Step[Any, Any] | Mapping[str, Any] | Condition
AnyMapper: TypeAlias = Condition | Mapping[str, Any]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _PydanticModel(Protocol):
    def model_dump(self, *args: Any, **kwargs: Any) -> Any: ...


class _Sequence(Protocol):
    """A list or tuple.

    ``str`` does not match, because its ``__contains__`` accepts ``str`` only.
    """

    def __contains__(self, item: object, /) -> bool: ...
    def __getitem__(self, index: int, /) -> Any: ...


# Values are passed as JSON: the input type of a step may differ from the previous output type if
# both have the same JSON kind. Their fields and items are compared at run time.
JsonObject: TypeAlias = Mapping[Any, Any] | _Dataclass | msgspec.Struct | _PydanticModel
JsonArray: TypeAlias = _Sequence | AbstractSet[Any]
JsonText: TypeAlias = (
    str | bytes | dt.date | dt.time | dt.timedelta | decimal.Decimal | enum.Enum | uuid.UUID
)
AnyObject = TypeVar("AnyObject", bound=JsonObject)
AnyArray = TypeVar("AnyArray", bound=JsonArray)
AnyText = TypeVar("AnyText", bound=JsonText)
