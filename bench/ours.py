"""What is measured of this project."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import cold
from app import OPENAI, WEATHER, App
from book import Book
from environment import Environment, create, variables, wheels
from model import serving_model
from places import BENCH
from process import run
from tree import size


@dataclasses.dataclass(frozen=True)
class Ours:
    """Fresh environments from wheels, and the applications."""

    bare: Environment
    tool: Environment
    plain: App
    agents: App
    both: App
    scratch: Path


def prepare(scratch: Path) -> Ours:
    """Builds the wheels, makes the environments, compiles them."""
    made = wheels(scratch / "wheels")
    own = [str(made["mastra_core"]), f"{made['mastra_server']}[serve]"]
    tool = create(scratch / "tool", [*own, str(made["mastra_deployer"])])
    provided = ["pydantic-ai-slim[openai,anthropic]", str(made["mastra_deployer"])]
    agents = [f"{made['mastra_core']}[agents]", *own[1:], *provided]
    with_agents = create(scratch / "agents", agents)
    return Ours(
        bare=create(scratch / "bare"),
        tool=tool,
        plain=App("plain", WEATHER, tool, "weather", scratch),
        agents=App("agents", OPENAI, with_agents, "echo", scratch),
        both=App("both", OPENAI, with_agents, "echo", scratch, provider="openai,anthropic"),
        scratch=scratch,
    )


def measure(ours: Ours, group: str, book: Book, *, quick: bool) -> None:
    """One group of rows."""
    _GROUPS[group](ours, book, quick)


def _import(ours: Ours, book: Book, quick: bool) -> None:
    python, often = ours.tool.python, 1 if quick else 11
    command, bare = (python, "-c", "import mastra_core"), (python, "-c", "pass")
    book.add("import", *cold.over(command, bare, cwd=ours.scratch, env=variables(), times=often))


def _help(ours: Ours, book: Book, quick: bool) -> None:
    command, often = (ours.tool.mastra, "--help"), 1 if quick else 11
    book.add("help", *cold.taken(command, cwd=ours.scratch, env=variables(), times=often))


def _build(ours: Ours, book: Book, quick: bool) -> None:
    for app in (ours.plain, ours.agents):
        app.fresh()
        app.build()  # fills uv's cache, and is not counted
        for _ in range(1 if quick else 3):
            app.fresh()
            book.add(f"{app.name}.cold", app.build())
        for _ in range(1 if quick else 3):
            app.change()
            book.add(f"{app.name}.changed", app.build())
            book.add(f"{app.name}.unchanged", app.build())


def _output(ours: Ours, book: Book, quick: bool) -> None:  # noqa: ARG001  # once is enough
    for app in (ours.plain, ours.agents, ours.both):
        megabytes, files = size(app.built())
        book.add(f"{app.name}.size", megabytes)
        book.add(f"{app.name}.files", files)


def _serve(ours: Ours, book: Book, quick: bool) -> None:
    often = 1 if quick else 5
    with serving_model() as model:
        for app, more in ((ours.plain, {}), (ours.agents, model)):
            env = variables(**more)
            cold.starts(book, app.name, _server(ours, app), agent=app.agent, env=env, times=often)


def _load(ours: Ours, book: Book, quick: bool) -> None:
    env = variables(BENCH_MODEL="test")
    for app in (ours.plain, ours.agents):
        command, often = _server(ours, app), 1 if quick else 3
        cold.load(book, app.name, command, agent=app.agent, env=env, times=often)


def _upload(ours: Ours, book: Book, quick: bool) -> None:
    told = ours.scratch / "upload.seconds"
    for _ in range(1 if quick else 3):
        run([ours.tool.python, BENCH / "upload.py", told], cwd=ours.scratch, env=variables())
        book.add("upload", float(told.read_text()))


def _workflows(ours: Ours, book: Book, quick: bool) -> None:
    told = ours.scratch / "workflows.json"
    for _ in range(1 if quick else 3):
        run([ours.tool.python, BENCH / "workflows.py", told], cwd=ours.scratch, env=variables())
        for name, value in json.loads(told.read_text()).items():
            book.add(f"workflow.{name}", value)


def _memory(ours: Ours, book: Book, quick: bool) -> None:
    told = ours.scratch / "memory.json"
    for _ in range(1 if quick else 3):
        run([ours.tool.python, BENCH / "memory.py", told], cwd=ours.scratch, env=variables())
        for name, value in json.loads(told.read_text()).items():
            book.add(f"memory.{name}", value)


def _server(ours: Ours, app: App) -> Sequence[Path]:
    """The bundle needs no environment: the bare interpreter serves it."""
    return [ours.bare.python, app.built() / "index.py"]


_GROUPS = {
    "import": _import,
    "help": _help,
    "build": _build,
    "output": _output,
    "serve": _serve,
    "load": _load,
    "upload": _upload,
    "workflows": _workflows,
    "memory": _memory,
}
