"""Measurements of this project."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app import OPENAI, WEATHER, App
from environment import Environment, clean_environ, create_environment, prepare_wheels
from measurements import (
    measure_duration,
    measure_overhead,
    measure_rates,
    measure_size,
    measure_starts,
)
from model_server import serve_model
from paths import BENCH
from process import time_command
from results import Results

PROVIDERS = "pydantic-ai-slim[openai,anthropic]"


@dataclasses.dataclass
class Product:
    """This project's wheels; the environments and applications are created when first used.

    :param wheels: this project's wheels by package name.
    :param scratch: a directory that is removed afterwards.
    :param quick: do not compile the environments.
    """

    wheels: dict[str, Path]
    scratch: Path
    quick: bool = False

    @functools.cached_property
    def bare(self) -> Environment:
        """An environment without packages, which serves bundles."""
        return create_environment(self.scratch / "bare")

    @functools.cached_property
    def tool(self) -> Environment:
        """An environment with mastra's packages."""
        return self._create_environment("tool")

    @functools.cached_property
    def tool_with_agents(self) -> Environment:
        return self._create_environment("agents", "[agents]", PROVIDERS)

    @functools.cached_property
    def plain(self) -> App:
        """The app without a model's provider."""
        return App("plain", WEATHER, self.tool, "weather", self.scratch)

    @functools.cached_property
    def agents(self) -> App:
        """The app with OpenAI's agent."""
        return App("agents", OPENAI, self.tool_with_agents, "echo", self.scratch)

    @functools.cached_property
    def both(self) -> App:
        """The app with OpenAI and Anthropic."""
        provider = "openai,anthropic"
        return App("both", OPENAI, self.tool_with_agents, "echo", self.scratch, provider)

    def _create_environment(self, name: str, extra: str = "", *packages: str) -> Environment:
        core, server = self.wheels["mastra_core"], self.wheels["mastra_server"]
        own = [f"{core}{extra}", f"{server}[serve]", str(self.wheels["mastra_deployer"])]
        return create_environment(self.scratch / name, [*own, *packages], compiled=not self.quick)


def prepare(scratch: Path, *, wheels: Path | None = None, quick: bool = False) -> Product:
    """Prepare the wheels.

    :param wheels: a directory of wheels to use instead of building them.
    """
    return Product(prepare_wheels(scratch / "wheels", wheels), scratch, quick)


def measure(product: Product, group: str, results: Results, *, quick: bool) -> None:
    """Measure one group of rows."""
    _GROUPS[group](product, results, quick)


def _measure_import(product: Product, results: Results, quick: bool) -> None:
    python, rounds = product.tool.python, 1 if quick else 11
    command, baseline = (python, "-c", "import mastra_core"), (python, "-c", "pass")
    durations = measure_overhead(
        command, baseline, cwd=product.scratch, env=clean_environ(), rounds=rounds
    )
    results.add("import", *durations)


def _measure_help(product: Product, results: Results, quick: bool) -> None:
    command, rounds = (product.tool.mastra, "--help"), 1 if quick else 11
    durations = measure_duration(command, cwd=product.scratch, env=clean_environ(), rounds=rounds)
    results.add("help", *durations)


def _measure_build(product: Product, results: Results, quick: bool) -> None:
    for app in (product.plain, product.agents):
        if not quick:
            app.reset()
            app.build()  # fills uv's cache, and is not counted
        for _ in range(1 if quick else 3):
            app.reset()
            results.add(f"{app.name}.cold", app.build())
        for _ in range(1 if quick else 3):
            app.append_line()
            results.add(f"{app.name}.changed", app.build())
            results.add(f"{app.name}.unchanged", app.build())


def _measure_output(product: Product, results: Results, quick: bool) -> None:  # noqa: ARG001  # it has one form
    for app in (product.plain, product.agents, product.both):
        megabytes, files = measure_size(app.ensure_output())
        results.add(f"{app.name}.size", megabytes)
        results.add(f"{app.name}.files", files)


def _measure_serve(product: Product, results: Results, quick: bool) -> None:
    with serve_model() as model:
        for app, extra in ((product.plain, {}), (product.agents, model)):
            measure_starts(
                results,
                app.name,
                _server_command(product, app),
                agent=app.agent,
                env=clean_environ(**extra),
                rounds=1 if quick else 5,
            )


def _measure_load(product: Product, results: Results, quick: bool) -> None:
    for app in (product.plain, product.agents):
        measure_rates(
            results,
            app.name,
            _server_command(product, app),
            agent=app.agent,
            env=clean_environ(BENCH_MODEL="test"),
            rounds=1 if quick else 3,
            seconds=0.5 if quick else 3,
        )


def _measure_upload(product: Product, results: Results, quick: bool) -> None:
    for _ in range(1 if quick else 3):
        # One round is quick enough; its size stays, because the row names it.
        results.add("upload", _run_script(product, "upload.py", "--once")["seconds"])


def _measure_workflows(product: Product, results: Results, quick: bool) -> None:
    for _ in range(1 if quick else 3):
        for name, value in _run_script(product, "workflows.py", quick=quick).items():
            results.add(f"workflow.{name}", value)


def _measure_memory(product: Product, results: Results, quick: bool) -> None:
    for _ in range(1 if quick else 3):
        for name, value in _run_script(product, "memory.py", quick=quick).items():
            results.add(f"memory.{name}", value)


def _run_script(product: Product, name: str, *options: str, quick: bool = False) -> dict[str, Any]:
    """Run a script of this directory where mastra is installed, and return its figures."""
    output = product.scratch / f"{name}.json"
    options = (*options, *(["--quick"] if quick else []))
    command = [product.tool.python, BENCH / name, *options, "--json", output]
    time_command(command, cwd=product.scratch, env=clean_environ())
    return dict(json.loads(output.read_text(encoding="utf-8")))


def _server_command(product: Product, app: App) -> Sequence[Path]:
    """Return the command that serves a bundle: the bare interpreter, since it needs no package."""
    return [product.bare.python, app.ensure_output() / "index.py"]


_GROUPS = {
    "import": _measure_import,
    "help": _measure_help,
    "build": _measure_build,
    "output": _measure_output,
    "serve": _measure_serve,
    "load": _measure_load,
    "upload": _measure_upload,
    "workflows": _measure_workflows,
    "memory": _measure_memory,
}
