"""Record the output of an agent's run in its span."""

from __future__ import annotations

from mastra_core.agents.agent_span import record_agent_finish
from mastra_core.telemetry import Span, annotate
from mastra_server.agents.transcript import Transcript, build_usage

__all__ = ("record_agent_output",)


def record_agent_output(span: Span, transcript: Transcript) -> None:
    """Record the output of the run in its span.

    :param span: the span of the run, ``None`` without tracing.
    :param transcript: the run.
    """
    if span is None:
        return
    record_agent_finish(span, transcript.finish.usage, transcript.finish.reason)
    calls = [
        {"toolName": call.name, "args": call.arguments}
        for turn in transcript.turns
        for call in turn.calls
    ]
    output = {
        "text": transcript.text,
        "finishReason": transcript.finish.reason,
        "usage": build_usage(transcript.finish.usage),
    }
    annotate(span, output={**output, "toolCalls": calls} if calls else output)
