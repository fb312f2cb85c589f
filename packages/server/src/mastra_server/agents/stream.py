"""Run agents, and stream the chunks of the runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from mastra_core.agents import AgentInput, AgentLike, Failure, SuspendedRuns
from mastra_core.agents.telemetry.agent_span import record_agent_failure, start_agent_span
from mastra_core.logger import get_logger
from mastra_server.agents.chunk_writer import AgentChunkWriter
from mastra_server.agents.spans import record_agent_output
from mastra_server.agents.suspended_runs import stream_events, take_suspended_run
from mastra_server.agents.transcript import Transcript
from mastra_server.http.responses import close_on_exit

__all__ = ("resume_agent", "stream_agent")


async def stream_agent(
    agent: AgentLike, run_input: AgentInput, suspended_runs: SuspendedRuns
) -> AsyncGenerator[dict[str, Any]]:
    """Run ``agent`` and stream its chunks; convert every exception to a chunk.

    :param agent: the agent.
    :param run_input: the input of the run.
    :param suspended_runs: the store that keeps the run if it is suspended.
    :returns: the chunks.
    """
    transcript = Transcript(agent.id, run_input)
    writer = AgentChunkWriter(transcript)
    with start_agent_span(agent, run_input) as span:
        try:
            async with close_on_exit(stream_events(agent, run_input, suspended_runs)) as events:
                async for event in events:
                    if isinstance(event, Failure):
                        record_agent_failure(span, event.message)
                    for chunk in writer.write(event):
                        yield chunk
        except Exception as error:  # noqa: BLE001  # an adapter may violate the protocol
            get_logger("mastra.server").error("agent %r failed", agent.id, exc_info=error)
            record_agent_failure(span, "Internal Server Error")
            for chunk in writer.write(Failure(message="Internal Server Error")):
                yield chunk
        record_agent_output(span, transcript)
    for chunk in writer.close():
        yield chunk


async def resume_agent(
    agent: AgentLike, run_input: AgentInput, suspended_runs: SuspendedRuns
) -> AsyncGenerator[dict[str, Any]]:
    """Stream the chunks of a resumed run.

    The run leaves the store of suspended runs when its stream begins, and not before: a reader that
    reconnects must not remove the run.

    :param agent: the agent.
    :param run_input: the input that resumes the run.
    :param suspended_runs: the store of suspended runs.
    :returns: the chunks.
    """
    await take_suspended_run(suspended_runs, agent, run_input)
    async for chunk in stream_agent(agent, run_input, suspended_runs):
        yield chunk
