"""Check a query for a page of stored records, and limit the size of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_count
from mastra_core.errors import InvalidInput

__all__ = ("PageSize", "check_page")


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


def check_page(query: msgspec.Struct, *annotations: Mapping[str, Any]) -> None:
    """Check the types of a query for a page of records, and its numbers.

    :param query: the query, with the fields ``page``, ``per_page`` and ``max_bytes``.
    :param annotations: the annotations of the query's class and of its base class.
    :raises InvalidInput: for a value of the wrong type, or a negative number.
    """
    values = msgspec.structs.asdict(query)
    for each in annotations:
        check_types(values, each, InvalidInput)
    for name in ("page", "per_page", "max_bytes"):
        if values[name] is not None:
            check_count(name, values[name], least=0, error=InvalidInput)
