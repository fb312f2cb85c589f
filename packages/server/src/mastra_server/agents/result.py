"""Run an agent to its end and build the response of ``generate``."""

from __future__ import annotations

from typing import Any

from mastra_core.agents import (
    AgentInput,
    AgentLike,
    AgentOutput,
    Finish,
    StepFinish,
    SuspendedRun,
    SuspendedRuns,
)
from mastra_core.telemetry import ids_of
from mastra_server.agents.messages import content_of, said, stored, stored_input, user_interface
from mastra_server.agents.transcript import (
    Transcript,
    Turn,
    call_payload,
    file_payload,
    model_label,
    result_payload,
    usage_of,
    waiting_payload,
)
from mastra_server.middleware.request_spans import agent_ended, agent_span

__all__ = ("agent_result",)


async def agent_result(
    agent: AgentLike, run_input: AgentInput, suspended: SuspendedRuns
) -> dict[str, Any]:
    """Run ``agent`` until it ends or is suspended, and build the response.

    :param agent: the agent.
    :param run_input: the input of the run.
    :param suspended: the store that keeps the run if it is suspended.
    :returns: the body of the response.
    :raises AgentFailed: when the run fails.
    """
    with agent_span(agent, run_input) as span:
        output = await agent.generate(run_input)
        if output.reason == "suspended":
            await suspended.put(SuspendedRun.of(agent.id, run_input, output))
        transcript = _transcript(agent, run_input, output)
        agent_ended(span, transcript)
        return _result(transcript, output, ids_of(span))


def _transcript(agent: AgentLike, run_input: AgentInput, output: AgentOutput) -> Transcript:
    transcript = Transcript(agent.id, run_input)
    for event in output.events:
        transcript.add(event)
    if transcript.open or not transcript.turns:
        transcript.add(StepFinish(reason=output.reason, usage=output.usage))
    if not transcript.turns[-1].text and output.text:  # an adapter that reports no events
        transcript.turns[-1].text = output.text
    transcript.finish = Finish(reason=output.reason, object=output.object, usage=output.usage)
    return transcript


def _result(transcript: Transcript, output: AgentOutput, trace: dict[str, str]) -> dict[str, Any]:
    message = stored(transcript, trace)
    result = {
        "text": transcript.text,
        "usage": usage_of(output.usage),
        "totalUsage": usage_of(output.usage),
        "steps": [
            _step(transcript, turn, first=index == 0) for index, turn in enumerate(transcript.turns)
        ],
        "finishReason": output.reason,
        "warnings": [],
        "request": {},
        **_flat(transcript),
        "response": {
            "modelMetadata": model_label(transcript),
            "messages": said(transcript),
            "uiMessages": [user_interface(transcript, trace)],
            "dbMessages": [message],
        },
        "usedFallbackValue": output.reason == "other" and output.object is not None,
        **trace,
        "runId": transcript.wish.run_id,
        "messages": [*stored_input(transcript), message],
        "rememberedMessages": [],
    }
    if output.object is not None:
        result["object"] = output.object
    if transcript.waiting:
        payload = waiting_payload(transcript.waiting[0])
        result |= {"suspendPayload": payload, "resumeSchema": payload["resumeSchema"]}
    return result


def _flat(transcript: Transcript) -> dict[str, Any]:
    """Gather reasoning, tool calls, tool results and files of all turns."""
    turns, run_id = transcript.turns, transcript.wish.run_id
    return {
        "reasoning": [_reasoning(turn) for turn in turns if turn.reasoning],
        "toolCalls": [call for turn in turns for call in _calls(turn, run_id)],
        "toolResults": [result for turn in turns for result in _results(turn, run_id)],
        "sources": [],
        "files": [file for turn in turns for file in _files(turn, run_id)],
    }


def _step(transcript: Transcript, turn: Turn, *, first: bool) -> dict[str, Any]:
    last = turn is transcript.turns[-1]
    text = turn.text or (transcript.text if last else "")
    run_id = transcript.wish.run_id
    return {
        "stepType": "initial" if first else "tool-result",
        "sources": [],
        "files": _files(turn, run_id),
        "toolCalls": _calls(turn, run_id),
        "toolResults": _results(turn, run_id),
        "content": content_of(turn, text),
        "text": text,
        "reasoningText": turn.reasoning,
        "reasoning": [_reasoning(turn)] if turn.reasoning else [],
        "staticToolCalls": [],
        "dynamicToolCalls": [],
        "staticToolResults": [],
        "dynamicToolResults": [],
        "finishReason": turn.reason,
        "usage": usage_of(turn.usage),
        "warnings": [],
        "request": {},
        "response": {"modelId": transcript.model, "modelMetadata": model_label(transcript)},
    }


def _reasoning(turn: Turn) -> dict[str, Any]:
    return {"type": "reasoning", "text": turn.reasoning}


def _files(turn: Turn, run_id: str) -> list[dict[str, Any]]:
    envelope = {"type": "file", "runId": run_id, "from": "AGENT"}
    return [{**envelope, "payload": file_payload(file)} for file in turn.files]


def _calls(turn: Turn, run_id: str) -> list[dict[str, Any]]:
    envelope = {"type": "tool-call", "runId": run_id, "from": "AGENT"}
    return [{**envelope, "payload": call_payload(call)} for call in turn.calls]


def _results(turn: Turn, run_id: str) -> list[dict[str, Any]]:
    envelope = {"type": "tool-result", "runId": run_id, "from": "AGENT"}
    return [{**envelope, "payload": result_payload(result)} for result in turn.results]
