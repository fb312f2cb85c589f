"""Mark methods that a base class documents, as ``typing.override`` of Python 3.12 does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

__all__ = ("override",)

if TYPE_CHECKING:
    from typing_extensions import override
else:
    F = TypeVar("F")

    def override(method: F) -> F:
        """Mark a method that a base class documents.

        :param method: the method.
        """
        return method
