"""Format the samples of both sides as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from results import Results
from rows import ROWS, Row

HEAD = ("", "", "aim", "mastra for Python", "", "Mastra (TypeScript)", "ratio")


def format_table(results: Results, groups: Iterable[str], *, verdicts: bool) -> list[str]:
    """Return the lines of a Markdown table with padded columns.

    :param verdicts: say of each aim whether it is met.
    """
    rows = [_format_cells(row, results, verdicts) for row in ROWS if row.group in groups]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return [_join_cells(cells, widths) for cells in (HEAD, rule, *rows)]


def _format_cells(row: Row, results: Results, verdicts: bool) -> tuple[str, ...]:
    aim = "" if row.aim is None else f"{row.aim:g}"
    product, peer = results.samples.get(row.product), results.samples.get(row.peer)
    verdict = _format_verdict(results, row) if verdicts else ""
    figures = (_format_figure(product, row), verdict, _format_figure(peer, row))
    return (row.title, row.unit, aim, *figures, _format_ratio(product, peer))


def _format_ratio(product: Sequence[float] | None, peer: Sequence[float] | None) -> str:
    """Return this project's median as a share of the peer's."""
    return f"{median(product) / median(peer):.2f}" if product and peer else ""


def _format_figure(values: Sequence[float] | None, row: Row) -> str:
    if not values:
        return "-"
    digits = {"s": 2, "MB": 1}.get(row.unit, 0)
    middle, low, high = (f"{f(values):.{digits}f}" for f in (median, min, max))
    return middle if low == high else f"{middle} ({low} to {high})"


def _format_verdict(results: Results, row: Row) -> str:
    figure = results.median(row.product)
    if figure is None or row.aim is None:
        return ""
    return "met" if figure <= row.aim else "missed"


def _join_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
