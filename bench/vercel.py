"""Builds the same apps for Vercel with this project and with Vercel's own tool, and compares.

python bench/vercel.py            about ten minutes; more the first time
python bench/vercel.py --quick    one run of each

Needs Python 3.12, uv and npm's registry. Nothing is sent to Vercel: its tool asks who its user is,
and a server on the loopback answers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app import OPENAI, WEATHER, App
from environment import variables
from places import BENCH
from process import Failed, run
from tree import size
from vercel import theirs
from vercel.rows import BUILDS, SIDES, Samples, table
from vercel.tools import PYTHON, Tools, prepare

APPS = {"plain": WEATHER, "agents": OPENAI}
HELPERS = BENCH / "vercel"


def main(arguments: Sequence[str]) -> int:
    wish = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    samples: Samples = {}
    before = os.getloadavg()[0]
    try:
        _all(wish.only or list(APPS), samples, quick=wish.quick)
    except Failed as error:
        print(f"not measured: {error}")
        return 1
    loads = f"load average {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    print("\n".join([f"Python {PYTHON}, {theirs.CLI}; {loads}\n", *table(samples)]))
    if wish.json:
        told = {" ".join(key): values for key, values in samples.items()}
        Path(wish.json).write_text(json.dumps(told, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compares builds for Vercel.")
    parser.add_argument("--quick", action="store_true", help="one run of each")
    parser.add_argument("--only", action="append", choices=list(APPS), help="one of the apps")
    parser.add_argument("--json", metavar="FILE", help="write every sample there")
    return parser


def _all(names: Sequence[str], samples: Samples, *, quick: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch, theirs.told_user() as api:
        _say("wheels, environments and Vercel's tool")
        tools = prepare(Path(scratch), api)
        for name in names:
            apps = _apps(name, tools)
            for side, app in apps.items():
                _build(side, app, tools)  # fills uv's cache, and is not counted
                for _ in range(1 if quick else 3):
                    _builds(side, app, tools, samples)
                _size(side, app, samples)
            _starts(apps, tools, samples, times=1 if quick else 5)


def _apps(name: str, tools: Tools) -> dict[str, App]:
    """The same app twice, each where it is built."""
    for side in SIDES:
        (tools.scratch / name / side).mkdir(parents=True)
    home = tools.scratch / name
    rewritten = theirs.project(APPS[name], home / "project", tools.wheels)
    sources = {"ours": APPS[name], "theirs": rewritten}
    made = tools.environments[name]
    return {side: App(name, sources[side], made, "", home / side) for side in SIDES}


def _builds(side: str, app: App, tools: Tools, samples: Samples) -> None:
    """From nothing, again, and with a line more; and what of each would be sent."""
    known: dict[str, int] = {}
    app.fresh()
    for row, upload in zip(BUILDS, ("upload", "again", "more"), strict=True):
        if row == "changed":
            app.change()
            had = _single(side, app)
        _add(samples, app, row, side, _build(side, app, tools))
        sent = _sent(side, app)
        _add(samples, app, upload, side, _new(sent, known))
        if row == "changed":
            one = _new(_single(side, app), had) if side == "theirs" else _new(sent, known)
            _add(samples, app, "single", side, one)
        known |= sent


def _starts(apps: dict[str, App], tools: Tools, samples: Samples, *, times: int) -> None:
    """In turns. The first time fills the system's cache, and is not counted."""
    for count in range(times + 1):
        for side, app in apps.items():
            started, health = _start(side, app, tools)
            if count:
                _add(samples, app, "started", side, started)
                _add(samples, app, "health", side, health)


def _start(side: str, app: App, tools: Tools) -> tuple[float, float]:
    answer = app.scratch / "start.json"
    command = (HELPERS / "start.py", _function(side, app), tools.python, answer)
    run([app.environment.python, *command], cwd=app.scratch, env=variables())
    started, health = json.loads(answer.read_text())
    return started, health


def _size(side: str, app: App, samples: Samples) -> None:
    megabytes, files = size(_function(side, app))
    _add(samples, app, "size", side, megabytes)
    _add(samples, app, "files", side, files)


def _add(samples: Samples, app: App, row: str, side: str, value: float) -> None:
    samples.setdefault((app.name, row, side), []).append(value)
    _say(f"{app.name}, {side}, {row}: {value:.2f}")


def _build(side: str, app: App, tools: Tools) -> float:
    """Seconds of one build."""
    if not app.copies:
        app.fresh()
    quiet = {"VERCEL_TELEMETRY_DISABLED": "1", "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    own = {"MASTRA_CACHE_DIR": str(app.cache), "VERCEL_PYTHON_COMPILEALL": "1"}
    env = variables(PATH=tools.path, **quiet, **own)
    command = _ours(app) if side == "ours" else _theirs(tools)
    os.sync()  # what was written before is not this build's to wait for
    return run(command, cwd=app.project, env=env)


def _ours(app: App) -> Sequence[str | Path]:
    options = ("-s", "project_name=bench", "--python", PYTHON, "-o", _output("ours", app))
    return (app.environment.mastra, "bundle", "vercel", *options)


def _theirs(tools: Tools) -> Sequence[str | Path]:
    home = ("--global-config", tools.scratch / "vercel")
    account = ("--token", "fake", "--api", tools.api, *home)
    return (*tools.vercel, "build", "--standalone", "--yes", *account)


def _output(side: str, app: App) -> Path:
    """What holds `.vercel/output`."""
    return app.scratch / f"out-{app.copies}" if side == "ours" else app.project


def _function(side: str, app: App) -> Path:
    return next((_output(side, app) / ".vercel" / "output" / "functions").rglob("*.func"))


def _sent(side: str, app: App) -> dict[str, int]:
    """Bytes by hash. Ours is cut in parts; theirs is one archive."""
    if side == "theirs":
        return theirs.archived(app.project / ".vercel" / "output", app.scratch / "archive.tgz")
    answer = app.scratch / "parts.json"
    command = (app.environment.python, HELPERS / "pack.py", _output(side, app), answer)
    run(command, cwd=app.scratch, env=variables())
    return dict(json.loads(answer.read_text()))


def _single(side: str, app: App) -> dict[str, int]:
    return theirs.single(app.project / ".vercel" / "output") if side == "theirs" else {}


def _new(sent: dict[str, int], known: dict[str, int]) -> float:
    """MB that are not there yet."""
    return sum(length for sha, length in sent.items() if sha not in known) / 1e6


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
