"""Limit the size of a page of stored records."""

from __future__ import annotations

from mastra_core.errors import InvalidInput

__all__ = ("PageSize",)


class PageSize:
    """The total size of the records of a page that have been read so far.

    :param maximum: the maximum size in bytes; ``None`` for no maximum.
    """

    def __init__(self, maximum: int | None) -> None:
        self._maximum = maximum
        self._size = 0

    def add(self, size: int) -> None:
        """Count another record.

        :param size: the size of the record in bytes.
        :raises InvalidInput: when the page exceeds the maximum.
        """
        self._size += size
        if self._maximum is not None and self._size > self._maximum:
            raise InvalidInput(
                f"The page is larger than {self._maximum} bytes, so perPage must be smaller.",
                "Set a smaller perPage in a request, or per_page in Python.",
            )
