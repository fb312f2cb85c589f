"""Prints the figures side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from book import Book
from rows import ROWS, Row

HEAD = ("", "", "aim", "mastra for Python", "", "Mastra (TypeScript)", "ratio")


def lines(book: Book, groups: Iterable[str]) -> list[str]:
    """A Markdown table; readable as it is."""
    shown = [_cells(row, book) for row in ROWS if row.group in groups]
    widths = [max(map(len, column)) for column in zip(HEAD, *shown, strict=True)]
    rule = ["-" * width for width in widths]
    return [_line(cells, widths) for cells in (HEAD, rule, *shown)]


def _cells(row: Row, book: Book) -> tuple[str, ...]:
    aim = "" if row.aim is None else f"{row.aim:g}"
    ours, peer = book.samples.get(row.ours), book.samples.get(row.peer)
    shown = (_figure(ours, row), _verdict(book, row), _figure(peer, row))
    return (row.title, row.unit, aim, *shown, _ratio(ours, peer))


def _ratio(ours: Sequence[float] | None, peer: Sequence[float] | None) -> str:
    """Ours as a share of the original's."""
    return f"{median(ours) / median(peer):.2f}" if ours and peer else ""


def _figure(values: Sequence[float] | None, row: Row) -> str:
    if not values:
        return "-"
    shown = [_number(value, row.unit) for value in (median(values), min(values), max(values))]
    if len(values) == 1 or shown[1] == shown[2]:
        return shown[0]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def _number(value: float, unit: str) -> str:
    digits = {"s": 2, "MB": 1}.get(unit, 0)
    return f"{value:.{digits}f}"


def _verdict(book: Book, row: Row) -> str:
    middle = book.middle(row.ours)
    if middle is None or row.aim is None:
        return ""
    return "met" if middle <= row.aim else "missed"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
