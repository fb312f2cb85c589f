"""Measure agents that call a model under load: this project, and the TypeScript original.

The model is a server in a process of its own. An agent of either side calls its one tool, and then
gets an answer of 20 words. Pairs of samples alternate which side is first.
"""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import agent_telemetry
import peer
from app import OPENAI, App
from environment import Environment, clean_environ, create_environment
from model_server import count_answers, serve_model
from options import log_progress
from server import Server, start_server
from wrk import Sample, run_wrk

__all__ = ("AgentLoad", "AgentSample", "format_agents", "format_telemetry", "measure_agents")

SIDES = ("ours", "peer")
TRACED = "with telemetry"
KINDS = ("generate", "stream")
CLIENTS = (1, 32)
BODY = {"messages": "What is 1 + 2?"}
PAIRS, SECONDS = 7, 6
QUICK_PAIRS, QUICK_SECONDS = 1, 2
Key = tuple[str, int, str]  # generate or stream, clients, side
Prepared = tuple[Sequence[Path], dict[str, str]]  # the command and the environment of a server


@dataclasses.dataclass(frozen=True)
class AgentSample(Sample):
    """What wrk reports of one endpoint, and what a run costs.

    :param processor: processor milliseconds of the server for each run.
    """

    processor: float = 0


AgentSamples = dict[Key, list[AgentSample]]


@dataclasses.dataclass
class AgentLoad:
    """Running servers of both sides, and their model.

    :param model: the environment variables that lead to the model.
    :param scratch: a directory that is removed afterwards.
    :param seconds: how long a sample takes.
    """

    model: dict[str, str]
    scratch: Path
    seconds: int
    servers: dict[str, Server] = dataclasses.field(default_factory=dict)
    samples: AgentSamples = dataclasses.field(default_factory=dict)

    def warm_up(self) -> None:
        """Send requests of every kind to every server, without a sample."""
        for side, kind in itertools.product(self.servers, KINDS):
            self._measure(side, kind, max(CLIENTS))

    def run_pairs(self, count: int) -> None:
        """Sample every kind of run and number of clients ``count`` times."""
        for number in range(count):
            log_progress(f"agents, pair {number + 1}")
            sides = list(self.servers)[:: 1 if number % 2 else -1]
            for kind, clients, side in itertools.product(KINDS, CLIENTS, sides):
                sample = self._measure(side, kind, clients)
                self.samples.setdefault((kind, clients, side), []).append(sample)

    def _measure(self, side: str, kind: str, clients: int) -> AgentSample:
        server = self.servers[side]
        server.wait_until_idle()
        start, answers = server.measure_processor_time(), count_answers(self.model)
        url = f"http://127.0.0.1:{server.port}/api/agents/echo/{kind}"
        sample = run_wrk(url, clients, self.seconds, body=BODY, scratch=self.scratch)
        server.wait_until_idle()  # runs whose client has left
        runs = count_answers(self.model) - answers
        return AgentSample(
            **dataclasses.asdict(sample) | {"memory": server.measure_memory()},
            processor=1000 * (server.measure_processor_time() - start) / max(runs, 1),
        )


def measure_agents(
    scratch: Path,
    sides: Sequence[str],
    wheels: dict[str, Path],
    *,
    quick: bool,
    telemetry: bool = False,
    aiohttp: bool = False,
) -> AgentSamples:
    """Measure agents of these sides.

    :param scratch: a directory that is removed afterwards.
    :param sides: the sides; those without agents are left out.
    :param wheels: this project's wheels by package name.
    :param quick: measure one short pair.
    :param telemetry: measure each side also with telemetry.
    :param aiohttp: let the model client of this project use aiohttp.
    """
    prepare = {"ours": _prepare_with_aiohttp if aiohttp else _prepare_ours, "peer": _prepare_peer}
    present = [side for side in SIDES if side in sides]
    with ExitStack() as stack:
        model = stack.enter_context(serve_model())
        load = AgentLoad(model, scratch, QUICK_SECONDS if quick else SECONDS)
        for side in present:
            _start_server(load, stack, side, side, prepare[side](scratch, wheels))
        if telemetry:
            url = stack.enter_context(agent_telemetry.serve_collector(scratch))
            for side in present:
                prepared = _PREPARE_TRACED[side](scratch, wheels, url)
                _start_server(load, stack, side, f"{side} {TRACED}", prepared)
        load.warm_up()
        if telemetry:
            traced = [side for side in present if f"{side} {TRACED}" in load.servers]
            agent_telemetry.check_collector(url, traced)
        load.run_pairs(QUICK_PAIRS if quick else PAIRS)
        return load.samples


def _start_server(
    load: AgentLoad, stack: ExitStack, side: str, title: str, prepared: Prepared | None
) -> None:
    if prepared is not None:
        command, env = prepared
        env = {**env, **load.model, **_MODELS[side]}
        server = stack.enter_context(start_server(command, cwd=load.scratch, env=env))
        server.wait_for("/api/agents/echo/generate", BODY)
        load.servers[title] = server


def format_telemetry(samples: AgentSamples) -> list[str]:
    """Return a Markdown table of what telemetry leaves of the rate, and adds to the processor time.

    :param samples: the samples of both sides, without and with telemetry.
    """
    lines = ["| run | clients | side | runs/s with/without | processor ms with/without |"]
    lines.append("| --- " * 5 + "|")
    for (kind, clients, title), traced in samples.items():
        side = title.removesuffix(f" {TRACED}")
        if side == title:
            continue
        pairs = list(zip(traced, samples[kind, clients, side], strict=True))
        rate = median(own.rate / other.rate for own, other in pairs)
        cost = median(own.processor / other.processor for own, other in pairs)
        lines.append(f"| {kind} | {clients} | {side} | {rate:.2f} | {cost:.2f} |")
    return lines


def format_agents(samples: AgentSamples) -> list[str]:
    """Return a Markdown table with a line for each key: medians, and ratios of the pairs."""
    lines = ["| run | clients | side | runs/s | ours/it | processor ms | ours/it | p50 ms | p99 ms"]
    lines[0] += " | failed | MB |"
    lines.append("| --- " * 11 + "|")
    for (kind, clients, side), found in samples.items():
        ours = samples.get((kind, clients, "ours"), found)
        cells = [kind, clients, side, f"{median(each.rate for each in found):.0f}"]
        cells.append(_format_ratio(side, "rate", ours, found))
        cells.append(f"{median(each.processor for each in found):.1f}")
        cells.append(_format_ratio(side, "processor", ours, found))
        cells.append(f"{median(each.p50 for each in found):.1f}")
        cells.append(f"{median(each.p99 for each in found):.0f}")
        cells += [sum(each.failed for each in found), f"{found[-1].memory:.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _format_ratio(
    side: str, name: str, ours: Sequence[AgentSample], others: Sequence[AgentSample]
) -> str:
    """Return the median ratio of the pairs, and the 95 % interval of the mean ratio."""
    pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(ours, others, strict=True)]
    ratios = [own / other for own, other in pairs if other]
    if side == "ours" or not ratios:
        return ""
    if len(ratios) == 1:
        return f"{ratios[0]:.2f}"
    mean, error = statistics.mean(ratios), statistics.stdev(ratios) / len(ratios) ** 0.5
    return f"{median(ratios):.2f} ({mean - 1.96 * error:.2f} to {mean + 1.96 * error:.2f})"


def _prepare_ours(scratch: Path, wheels: dict[str, Path]) -> Prepared:
    return _build_bundle(scratch, _create_tool(scratch, wheels), OPENAI)


def _prepare_with_aiohttp(scratch: Path, wheels: dict[str, Path]) -> Prepared:
    source = scratch / "aiohttp-source"
    shutil.copytree(OPENAI, source)
    settings = source / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    provider = '"pydantic-ai-slim[openai]"'
    settings.write_text(text.replace(provider, f'{provider}, "openai[aiohttp]"'), encoding="utf-8")
    tool = _create_tool(scratch, wheels, "openai[aiohttp]")
    command, env = _build_bundle(scratch, tool, source)
    return command, {**env, "MASTRA_MODEL_CLIENT": "aiohttp"}


def _create_tool(scratch: Path, wheels: dict[str, Path], *more: str) -> Environment:
    log_progress("the bundle with an agent")
    packages = [f"{wheels['mastra_core']}[agents]", f"{wheels['mastra_server']}[serve]"]
    packages += [str(wheels["mastra_deployer"]), "pydantic-ai-slim[openai]", *more]
    return create_environment(scratch / "agent-tool", packages)


def _build_bundle(scratch: Path, tool: Environment, source: Path) -> Prepared:
    app = App("agents", source, tool, "echo", scratch)
    python = create_environment(scratch / "agent-bare").python
    return [python, app.ensure_output() / "index.py"], clean_environ()


def _prepare_peer(_: Path, __: dict[str, Path]) -> Prepared | None:
    return peer.prepare_server()


_PREPARE_TRACED = {"ours": agent_telemetry.prepare_ours, "peer": agent_telemetry.prepare_peer}
_MODELS = {
    "ours": {"BENCH_MODEL": "openai-chat:caller"},
    "peer": {"BENCH_MODEL": "caller"},
}
