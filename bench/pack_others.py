"""Pack the same apps with this project, with pex and with shiv, and compare.

python bench/pack_others.py               some minutes
python bench/pack_others.py --quick       one build and one start of each
python bench/pack_others.py --only plain  one of the apps

All three take their wheels from disk, and each writes bytecode. This project also locks the
dependencies, starts the app once in isolation and compares it with its source. A pex or a shiv is
compressed, and unpacks itself at its first start.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import product
from app import OPENAI, WEATHER, App
from environment import clean_environ
from measurements import measure_size
from options import add_wheels_option, create_parser, log_progress, write_json
from packers.tools import PEX, SHIV, Packer, prepare
from process import MeasurementError
from server import start_server

APPS = {"plain": (WEATHER, ()), "agents": (OPENAI, ("pydantic-ai-slim[openai]",))}
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
Samples = dict[tuple[str, str, str], list[float]]  # by app, row and side


def main(arguments: Sequence[str]) -> int:
    parser = create_parser("Compare with pex and shiv.", quick="one build and one start of each")
    parser.add_argument("--only", action="append", choices=list(APPS), help="one of the apps")
    add_wheels_option(parser)
    options = parser.parse_args(arguments)
    samples: Samples = {}
    before = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch:
            prepared = product.prepare(Path(scratch), wheels=options.wheels, quick=options.quick)
            _measure_all(options.only or list(APPS), prepared, samples, 0 if options.quick else 3)
    except MeasurementError as error:
        print(f"not measured: {error}")
        return 1
    loads = f"load average {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    print("\n".join([f"{PEX}, {SHIV}; {loads}\n", *_format_table(samples)]))
    write_json(options.json, {" ".join(key): values for key, values in samples.items()})
    return 0


def _measure_all(
    names: Sequence[str], prepared: product.Product, samples: Samples, rounds: int
) -> None:
    """Measure the apps.

    :param rounds: rounds with a changed and an unchanged build; 0 for one build and one start.
    """
    for name in names:
        app: App = getattr(prepared, name)
        source, packages = APPS[name]
        _measure_product(app, prepared, samples, rounds)
        copy = App(name, source, app.environment, app.agent, prepared.scratch / "others")
        copy.scratch.mkdir(exist_ok=True)
        for packer in prepare(
            copy, prepared.wheels, prepared.scratch, packages, quick=prepared.quick
        ):
            _measure_packer(packer, prepared, samples, rounds)


def _measure_product(app: App, prepared: product.Product, samples: Samples, rounds: int) -> None:
    if rounds:
        app.reset()
        app.build()  # fills uv's cache, and is not counted
    for _ in range(max(rounds, 1)):
        app.reset()
        _add(samples, app.name, "cold", "ours", app.build())
        if rounds:
            app.append_line()
            _add(samples, app.name, "changed", "ours", app.build())
            _add(samples, app.name, "unchanged", "ours", app.build())
    _add(samples, app.name, "size", "ours", measure_size(app.output)[0])
    command = [prepared.bare.python, app.output / "index.py"]
    _measure_starts(samples, app.name, "ours", command, clean_environ(), rounds)


def _measure_packer(
    packer: Packer, prepared: product.Product, samples: Samples, rounds: int
) -> None:
    name = packer.app.name
    for _ in range(max(rounds, 1)):
        packer.reset()
        _add(samples, name, "cold", packer.name, packer.build())
        if rounds:
            packer.app.append_line()
            _add(samples, name, "changed", packer.name, packer.build())
            _add(samples, name, "unchanged", packer.name, packer.build())
    _add(samples, name, "size", packer.name, packer.output.stat().st_size / 1e6)
    command = [prepared.bare.python, packer.output]
    _measure_starts(samples, name, packer.name, command, packer.environ(), rounds)


def _measure_starts(
    samples: Samples,
    name: str,
    side: str,
    command: Sequence[Path],
    env: dict[str, str],
    rounds: int,
) -> None:
    """Measure a first start, and ``rounds`` more with the memory after each."""
    for count in range(rounds + 1):
        with start_server(command, cwd=command[-1].parent, env=env) as server:
            row = "start" if count else "first"
            _add(samples, name, row, side, server.wait_for("/health"))
            if count:
                _add(samples, name, "idle", side, server.measure_memory())


def _add(samples: Samples, name: str, row: str, side: str, value: float) -> None:
    samples.setdefault((name, row, side), []).append(value)
    log_progress(f"{name}, {side}, {row}: {value:.2f}")


def _format_table(samples: Samples) -> Iterator[str]:
    yield "| app | figure | | ours | pex | shiv | ours/pex | ours/shiv |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name in dict.fromkeys(name for name, _, _ in samples):
        for row, title, unit in ROWS:
            if (name, row, "ours") not in samples:
                continue
            medians = [median(samples[name, row, side]) for side in SIDES]
            cells = [f"{value:.2f}" for value in medians]
            ratios = [f"{medians[0] / value:.2f}" for value in medians[1:]]
            yield f"| {name} | {title} | {unit} | {' | '.join([*cells, *ratios])} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
