"""Measurements of Mastra in TypeScript: the project in `bench/peer`, with its own tools."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from environment import clean_environ
from measurements import (
    measure_duration,
    measure_overhead,
    measure_rates,
    measure_size,
    measure_starts,
)
from node import find_node_directory, read_version
from options import log_progress
from paths import BENCH, cache_directory
from process import MeasurementError, time_command
from results import Results

SOURCE = BENCH / "peer"
NPM_OPTIONS = ("--no-audit", "--no-fund", "--silent")


@dataclasses.dataclass(frozen=True)
class Peer:
    """The installed project.

    :param project: a copy of `bench/peer` with its `node_modules`.
    :param node: the path of `node`.
    :param env: environment variables of every command.
    """

    project: Path
    node: Path
    env: dict[str, str]

    @property
    def tool(self) -> Path:
        return self.project / "node_modules" / "mastra" / "dist" / "index.js"

    @property
    def server(self) -> Path:
        return self.project / ".mastra" / "output" / "index.mjs"


def prepare() -> Peer:
    """Install Node and the peer's packages; later runs reuse both.

    :raises MeasurementError: when either cannot be installed.
    """
    shims = find_node_directory()
    path = f"{shims}{os.pathsep}{os.environ.get('PATH', '')}"
    npm = {
        "npm_config_cache": str(cache_directory() / "npm"),
        "npm_config_update_notifier": "false",
    }
    project = cache_directory() / f"peer-{_digest(shims)}"
    peer = Peer(project, shims / "node", clean_environ(PATH=path, **npm))
    if not (peer.project / "complete").exists():
        shutil.rmtree(peer.project, ignore_errors=True)
        shutil.copytree(SOURCE, peer.project)
        time_command([shims / "npm", "install", *NPM_OPTIONS], cwd=peer.project, env=peer.env)
        (peer.project / "complete").touch()
    return peer


def measure(peer: Peer, groups: Sequence[str], results: Results, *, quick: bool) -> None:
    """Build the peer, then measure those of the groups that it has figures for."""
    version = ".".join(map(str, read_version(peer.node)))
    results.facts.append(f"Peer: mastra 1.31.0 and @mastra/core 1.71.0 on Node {version}")
    _measure_build(peer, results)
    for group in groups:
        if group in _GROUPS:
            _GROUPS[group](peer, results, quick)


def build(peer: Peer) -> float:
    """Build the peer and return the seconds."""
    return time_command([peer.node, peer.tool, "build"], cwd=peer.project, env=peer.env)


def prepare_server() -> tuple[Sequence[Path], dict[str, str]] | None:
    """Install and build the peer; return the command of its server and its environment.

    :returns: ``None`` after a message, when the peer cannot be installed or built.
    """
    log_progress("the peer")
    try:
        prepared = prepare()
        if not prepared.server.exists():
            build(prepared)
    except (MeasurementError, OSError) as error:
        print(f"not measured: peer: {error}")
        return None
    return [prepared.node, prepared.server], production_environ(prepared)


def production_environ(peer: Peer) -> dict[str, str]:
    return {**peer.env, "NODE_ENV": "production"}


def _measure_build(peer: Peer, results: Results) -> None:
    """Measure a first build, an unchanged one and a changed one, once each: it has no cache."""
    shutil.rmtree(peer.project / ".mastra", ignore_errors=True)
    entry = peer.project / "src" / "mastra" / "index.ts"
    text = entry.read_text(encoding="utf-8")
    try:
        for key in ("peer.cold", "peer.again", "peer.changed"):
            if key == "peer.changed":
                entry.write_text(f"{text}// one more line\n", encoding="utf-8")
            results.add(key, build(peer))
    finally:
        entry.write_text(text, encoding="utf-8")


def _measure_import(peer: Peer, results: Results, quick: bool) -> None:
    node = (peer.node, "--input-type=module", "-e")
    command, baseline = (*node, "import '@mastra/core'"), (*node, "")
    rounds = 1 if quick else 5
    durations = measure_overhead(command, baseline, cwd=peer.project, env=peer.env, rounds=rounds)
    results.add("peer.import", *durations)


def _measure_help(peer: Peer, results: Results, quick: bool) -> None:
    command, rounds = (peer.node, peer.tool, "--help"), 1 if quick else 5
    durations = measure_duration(command, cwd=peer.project, env=peer.env, rounds=rounds)
    results.add("peer.help", *durations)


def _measure_output(peer: Peer, results: Results, quick: bool) -> None:  # noqa: ARG001  # it has one form
    megabytes, files = measure_size(peer.server.parent)
    results.add("peer.size", megabytes)
    results.add("peer.files", files)


def _measure_serve(peer: Peer, results: Results, quick: bool) -> None:
    command, env = (peer.node, peer.server), production_environ(peer)
    rounds = 1 if quick else 5
    measure_starts(results, "peer", command, agent="echo", env=env, rounds=rounds)


def _measure_load(peer: Peer, results: Results, quick: bool) -> None:
    command, env = (peer.node, peer.server), production_environ(peer)
    rounds, seconds = (1, 0.5) if quick else (3, 3)
    measure_rates(results, "peer", command, agent="echo", env=env, rounds=rounds, seconds=seconds)


def _digest(shims: Path) -> str:
    """Return a key of Node's version and the peer's sources."""
    digest = hashlib.sha256(repr(read_version(shims / "node")).encode())
    for path in sorted(SOURCE.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


_GROUPS = {
    "import": _measure_import,
    "help": _measure_help,
    "output": _measure_output,
    "serve": _measure_serve,
    "load": _measure_load,
}
