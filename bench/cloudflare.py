"""Measure Workers for Cloudflare: the size of their modules, and their requests in Pyodide.

python bench/cloudflare.py               about three minutes; more the first time
python bench/cloudflare.py --quick       few requests
python bench/cloudflare.py --only plain  one of the apps

Needs mastra-deployer-cloudflare, uv, Node 24 and npm's registry. Requests to the app and to bare
Litestar are sent in turns, so that other programs slow both.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from app import OPENAI, WEATHER, App
from environment import Environment, clean_environ
from model_server import serve_model
from node import find_node_directory
from options import create_parser, format_load, log_progress, write_json
from paths import BENCH
from process import MeasurementError, start_process, time_command

from mastra_deployer_cloudflare.bundle.worker_modules import MODULES

APPS = {"plain": (WEATHER, "weather"), "agents": (OPENAI, "echo")}
BARE = BENCH / "apps" / "bare"
LIST = "/api/agents"
HEALTH = "/health"
QUESTION = {"messages": "What is it like in Oslo?"}
MIB = 1 << 20
TIMEOUT = 120.0  # seconds until a Worker has started
Samples = dict[str, dict[str, list[float]]]  # by app and row


class Row(NamedTuple):
    """A line of the table for each app.

    :param title: what is measured.
    :param unit: the unit; empty for a ratio.
    :param aims: the largest figure for each app.
    """

    title: str
    unit: str
    aims: Mapping[str, float]


def same(aim: float) -> Mapping[str, float]:
    return dict.fromkeys(APPS, aim)


ROWS = {
    "size": Row("modules", "MiB", {"plain": 5, "agents": 35}),
    "compressed": Row("modules, compressed", "MiB", {"plain": 1.2}),
    "health": Row("/health, over bare Litestar", "ms", same(2)),
    "list": Row("/api/agents / /health of bare Litestar", "", same(3)),
    "agent": Row("first call of an agent / warm one", "", same(5)),
    "unchanged": Row("bundle, unchanged", "s", same(0.5)),
}


def main(arguments: Sequence[str]) -> int:
    parser = create_parser("Measure Workers for Cloudflare.", quick="few requests")
    parser.add_argument("--only", action="append", choices=list(APPS), help="one of the apps")
    options = parser.parse_args(arguments)
    samples: Samples = {}
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory, serve_model() as model:
            scratch, environment = Path(directory), Environment(Path(sys.prefix))
            bare = App("bare", BARE, environment, "", scratch)
            bare.reset()
            _bundle(bare, "--app", "main:app")
            with _serve(bare, model) as base:
                for name in options.only or APPS:
                    source, agent = APPS[name]
                    app = App(name, source, environment, agent, scratch)
                    app.reset()
                    _complete_settings(app, model)
                    samples[name] = _measure_app(app, base, model, 20 if options.quick else 300)
    except MeasurementError as error:
        print(f"not measured: {error}")
        return 1
    print("\n".join([f"load average {format_load()}\n", *_format_table(samples, options.quick)]))
    write_json(options.json, samples)
    return 0


def _measure_app(
    app: App, base: http.client.HTTPConnection, model: Mapping[str, str], count: int
) -> dict[str, list[float]]:
    log_progress(f"{app.name}: bundle")
    seconds = [_bundle(app) for _ in range(4)]
    size, compressed = _measure_modules(_get_bundle(app) / MODULES)
    log_progress(f"{app.name}: requests")
    with _serve(app, model) as connection:
        generate = f"{LIST}/{app.agent}/generate"
        for path in (HEALTH, LIST):  # the first request starts the app
            _request(connection, path)
        first, *warm = [_request(connection, generate, QUESTION) for _ in range(11)]
        base.close()  # Node has closed the idle connection; the next request opens a new one
        turns = [
            (_request(base, HEALTH), _request(connection, HEALTH), _request(connection, LIST))
            for _ in range(count)
        ]
    bare, health, listed = (median(column) for column in zip(*turns, strict=True))
    return {
        "size": [size / MIB],
        "compressed": [compressed / MIB],
        "health": [(health - bare) * 1000],
        "list": [listed / bare],
        "agent": [first / median(warm)],
        "unchanged": seconds[1:],
    }


def _complete_settings(app: App, model: Mapping[str, str]) -> None:
    """Declare the variables of the model server, and allow workflow runs to be lost.

    A preview has only declared variables. A bundle for Cloudflare refuses a workflow that suspends.
    """
    settings = app.project / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    with settings.open("a", encoding="utf-8") as file:
        if "[tool.mastra.env]" not in text:
            file.write(f"\n[tool.mastra.env]\noptional = {json.dumps(list(model))}\n")
        file.write('\n[tool.mastra.check]\nignore = ["trip"]\n')


def _get_bundle(app: App) -> Path:
    return app.scratch / f"out-{app.name}"


def _bundle(app: App, *options: str) -> float:
    """Bundle an app, and return the seconds."""
    settings = ("-s", "project_name=bench", "-o", _get_bundle(app))
    command = (app.environment.mastra, "bundle", "cloudflare", *settings, *options)
    return time_command(
        command, cwd=app.project, env=clean_environ(MASTRA_CACHE_DIR=str(app.cache))
    )


def _measure_modules(directory: Path) -> tuple[int, int]:
    """Return the bytes of all modules, and of all modules as one compressed stream."""
    contents = [path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()]
    return sum(map(len, contents)), len(gzip.compress(b"".join(contents), 6))


@contextlib.contextmanager
def _serve(app: App, model: Mapping[str, str]) -> Iterator[http.client.HTTPConnection]:
    """Run the preview of a bundle within the block, and yield a connection to it."""
    log = app.scratch / f"preview-{app.name}.log"
    path = f"{find_node_directory()}:{clean_environ()['PATH']}"
    settings = ("-s", "project_name=bench", "--port", "0", "--prebuilt", _get_bundle(app))
    command = [app.environment.mastra, "preview", "cloudflare", *settings]
    env = {**clean_environ(**model), "PATH": path}
    with (
        log.open("wb") as file,
        start_process(command, cwd=app.project, env=env, output=file.fileno()) as process,
    ):
        end = time.perf_counter() + TIMEOUT
        while " on http://" not in log.read_text():
            if time.perf_counter() > end or process.poll() is not None:
                raise MeasurementError(f"the Worker does not start: {log.read_text()[-300:]}")
            time.sleep(0.05)
        address = log.read_text().rpartition("http://")[2].split()[0]
        yield http.client.HTTPConnection(address)


def _request(connection: http.client.HTTPConnection, path: str, body: Any = None) -> float:
    """Send a request, and return the seconds until its response is complete."""
    content = None if body is None else json.dumps(body)
    headers = {"content-type": "application/json"}
    begin = time.perf_counter()
    connection.request("GET" if body is None else "POST", path, content, headers)
    response = connection.getresponse()
    text = response.read()
    if response.status != http.HTTPStatus.OK:
        raise MeasurementError(f"{path} answered {response.status}: {text[:200]!r}")
    return time.perf_counter() - begin


def _format_table(samples: Samples, quick: bool) -> Iterator[str]:
    """Yield the lines of a Markdown table; the quick form judges no aim."""
    yield "| app | figure | | median | aim | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, rows in samples.items():
        for key, row in ROWS.items():
            figure, aim = median(rows[key]), row.aims.get(name)
            verdict = "" if quick or aim is None else "met" if figure <= aim else "missed"
            cells = (name, row.title, row.unit, f"{figure:.2f}", f"{aim or ''}", verdict)
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
