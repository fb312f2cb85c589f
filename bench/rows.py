"""The rows of the table: title, unit, aim, and the keys of both sides' samples."""

from __future__ import annotations

import dataclasses

GROUPS = (
    "import", "help", "build", "output", "serve", "load", "upload", "workflows", "memory"
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    :param group: the name that `--only` takes.
    :param title: what is measured.
    :param unit: the unit of the samples.
    :param product: key of this project's samples.
    :param peer: key of the peer's samples; empty where it has none.
    :param aim: the most that the median may be.
    """

    group: str
    title: str
    unit: str
    product: str
    peer: str = ""
    aim: float | None = None


ROWS = (
    Row("import", "import, over the bare interpreter", "ms", "import", "peer.import", 60),
    Row("help", "mastra --help", "ms", "help", "peer.help", 100),
    Row("build", "build, plain app, nothing cached but uv", "s", "plain.cold", "peer.cold", 6),
    Row("build", "build, plain app, one line changed", "s", "plain.changed", "peer.changed", 0.6),
    Row("build", "build, plain app, unchanged", "s", "plain.unchanged", "peer.again", 0.5),
    Row("build", "build, OpenAI agent, nothing cached but uv", "s", "agents.cold", "peer.cold", 5),
    Row(
        "build", "build, OpenAI agent, one line changed", "s", "agents.changed", "peer.changed", 0.6
    ),
    Row("build", "build, OpenAI agent, unchanged", "s", "agents.unchanged", "peer.again", 0.5),
    Row("output", "output, plain app", "MB", "plain.size", "peer.size", 17),
    Row("output", "output, plain app", "files", "plain.files", "peer.files"),
    Row("output", "output, OpenAI agent", "MB", "agents.size", "peer.size", 57),
    Row("output", "output, OpenAI agent", "files", "agents.files", "peer.files"),
    Row("output", "output, OpenAI and Anthropic", "MB", "both.size", "", 72),
    Row("output", "output, OpenAI and Anthropic", "files", "both.files"),
    Row("serve", "start to first /health, plain app", "s", "plain.start", "peer.start", 0.6),
    Row("serve", "start to first agent answer, plain app", "s", "plain.agent", "peer.agent"),
    Row("serve", "start to first /health, OpenAI agent", "s", "agents.start", "peer.start", 1.2),
    Row("serve", "start to first agent answer, OpenAI agent", "s", "agents.agent", "peer.agent"),
    Row("serve", "memory idle, plain app", "MB", "plain.idle", "peer.idle", 70),
    Row("serve", "memory after an agent run, plain app", "MB", "plain.used", "peer.used"),
    Row("serve", "memory idle, OpenAI agent", "MB", "agents.idle", "peer.idle", 130),
    Row("serve", "memory after an agent run, OpenAI agent", "MB", "agents.used", "peer.used"),
    Row("load", "GET /health, one client", "req/s", "plain.health", "peer.health"),
    Row("load", "agent generate, function as agent", "req/s", "plain.generate"),
    Row("load", "agent generate, test model", "req/s", "agents.generate", "peer.generate"),
    Row("workflows", "two-step workflow in process", "µs", "workflow.clock", "", 50),
    Row("workflows", "two-step workflow in process, processor", "µs", "workflow.processor"),
    Row("workflows", "memory that 100,000 runs leave behind", "MB", "workflow.growth", "", 5),
    Row("memory", "run with a memory on SQLite, thread of 10 messages", "µs", "memory.short"),
    Row("memory", "run with a memory on SQLite, thread of 10,000", "µs", "memory.long", "", 1000),
    Row("upload", "1,000 files at 50 ms each, ideally 2.5", "s", "upload", "", 3.25),
)
