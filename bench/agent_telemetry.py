"""Prepare the agents of both sides with telemetry: all spans go to one collector by OTLP."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import peer
from app import OPENAI, App
from environment import clean_environ, create_environment
from options import log_progress
from process import MeasurementError, start_process, time_command
from server import find_free_port
from telemetry import COLLECTOR

__all__ = ("check_collector", "prepare_ours", "prepare_peer", "serve_collector")

VARIABLE = "BENCH_COLLECTOR"
EXPORT_TIMEOUT = 20  # seconds; both sides export every few seconds
OURS = """
from mastra_core import Telemetry

endpoint = os.environ.get("BENCH_COLLECTOR", "http://localhost:4318")
export = {"type": "otlp", "endpoint": endpoint}
# The spans of the peer have inputs and outputs by default.
mastra.telemetry = Telemetry(service_name="bench", export=export, record_content=True)
"""
PEER_PACKAGES = (
    "@mastra/observability@1.17.9",
    "@mastra/otel-exporter@1.4.0",
    "@opentelemetry/exporter-trace-otlp-proto@0.218.0",
)
PEER_IMPORTS = """\
import { Observability } from '@mastra/observability';
import { OtelExporter } from '@mastra/otel-exporter';
"""
PEER_OPTIONS = """
  observability: new Observability({
    configs: {
      otel: {
        serviceName: 'bench',
        exporters: [
          new OtelExporter({
            provider: {
              custom: {
                endpoint: process.env.BENCH_COLLECTOR + '/v1/traces',
                protocol: 'http/protobuf',
              },
            },
          }),
        ],
      },
    },
  }),
  server: {"""


@contextlib.contextmanager
def serve_collector(scratch: Path) -> Iterator[str]:
    """Serve a collector, and yield its URL.

    :param scratch: its working directory.
    """
    port = find_free_port()
    command = [sys.executable, "-c", COLLECTOR, str(port)]
    with start_process(command, cwd=scratch, env=clean_environ()):
        yield f"http://127.0.0.1:{port}"


def check_collector(url: str, sides: Sequence[str]) -> None:
    """Check that the collector has got spans of each side.

    :param url: the URL of the collector; a side sends below its name.
    :param sides: the sides that export spans.
    :raises MeasurementError: when a side has sent nothing.
    """
    deadline = time.monotonic() + EXPORT_TIMEOUT
    missing = [f"/{side}/v1/traces" for side in sides]
    while missing and time.monotonic() < deadline:
        time.sleep(0.5)
        with urllib.request.urlopen(url) as response:  # noqa: S310  # a loopback address
            received = json.loads(response.read())
        missing = [path for path in missing if not received.get(path)]
    if missing:
        raise MeasurementError(f"the collector has got no spans at {missing}")


def prepare_ours(
    scratch: Path, wheels: dict[str, Path], url: str
) -> tuple[Sequence[Path], dict[str, str]]:
    """Build the bundle of an agent with telemetry; return the command and the environment.

    :param scratch: a directory that is removed afterwards.
    :param wheels: this project's wheels by package name.
    :param url: the URL of the collector.
    """
    log_progress("the bundle with telemetry")
    source = scratch / "traced-source"
    shutil.copytree(OPENAI, source)
    settings, module = source / "pyproject.toml", source / "src" / "mastra" / "index.py"
    settings.write_text(settings.read_text().replace("[agents]", "[agents,telemetry]"))
    module.write_text(module.read_text() + OURS)
    packages = [f"{wheels['mastra_core']}[agents,telemetry]", f"{wheels['mastra_server']}[serve]"]
    packages += [str(wheels["mastra_deployer"]), "pydantic-ai-slim[openai]"]
    tool = create_environment(scratch / "traced-tool", packages)
    app = App("traced", source, tool, "echo", scratch)
    python = create_environment(scratch / "traced-bare").python
    return [python, app.ensure_output() / "index.py"], clean_environ(**{VARIABLE: f"{url}/ours"})


def prepare_peer(
    _: Path, __: dict[str, Path], url: str
) -> tuple[Sequence[Path], dict[str, str]] | None:
    """Build the peer with its exporter; return the command and the environment.

    :param url: the URL of the collector.
    :returns: ``None`` after a message, when the peer cannot be installed or built.
    """
    log_progress("the peer with telemetry")
    try:
        traced = _build_peer()
    except (MeasurementError, OSError) as error:
        print(f"not measured: peer with telemetry: {error}")
        return None
    env = {**peer.production_environ(traced), VARIABLE: f"{url}/peer"}
    return [traced.node, traced.server], env


def _build_peer() -> peer.Peer:
    """Return a copy of the peer with telemetry; later runs reuse the copy."""
    plain = peer.prepare()
    project = plain.project.with_name(f"{plain.project.name}-traced")
    traced = peer.Peer(project, plain.node, plain.env)
    if traced.server.exists():
        return traced
    shutil.rmtree(project, ignore_errors=True)
    ignore = shutil.ignore_patterns(".mastra")
    shutil.copytree(plain.project, project, symlinks=True, ignore=ignore)
    npm = [plain.node.with_name("npm"), "install", *peer.NPM_OPTIONS, *PEER_PACKAGES]
    time_command(npm, cwd=project, env=plain.env)
    entry = project / "src" / "mastra" / "index.ts"
    text = entry.read_text(encoding="utf-8").replace("\n  server: {", PEER_OPTIONS)
    entry.write_text(PEER_IMPORTS + text, encoding="utf-8")
    peer.build(traced)
    return traced
