"""Measures this project and the TypeScript original, and prints both side by side.

python bench/run.py            everything; some minutes, and about ten the first time
python bench/run.py --quick    one run of each, without the original
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import ours
import peer
import table
from book import Book
from process import Failed
from rows import GROUPS

PREAMBLE = (
    "Median of several process runs (lowest to highest). Every environment is compiled before it",
    "is measured, and PYTHONDONTWRITEBYTECODE is taken out of the environment of everything run.",
    "MB are millions of bytes. An aim is the most a figure may be.",
)


def main(arguments: Sequence[str]) -> int:
    wish = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    groups = [name for name in GROUPS if not wish.only or name in wish.only]
    if "peer" in wish.only and not set(wish.only) - {"peer"}:
        mine, groups = [], list(GROUPS)
    else:
        mine = groups
    book = Book(facts=[_machine()])
    with tempfile.TemporaryDirectory(prefix="mastra-bench-", ignore_cleanup_errors=True) as scratch:
        _ours(Path(scratch), mine, book, quick=wish.quick)
        if (not wish.quick and not wish.only) or "peer" in wish.only:
            _attempt("peer", book, lambda: peer.measure(peer.prepare(), groups, book))
        else:
            book.missing["peer"] = "left out"
    _show(book, groups)
    if wish.json:
        Path(wish.json).write_text(json.dumps(dataclasses.asdict(book), indent=2) + "\n")
    return 1 if set(book.missing) - {"peer"} else 0


def _ours(scratch: Path, groups: Sequence[str], book: Book, *, quick: bool) -> None:
    if not groups:
        return
    _say("wheels and environments")
    made = ours.prepare(scratch)
    for group in groups:

        def measure(group: str = group) -> None:
            ours.measure(made, group, book, quick=quick)

        _attempt(group, book, measure)


def _attempt(name: str, book: Book, measure: Callable[[], None]) -> None:
    """What cannot be measured is said, and the rest goes on."""
    _say(name)
    try:
        measure()
    except (Failed, OSError) as error:
        book.missing[name] = str(error)


def _show(book: Book, groups: Sequence[str]) -> None:
    book.facts.append(f"Load average at the end: {_load()}")
    print("\n".join([*book.facts, *PREAMBLE, "", *table.lines(book, groups)]))
    for name, reason in book.missing.items():
        print(f"\nnot measured: {name}: {reason}")


def _machine() -> str:
    now = dt.datetime.now(dt.UTC)
    return (
        f"{now:%Y-%m-%d}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores, load average {_load()}"
    )


def _load() -> str:
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measures, and prints a table.")
    parser.add_argument("--quick", action="store_true", help="one run of each, without the peer")
    names = (*GROUPS, "peer")
    parser.add_argument("--only", action="append", default=[], choices=names, metavar="NAME",
                        help=f"one of {', '.join(names)}; may be repeated")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write every sample there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
