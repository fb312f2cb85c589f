"""Measure functions for Netlify: their start, their first requests, the bridge, and their size.

python bench/netlify.py               about five minutes; more the first time
python bench/netlify.py --quick       one start, and few requests
python bench/netlify.py --only plain  one of the apps

Needs mastra-deployer-netlify, Linux on x86_64, uv, and npm's registry. Each figure is a ratio of
two measurements in turns on this machine, so that other programs slow both.
"""

from __future__ import annotations

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
from netlify_builder import pack_function
from node import find_node_directory
from options import create_parser, format_load, log_progress, write_json
from paths import BENCH
from process import MeasurementError, start_process, time_command
from server import start_server

from mastra_deployer_netlify.bundle.function_limits import ZIPPED
from mastra_deployer_netlify.preview.function_instance import build_node_command
from mastra_deployer_netlify.preview.unpack_function import unpack_function

APPS = {"plain": (WEATHER, "weather"), "agents": (OPENAI, "echo")}
LIST = "/api/agents"
QUESTION = {"messages": "What is it like in Oslo?"}
TIMEOUT = 60.0  # seconds until a function has started
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
    # The start of a function includes what its agents import, that of index.py does not.
    "start": Row("start of the function / of python .mastra/index.py", "", {"plain": 1.3}),
    "answer": Row("start to the first answer of an agent / the same", "", same(1.3)),
    "first": Row("first request / warm one", "", same(5)),
    "agent": Row("first call of an agent / warm one", "", same(5)),
    "request": Row("request through the bridge / on its socket", "", same(3)),
    "over": Row("request through the bridge, over that on its socket", "ms", same(2)),
    "chunk": Row("first chunk through the bridge / on its socket", "", same(3)),
    "size": Row("zip / Netlify's limit", "", {"plain": 0.5, "agents": 0.85}),
    "unchanged": Row("bundle, unchanged", "s", same(0.5)),
    # The bundle includes a build of the app; the builder gets a finished function.
    "changed": Row("bundle after one changed line / netlify-cli's builder", "", same(1)),
    "zip": Row("zip / that of netlify-cli's builder", "", same(1)),
}


def main(arguments: Sequence[str]) -> int:
    parser = create_parser("Measure functions for Netlify.", quick="one start, and few requests")
    parser.add_argument("--only", action="append", choices=list(APPS), help="one of the apps")
    options = parser.parse_args(arguments)
    samples: Samples = {}
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch, serve_model() as model:
            for name in options.only or APPS:
                samples[name] = {}
                _measure_app(name, Path(scratch), model, samples[name], quick=options.quick)
    except MeasurementError as error:
        print(f"not measured: {error}")
        return 1
    print("\n".join([f"load average {format_load()}\n", *_format_table(samples, options.quick)]))
    write_json(options.json, samples)
    return 0


def _measure_app(
    name: str,
    scratch: Path,
    model: Mapping[str, str],
    samples: dict[str, list[float]],
    *,
    quick: bool,
) -> None:
    source, agent = APPS[name]
    app = App(name, source, Environment(Path(sys.prefix)), agent, scratch)
    log_progress(f"{name}: bundle")
    app.ensure_output()
    archive = _bundle(app, samples)
    samples["size"] = [archive.stat().st_size / ZIPPED]
    function = scratch / f"function-{name}"
    unpack_function(archive, function)
    env = clean_environ(**model)
    log_progress(f"{name}: netlify-cli's builder")
    for _ in range(1 if quick else 3):
        _compare_builder(app, archive, function, scratch, samples)
    for number in range(1 if quick else 5):
        log_progress(f"{name}: start {number + 1}")
        temporary = scratch / f"tmp-{name}-{number}"
        _measure_start(app, function, temporary, env, samples)
    log_progress(f"{name}: bridge")
    _measure_bridge(app, function, scratch, env, samples, count=20 if quick else 300)


def _bundle(app: App, samples: dict[str, list[float]]) -> Path:
    """Bundle four times, and return the path of the zip; the later bundles are unchanged."""
    samples["unchanged"] = [_time_bundle(app) for _ in range(4)][1:]
    return _get_output(app) / ".netlify/functions/api.zip"


def _get_output(app: App) -> Path:
    return app.scratch / f"out-{app.name}"


def _time_bundle(app: App) -> float:
    options = ("-s", "project_name=bench", "-o", _get_output(app))
    command = (app.environment.mastra, "bundle", "netlify", *options)
    env = clean_environ(MASTRA_CACHE_DIR=str(app.cache))
    return time_command(command, cwd=app.project, env=env)


def _compare_builder(
    app: App, archive: Path, function: Path, scratch: Path, samples: dict[str, list[float]]
) -> None:
    """Bundle a changed app, and let netlify-cli's builder pack the finished function."""
    app.append_line()
    ours = _time_bundle(app)
    theirs, size = pack_function(find_node_directory(), function, scratch)
    _add(samples, "changed", ours / theirs)
    _add(samples, "zip", archive.stat().st_size / size)


def _measure_start(
    app: App,
    function: Path,
    temporary: Path,
    env: Mapping[str, str],
    samples: dict[str, list[float]],
) -> None:
    """Start the bundle and the function in turns, and send first and warm requests."""
    index, generate = app.ensure_output() / "index.py", f"{LIST}/{app.agent}/generate"
    with start_server([sys.executable, index], cwd=app.output, env=env) as server:
        other = server.wait_for("/health")
        other_answer = server.wait_for(generate, QUESTION)
    temporary.mkdir()
    port_file = temporary.with_suffix(".port")
    node = str(find_node_directory() / "node")
    command = build_node_command(node, function, port_file)
    begin = time.perf_counter()
    with start_process(command, cwd=temporary, env={**env, "TMPDIR": str(temporary)}):
        while not port_file.exists():
            if time.perf_counter() - begin > TIMEOUT:
                raise MeasurementError("the function does not start")
            time.sleep(0.001)
        started = time.perf_counter() - begin
        _add(samples, "start", started / other)
        connection = http.client.HTTPConnection("127.0.0.1", int(port_file.read_text()))
        first, warm = _measure_first(connection, LIST, None)
        _add(samples, "first", first / warm)
        first, warm = _measure_first(connection, generate, QUESTION)
        _add(samples, "agent", first / warm)
        _add(samples, "answer", (started + first) / other_answer)


def _measure_first(
    connection: http.client.HTTPConnection, path: str, body: Any
) -> tuple[float, float]:
    """Return the seconds of a first request, and of a warm one."""
    first, *warm = [_request(connection, path, body) for _ in range(21)]
    return first, median(warm)


def _request(connection: http.client.HTTPConnection, path: str, body: Any) -> float:
    content = None if body is None else json.dumps(body)
    begin = time.perf_counter()
    headers = {"content-type": "application/json"}
    connection.request("GET" if body is None else "POST", path, content, headers)
    response = connection.getresponse()
    text = response.read()
    if response.status != http.HTTPStatus.OK:
        raise MeasurementError(f"{path} answered {response.status}: {text[:200]!r}")
    return time.perf_counter() - begin


def _measure_bridge(
    app: App,
    function: Path,
    scratch: Path,
    env: Mapping[str, str],
    samples: dict[str, list[float]],
    *,
    count: int,
) -> None:
    temporary, output = scratch / f"bridge-{app.name}", scratch / f"bridge-{app.name}.json"
    temporary.mkdir()
    command = [find_node_directory() / "node", BENCH / "netlify/bridge.mjs", function, str(count)]
    command += [LIST, f"{LIST}/{app.agent}/stream", json.dumps(QUESTION)]
    with (
        output.open("wb") as file,
        start_process(
            command, cwd=scratch, env={**env, "TMPDIR": str(temporary)}, output=file.fileno()
        ) as process,
    ):
        process.wait()
    lines = output.read_text().splitlines()
    if process.returncode:
        raise MeasurementError(f"the bridge was not measured: {lines[-3:]}")
    figures = json.loads(lines[-1])
    request, first = ({side: median(it) for side, it in figures[key].items()} for key in figures)
    _add(samples, "request", request["bridge"] / request["socket"])
    _add(samples, "over", request["bridge"] - request["socket"])
    _add(samples, "chunk", first["bridge"] / first["socket"])


def _add(samples: dict[str, list[float]], row: str, value: float) -> None:
    samples.setdefault(row, []).append(value)


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
