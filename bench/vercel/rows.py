"""The rows of the table: titles, units and aims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

SIDES = ("ours", "theirs")
BUILDS = ("first", "unchanged", "changed")
UPLOADS = {"first": "upload", "unchanged": "again", "changed": "more"}  # rows by build


class Row(NamedTuple):
    """A line of the table for each app.

    :param key: the row in the key of its samples.
    :param title: what is measured.
    :param unit: the unit of the samples.
    :param share: the aim, as a share of the figure of Vercel's tool; none where there is no aim.
    """

    key: str
    title: str
    unit: str
    share: float | None = None


ROWS = (
    Row("first", "build, nothing cached but uv", "s", 1 / 3),
    Row("unchanged", "build, unchanged", "s", 1 / 3),
    Row("changed", "build, one line changed", "s", 1 / 3),
    Row("size", "function", "MB"),
    Row("files", "function", "files"),
    Row("upload", "upload, first", "MB"),
    Row("again", "upload, unchanged", "MB"),
    Row("more", "upload, one line changed", "MB"),
    Row("single", "upload, one line changed, theirs file by file", "MB"),
    Row("started", "start to server-started", "s", 1),
    Row("health", "start to first /health", "s", 1),
)
SIZES = {"plain": (0.5, 35.0), "agents": (0.8, 100.0)}  # aims: share of theirs, and MB
Samples = dict[tuple[str, str, str], list[float]]  # by app, row and side


def format_table(samples: Samples) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| app | figure | | ours | theirs | ours/theirs | aim | |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name in dict.fromkeys(name for name, _, _ in samples):
        for row in ROWS:
            if (name, row.key, "ours") not in samples:
                continue
            ours, theirs = (samples[name, row.key, side] for side in SIDES)
            figures = (_format_figure(ours, row.unit), _format_figure(theirs, row.unit))
            cells = (*figures, *_compare(name, row, median(ours), median(theirs)))
            yield f"| {name} | {row.title} | {row.unit} | {' | '.join(cells)} |"


def _compare(name: str, row: Row, ours: float, theirs: float) -> tuple[str, str, str]:
    """Return the ratio, the aim and the verdict."""
    share, most = SIZES[name] if row.key == "size" else (row.share, None)
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    if share is None:
        return ratio, "", ""
    met = ours <= share * theirs and (most is None or ours <= most)
    aim = f"{share:.2f}" + (f", {most:g} MB" if most else "")
    return ratio, aim, "met" if met else "missed"


def _format_figure(values: Sequence[float], unit: str) -> str:
    digits = {"s": 2, "MB": 2}.get(unit, 0)
    middle, low, high = (f"{f(values):.{digits}f}" for f in (median, min, max))
    return middle if low == high else f"{middle} ({low} to {high})"
