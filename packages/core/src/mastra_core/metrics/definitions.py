"""The metrics of an application: names, kinds, units and labels."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = (
    "ACTIVE_REQUESTS",
    "AGENT_RUN_DURATION",
    "FIRST_CHUNK_DURATION",
    "LOST_LOG_LINES",
    "METRICS",
    "MODEL_CALL_DURATION",
    "REQUEST_DURATION",
    "SPANS",
    "TOKENS",
    "TOOL_CALL_DURATION",
    "WORKFLOW_ACTIVE_RUNS",
    "WORKFLOW_OLDEST_QUEUED_RUN",
    "WORKFLOW_OLDEST_RUN",
    "WORKFLOW_PARKED_RUNS",
    "WORKFLOW_QUEUED_RUNS",
    "WORKFLOW_RUN_DURATION",
    "WORKFLOW_TAKEOVERS",
    "Metric",
)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric.

    :param name: name as in OpenTelemetry's conventions, with dots between its parts.
    :param kind: ``counter``, ``active`` for a number that goes up and down, or ``duration`` for a
        histogram of seconds. If every process reports its own value, ``level`` keeps the greatest
        and ``oldest`` the smallest.
    :param help: a text that says what is measured.
    :param labels: names of the labels.
    """

    name: str
    kind: Literal["counter", "active", "level", "oldest", "duration"]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """The name of the metric in Prometheus."""
        suffixes = {"counter": "_total", "duration": "_seconds", "oldest": "_seconds"}
        return self.name.replace(".", "_") + suffixes.get(self.kind, "")


REQUEST_DURATION = Metric(
    name="http.server.request.duration",
    kind="duration",
    help="From the request to the last byte of the response.",
    labels=("method", "route", "status"),
)
ACTIVE_REQUESTS = Metric(
    name="http.server.active_requests", kind="active", help="Requests under way."
)
AGENT_RUN_DURATION = Metric(
    name="mastra.agent.run.duration",
    kind="duration",
    help="Runs of agents; the outcome is ok, failed, suspended or aborted.",
    labels=("agent", "outcome"),
)
MODEL_CALL_DURATION = Metric(
    name="gen_ai.client.operation.duration",
    kind="duration",
    help="Turns of a model, to the end of its answer or its first tool call.",
    labels=("agent", "model", "outcome"),
)
FIRST_CHUNK_DURATION = Metric(
    name="gen_ai.client.operation.time_to_first_chunk",
    kind="duration",
    help="From the start of a model turn to its first piece.",
    labels=("agent", "model"),
)
TOKENS = Metric(
    name="mastra.model.tokens",
    kind="counter",
    help="Tokens that models read (input), wrote (output) or read from a cache (cached).",
    labels=("agent", "model", "type"),
)
TOOL_CALL_DURATION = Metric(
    name="mastra.tool.call.duration",
    kind="duration",
    help="Calls of tools by agents; the outcome is ok, failed or declined.",
    labels=("agent", "tool", "outcome"),
)
WORKFLOW_RUN_DURATION = Metric(
    name="mastra.workflow.run.duration",
    kind="duration",
    help="From the start or the resumption of a run to its end or its suspension.",
    labels=("workflow", "outcome"),
)
WORKFLOW_ACTIVE_RUNS = Metric(
    name="mastra.workflow.active_runs",
    kind="active",
    help="Runs that are neither finished nor suspended.",
    labels=("workflow",),
)
WORKFLOW_OLDEST_RUN = Metric(
    name="mastra.workflow.oldest_run.start_time",
    kind="oldest",
    help="When the oldest active run started or was resumed, in seconds since 1970; +Inf for none.",
)
WORKFLOW_TAKEOVERS = Metric(
    name="mastra.workflow.takeovers",
    kind="counter",
    help="Durable runs that a process took over from a process that had ended.",
)
WORKFLOW_QUEUED_RUNS = Metric(
    name="mastra.workflow.queued_runs",
    kind="level",
    help="Durable runs of the database that are due, and that no process executes.",
)
WORKFLOW_OLDEST_QUEUED_RUN = Metric(
    name="mastra.workflow.oldest_queued_run.start_time",
    kind="oldest",
    help="When the first of these runs began to wait, in seconds since 1970; +Inf for none.",
)
WORKFLOW_PARKED_RUNS = Metric(
    name="mastra.workflow.parked_runs",
    kind="level",
    help="Durable runs of the database that no living process can execute.",
)
LOST_LOG_LINES = Metric(
    name="mastra.log.lines_lost",
    kind="counter",
    help="Log lines that a transport could not write.",
    labels=("transport",),
)
SPANS = Metric(
    name="mastra.telemetry.spans",
    kind="counter",
    help="Spans of traces; the result is exported or dropped.",
    labels=("result",),
)

METRICS = (
    REQUEST_DURATION,
    ACTIVE_REQUESTS,
    AGENT_RUN_DURATION,
    MODEL_CALL_DURATION,
    FIRST_CHUNK_DURATION,
    TOKENS,
    TOOL_CALL_DURATION,
    WORKFLOW_RUN_DURATION,
    WORKFLOW_ACTIVE_RUNS,
    WORKFLOW_OLDEST_RUN,
    WORKFLOW_TAKEOVERS,
    WORKFLOW_QUEUED_RUNS,
    WORKFLOW_OLDEST_QUEUED_RUN,
    WORKFLOW_PARKED_RUNS,
    LOST_LOG_LINES,
    SPANS,
)
