"""Build the same apps for Vercel with this project and with Vercel's own tool, and compare.

python bench/vercel.py               about ten minutes; more the first time
python bench/vercel.py --quick       one build and one start of each
python bench/vercel.py --only plain  one of the apps

Needs Python 3.12, uv and npm's registry. Nothing is sent to Vercel: its tool asks for the user's
account, and a server on the loopback answers.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app import OPENAI, WEATHER, App
from environment import clean_environ
from measurements import measure_size
from options import add_wheels_option, create_parser, log_progress, write_json
from paths import BENCH
from process import MeasurementError, time_command
from vercel import vercel_cli
from vercel.rows import BUILDS, SIDES, UPLOADS, Samples, format_table
from vercel.tools import PYTHON, Tools, prepare

APPS = {"plain": WEATHER, "agents": OPENAI}
HELPERS = BENCH / "vercel"


def main(arguments: Sequence[str]) -> int:
    parser = create_parser("Compare builds for Vercel.", quick="one build and one start of each")
    parser.add_argument("--only", action="append", choices=list(APPS), help="one of the apps")
    add_wheels_option(parser)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    samples: Samples = {}
    before = os.getloadavg()[0]
    try:
        names = options.only or list(APPS)
        _measure_all(names, samples, wheels=options.wheels, quick=options.quick)
    except MeasurementError as error:
        print(f"not measured: {error}")
        return 1
    loads = f"load average {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    print("\n".join([f"Python {PYTHON}, {vercel_cli.CLI}; {loads}\n", *format_table(samples)]))
    write_json(options.json, {" ".join(key): values for key, values in samples.items()})
    return 0


def _measure_all(
    names: Sequence[str], samples: Samples, *, wheels: Path | None, quick: bool
) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch,
        vercel_cli.serve_account() as api,
    ):
        log_progress("wheels, environments and Vercel's tool")
        tools = prepare(Path(scratch), api, names, wheels=wheels, quick=quick)
        for name in names:
            apps = _create_apps(name, tools)
            for side, app in apps.items():
                if not quick:
                    _build(side, app, tools)  # fills uv's cache, and is not counted
                for _ in range(1 if quick else 3):
                    _measure_builds(BUILDS[:1] if quick else BUILDS, side, app, tools, samples)
                _add_size(side, app, samples)
            _measure_starts(apps, tools, samples, rounds=1 if quick else 5)


def _create_apps(name: str, tools: Tools) -> dict[str, App]:
    """Return the same app for each side, each with a directory of its own."""
    for side in SIDES:
        (tools.scratch / name / side).mkdir(parents=True)
    home = tools.scratch / name
    rewritten = vercel_cli.write_project(APPS[name], home / "project", tools.wheels)
    sources = {"ours": APPS[name], "theirs": rewritten}
    environment = tools.environments[name]
    return {side: App(name, sources[side], environment, "", home / side) for side in SIDES}


def _measure_builds(
    rows: Sequence[str], side: str, app: App, tools: Tools, samples: Samples
) -> None:
    """Measure builds in sequence, and the upload after each."""
    known: dict[str, int] = {}
    app.reset()
    for row in rows:
        if row == "changed":
            app.append_line()
            files = _hash_files(side, app)
        _add(samples, app, row, side, _build(side, app, tools))
        packed = _pack(side, app)
        _add(samples, app, UPLOADS[row], side, _sum_new(packed, known))
        if row == "changed":
            by_file = (_hash_files(side, app), files) if side == "theirs" else (packed, known)
            _add(samples, app, "single", side, _sum_new(*by_file))
        known |= packed


def _measure_starts(apps: dict[str, App], tools: Tools, samples: Samples, *, rounds: int) -> None:
    """Measure starts, alternating sides; the first of several fills caches, and is not counted."""
    warmups = 1 if rounds > 1 else 0
    for count in range(rounds + warmups):
        for side, app in apps.items():
            started, health = _start(side, app, tools)
            if count >= warmups:
                _add(samples, app, "started", side, started)
                _add(samples, app, "health", side, health)


def _start(side: str, app: App, tools: Tools) -> tuple[float, float]:
    """Return the seconds until the function has started, and until its first /health."""
    output = app.scratch / "start.json"
    command = (HELPERS / "start.py", _function(side, app), tools.python, output)
    time_command([app.environment.python, *command], cwd=app.scratch, env=clean_environ())
    started, health = json.loads(output.read_text())
    return started, health


def _add_size(side: str, app: App, samples: Samples) -> None:
    megabytes, files = measure_size(_function(side, app))
    _add(samples, app, "size", side, megabytes)
    _add(samples, app, "files", side, files)


def _add(samples: Samples, app: App, row: str, side: str, value: float) -> None:
    samples.setdefault((app.name, row, side), []).append(value)
    log_progress(f"{app.name}, {side}, {row}: {value:.2f}")


def _build(side: str, app: App, tools: Tools) -> float:
    """Build the app and return the seconds."""
    if not app.copies:
        app.reset()
    quiet = {"VERCEL_TELEMETRY_DISABLED": "1", "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    own = {"MASTRA_CACHE_DIR": str(app.cache), "VERCEL_PYTHON_COMPILEALL": "1"}
    env = clean_environ(PATH=tools.path, **quiet, **own)
    command = _mastra_command(app) if side == "ours" else _vercel_command(tools)
    os.sync()  # earlier writes must not slow this build
    return time_command(command, cwd=app.project, env=env)


def _mastra_command(app: App) -> Sequence[str | Path]:
    options = ("-s", "project_name=bench", "--python", PYTHON, "-o", _output("ours", app))
    return (app.environment.mastra, "bundle", "vercel", *options)


def _vercel_command(tools: Tools) -> Sequence[str | Path]:
    home = ("--global-config", tools.scratch / "vercel")
    account = ("--token", "fake", "--api", tools.api, *home)
    return (*tools.vercel, "build", "--standalone", "--yes", *account)


def _output(side: str, app: App) -> Path:
    """Return the directory that holds `.vercel/output`."""
    return app.scratch / f"out-{app.copies}" if side == "ours" else app.project


def _function(side: str, app: App) -> Path:
    return next((_output(side, app) / ".vercel" / "output" / "functions").rglob("*.func"))


def _pack(side: str, app: App) -> dict[str, int]:
    """Return the bytes of each upload by hash: the product sends parts, the tool one archive."""
    if side == "theirs":
        return vercel_cli.pack(app.project / ".vercel" / "output", app.scratch / "archive.tgz")
    output = app.scratch / "parts.json"
    command = (app.environment.python, HELPERS / "pack.py", _output(side, app), output)
    time_command(command, cwd=app.scratch, env=clean_environ())
    return dict(json.loads(output.read_text()))


def _hash_files(side: str, app: App) -> dict[str, int]:
    """Return the bytes of each file of the tool's output by hash; nothing for the product."""
    output = app.project / ".vercel" / "output"
    return vercel_cli.hash_files(output) if side == "theirs" else {}


def _sum_new(files: dict[str, int], known: dict[str, int]) -> float:
    """Return the MB of the hashes that are not in ``known``."""
    return sum(size for sha, size in files.items() if sha not in known) / 1e6


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
