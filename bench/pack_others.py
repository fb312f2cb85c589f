"""Packs the same apps with this project, with pex and with shiv, and compares.

python bench/pack_others.py            some minutes
python bench/pack_others.py --quick    one run of each

The wheels are at hand for all three, and each writes bytecode. Ours also locks, starts the app
once in isolation and compares it with its source; a pex or a shiv unpacks itself when it is started
for the first time, and is compressed until then.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import ours
from app import OPENAI, WEATHER, App
from environment import variables, wheels
from packers.tools import PEX, SHIV, Packer, prepare
from process import Failed
from server import serving
from tree import size

SIDES = ("ours", "pex", "shiv")
ROWS = (
    ("cold", "build, nothing kept but wheels", "s"),
    ("changed", "build, one line changed", "s"),
    ("unchanged", "build, unchanged", "s"),
    ("size", "result", "MB"),
    ("first", "first start to /health", "s"),
    ("start", "start to /health", "s"),
    ("idle", "memory idle", "MB"),
)
Samples = dict[tuple[str, str, str], list[float]]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Compares with pex and shiv.")
    parser.add_argument("--quick", action="store_true", help="one run of each")
    times = 1 if parser.parse_args(arguments).quick else 3
    samples: Samples = {}
    before = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch:
            _all(Path(scratch), samples, times)
    except Failed as error:
        print(f"not measured: {error}")
        return 1
    loads = f"load average {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    print("\n".join([f"{PEX}, {SHIV}; {loads}\n", *_table(samples)]))
    return 0


def _all(scratch: Path, samples: Samples, times: int) -> None:
    made = ours.prepare(scratch)
    built = wheels(scratch / "wheels")
    for app, source, more in (
        (made.plain, WEATHER, ()),
        (made.agents, OPENAI, ("pydantic-ai-slim[openai]",)),
    ):
        _ours(app, made, samples, times)
        apart = App(app.name, source, app.environment, app.agent, scratch / "others")
        apart.scratch.mkdir(exist_ok=True)
        for packer in prepare(apart, built, scratch, more):
            _theirs(packer, made, samples, times)


def _ours(app: App, made: ours.Ours, samples: Samples, times: int) -> None:
    app.fresh()
    app.build()  # fills uv's cache, and is not counted
    for _ in range(times):
        app.fresh()
        _add(samples, app.name, "cold", "ours", app.build())
        app.change()
        _add(samples, app.name, "changed", "ours", app.build())
        _add(samples, app.name, "unchanged", "ours", app.build())
    _add(samples, app.name, "size", "ours", size(app.output)[0])
    command = [made.bare.python, app.output / "index.py"]
    _starts(samples, app.name, "ours", command, variables(), times)


def _theirs(packer: Packer, made: ours.Ours, samples: Samples, times: int) -> None:
    name = packer.app.name
    for _ in range(times):
        packer.fresh()
        _add(samples, name, "cold", packer.name, packer.build())
        packer.app.change()
        _add(samples, name, "changed", packer.name, packer.build())
        _add(samples, name, "unchanged", packer.name, packer.build())
    _add(samples, name, "size", packer.name, packer.output.stat().st_size / 1e6)
    command = [made.bare.python, packer.output]
    _starts(samples, name, packer.name, command, packer.variables(), times)


def _starts(
    samples: Samples,
    name: str,
    side: str,
    command: Sequence[Path],
    env: dict[str, str],
    times: int,
) -> None:
    for count in range(times + 1):
        with serving(command, cwd=command[-1].parent, env=env) as server:
            row = "start" if count else "first"
            _add(samples, name, row, side, server.first("/health"))
            if count:
                _add(samples, name, "idle", side, server.memory())


def _add(samples: Samples, name: str, row: str, side: str, value: float) -> None:
    samples.setdefault((name, row, side), []).append(value)
    print(f"measuring: {name}, {side}, {row}: {value:.2f}", file=sys.stderr, flush=True)


def _table(samples: Samples) -> Iterator[str]:
    yield "| app | figure | | ours | pex | shiv | ours/pex | ours/shiv |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name in dict.fromkeys(name for name, _, _ in samples):
        for row, title, unit in ROWS:
            found = [median(samples[name, row, side]) for side in SIDES]
            cells = [f"{value:.2f}" for value in found]
            ratios = [f"{found[0] / value:.2f}" for value in found[1:]]
            yield f"| {name} | {title} | {unit} | {' | '.join([*cells, *ratios])} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
