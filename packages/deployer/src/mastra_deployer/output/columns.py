"""Align the columns of rows of text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ("align_columns",)


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Join each row to a line; pad the texts so that the columns are aligned.

    :param rows: the texts of each row; a row may have fewer columns than another row.
    """
    columns = itertools.zip_longest(*rows, fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
