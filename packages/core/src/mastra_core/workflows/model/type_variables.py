"""Type variables of steps and workflows, and the base class of ``Step``."""

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
    """The base class of ``Step``, from which ``StepContext.output`` reads the output type.

    ``StepContext`` cannot refer to ``Step`` itself, because that would be a circular reference.
    """

    id: str
    output: Any
