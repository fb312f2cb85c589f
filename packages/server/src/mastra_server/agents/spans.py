"""Record the output of an agent's run in its span."""

from __future__ import annotations

from typing import Any

from mastra_core.agents.message_content import describe_answer
from mastra_core.agents.telemetry.agent_span import record_agent_finish
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
    annotate(
        span,
        output={**output, "toolCalls": calls} if calls else output,
        build_content=lambda: {"output": _describe(transcript)},
    )


def _describe(transcript: Transcript) -> list[dict[str, Any]]:
    calls = (call for turn in transcript.turns for call in turn.calls)
    return describe_answer(transcript.text, calls, transcript.finish.reason)
