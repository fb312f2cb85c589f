"""Type variables of steps and workflows, and what a step context needs to know of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    In = TypeVar("In", contravariant=True, default=Any)  # noqa: PLC0105  # shown to users
    Out = TypeVar("Out", covariant=True, default=Any)  # noqa: PLC0105  # shown to users
else:  # Python 3.11 knows no defaults of type variables
    from typing import TypeVar

    In = TypeVar("In", contravariant=True)  # noqa: PLC0105  # as above
    Out = TypeVar("Out", covariant=True)  # noqa: PLC0105  # as above

__all__ = ("In", "Out", "TypedOutput")


class TypedOutput(Generic[Out]):
    """The base class of ``Step``; ``StepContext.output`` reads the output type from it.

    ``StepContext`` cannot name ``Step`` itself, because a step's function is inspected for it.
    """

    id: str
    output: Any
