"""Read a list that a platform returns in pages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

from mastra_core.errors import ApiError, DeployTimeout
from mastra_deployer.kit.clock import now

__all__ = ("iter_pages",)

T = TypeVar("T")
C = TypeVar("C", bound=Hashable)


def iter_pages(
    fetch: Callable[[C], tuple[T, C | None]],
    first: C,
    *,
    description: str = "the list",
    hint: str = "Delete unneeded objects on the platform.",
    max_pages: int = 1000,
    max_seconds: float = 600,
) -> Iterator[T]:
    """Yield the pages of a list, until a page has no cursor for the next page.

    :param fetch: returns the page at a cursor, and the cursor of the next page. After the last
        page, the cursor is ``None`` or empty.
    :param first: the cursor of the first page.
    :param description: the content of the list; errors name it.
    :param hint: the hint of the error for too many pages.
    :param max_pages: the largest number of pages.
    :param max_seconds: the seconds in which all pages must be read.
    :returns: the pages.
    :raises ApiError: when the platform sends a cursor twice, or has more pages than ``max_pages``.
    :raises DeployTimeout: when the pages take longer than ``max_seconds``.
    """
    cursor, visits, start = first, {first}, now()
    subject = description[:1].upper() + description[1:]
    for _ in range(max_pages):
        page, following = fetch(cursor)
        yield page
        if not following:
            return
        if following in visits:
            raise ApiError(
                f"{subject} never ends, because the platform sent the link to the page "
                f"{str(following)!r} twice.",
                "Run the same command again. If the error remains, ask the operator of the "
                "platform.",
            )
        if now() - start > max_seconds:
            raise DeployTimeout(
                f"{subject} could not be read completely in {max_seconds:g} s.",
                "Run the same command again.",
            )
        visits.add(following)
        cursor = following
    raise ApiError(f"{subject} has more than {max_pages} pages.", hint)
