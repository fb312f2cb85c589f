"""The chain of an exception and its causes."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ("iter_causes",)


def iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, each once; exceptions may refer to one another.

    :param error: the exception that was raised last; ``None`` yields nothing.
    """
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
