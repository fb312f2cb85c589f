"""Measure this project and Mastra in TypeScript, and print both side by side.

python bench/run.py            everything; some minutes, and about ten the first time
python bench/run.py --quick    one short round of each group, without the peer
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import functools
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import peer
import product
from options import add_wheels_option, create_parser, format_load, log_progress, write_json
from process import MeasurementError
from results import Results
from rows import GROUPS
from table import format_table

PREAMBLE = (
    "Median of several process runs (lowest to highest). Every environment is compiled before it",
    "is measured, and PYTHONDONTWRITEBYTECODE is taken out of the environment of every command.",
    "MB are millions of bytes. An aim is the most a figure may be.",
)
QUICK = "Quick form: one round and small sizes, so no figure is compared with its aim."


def main(arguments: Sequence[str]) -> int:
    options = _create_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    groups = [name for name in GROUPS if not options.only or name in options.only]
    if "peer" in options.only and not set(options.only) - {"peer"}:
        product_groups, groups = [], list(GROUPS)
    else:
        product_groups = groups
    results = Results(facts=[_describe_machine()])
    with tempfile.TemporaryDirectory(prefix="mastra-bench-", ignore_cleanup_errors=True) as scratch:
        prepare = functools.partial(
            product.prepare, Path(scratch), wheels=options.wheels, quick=options.quick
        )
        _measure_product(prepare, product_groups, results, quick=options.quick)
    if (not options.quick and not options.only) or "peer" in options.only:
        _attempt("peer", results, lambda: _measure_peer(groups, results, quick=options.quick))
    else:
        results.missing["peer"] = "left out"
    _print_results(results, groups, quick=options.quick)
    write_json(options.json, dataclasses.asdict(results))
    return 1 if set(results.missing) - {"peer"} else 0


def _measure_product(
    prepare: Callable[[], product.Product], groups: Sequence[str], results: Results, *, quick: bool
) -> None:
    if not groups:
        return
    log_progress("wheels")
    prepared = prepare()
    for group in groups:

        def measure(group: str = group) -> None:
            product.measure(prepared, group, results, quick=quick)

        _attempt(group, results, measure)


def _measure_peer(groups: Sequence[str], results: Results, *, quick: bool) -> None:
    peer.measure(peer.prepare(), groups, results, quick=quick)


def _attempt(name: str, results: Results, measure: Callable[[], None]) -> None:
    """Measure a group; note why it failed, so that the others are measured."""
    log_progress(name)
    try:
        measure()
    except (MeasurementError, OSError) as error:
        results.missing[name] = str(error)


def _print_results(results: Results, groups: Sequence[str], *, quick: bool) -> None:
    results.facts.append(f"Load average at the end: {format_load()}")
    preamble = (QUICK,) if quick else PREAMBLE
    table = format_table(results, groups, verdicts=not quick)
    print("\n".join([*results.facts, *preamble, "", *table]))
    for name, reason in results.missing.items():
        print(f"\nnot measured: {name}: {reason}")


def _describe_machine() -> str:
    now = dt.datetime.now(dt.UTC)
    return (
        f"{now:%Y-%m-%d}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores, load average {format_load()}"
    )


def _create_parser() -> argparse.ArgumentParser:
    parser = create_parser(
        "Measure this project and its peer, and print a table.",
        quick="one short round of each group, without the peer",
    )
    add_wheels_option(parser)
    names = (*GROUPS, "peer")
    parser.add_argument("--only", action="append", default=[], choices=names, metavar="NAME",
                        help=f"one of {', '.join(names)}; may be repeated")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
