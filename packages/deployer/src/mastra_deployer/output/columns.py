"""Align the columns of rows of text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ("align_columns",)


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row, in which all texts of a column begin at the same place.

    :param rows: the texts of each row; a row may have fewer columns than another row.
    """
    columns = itertools.zip_longest(*rows, fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
