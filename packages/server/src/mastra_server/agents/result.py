"""Run an agent to its end, and build the response of ``generate``."""

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
from mastra_core.agents.telemetry.agent_span import start_agent_span
from mastra_core.telemetry import get_span_ids
from mastra_server.agents.log_scope import enter_log_scope
from mastra_server.agents.messages import (
    build_content,
    build_response_messages,
    build_stored_input,
    build_stored_message,
    build_ui_message,
)
from mastra_server.agents.spans import record_agent_output
from mastra_server.agents.transcript import (
    Transcript,
    Turn,
    build_call_payload,
    build_file_payload,
    build_model_metadata,
    build_result_payload,
    build_usage,
    build_waiting_payload,
)

__all__ = ("generate_result",)


async def generate_result(
    agent: AgentLike, run_input: AgentInput, suspended_runs: SuspendedRuns
) -> dict[str, Any]:
    """Run ``agent`` until it ends or is suspended, and build the response.

    :param agent: the agent.
    :param run_input: the input of the run.
    :param suspended_runs: the store that keeps the run if it is suspended.
    :returns: the body of the response.
    :raises AgentFailed: when the run fails.
    """
    enter_log_scope(agent, run_input)
    with start_agent_span(agent, run_input) as span:
        output = await agent.generate(run_input)
        if output.reason == "suspended":
            await suspended_runs.put(SuspendedRun.from_output(agent, run_input, output))
        transcript = _build_transcript(agent, run_input, output)
        record_agent_output(span, transcript)
        return _build_result(transcript, output, get_span_ids(span))


def _build_transcript(agent: AgentLike, run_input: AgentInput, output: AgentOutput) -> Transcript:
    transcript = Transcript(agent.id, run_input)
    for event in output.events:
        transcript.add(event)
    if transcript.is_open or not transcript.turns:
        transcript.add(StepFinish(reason=output.reason, usage=output.usage))
    if not transcript.turns[-1].text and output.text:  # an adapter that reports no events
        transcript.turns[-1].text_pieces.append(output.text)
    transcript.finish = Finish(
        reason=output.reason,
        object=output.object,
        is_fallback=output.is_fallback,
        usage=output.usage,
    )
    return transcript


def _build_result(
    transcript: Transcript, output: AgentOutput, trace: dict[str, str]
) -> dict[str, Any]:
    message = build_stored_message(transcript, trace)
    result = {
        "text": transcript.text,
        "usage": build_usage(output.usage),
        "totalUsage": build_usage(output.usage),
        "steps": [
            _build_step(transcript, turn, first=index == 0)
            for index, turn in enumerate(transcript.turns)
        ],
        "finishReason": output.reason,
        "warnings": [],
        "request": {},
        **_flatten_turns(transcript),
        "response": {
            "modelMetadata": build_model_metadata(transcript),
            "messages": build_response_messages(transcript),
            "uiMessages": [build_ui_message(transcript, trace)],
            "dbMessages": [message],
        },
        "usedFallbackValue": output.is_fallback,
        **trace,
        "runId": transcript.run_input.run_id,
        "messages": [*build_stored_input(transcript), message],
        "rememberedMessages": [],
    }
    if output.object is not None:
        result["object"] = output.object
    if transcript.waiting:
        payload = build_waiting_payload(transcript.waiting[0])
        result |= {"suspendPayload": payload, "resumeSchema": payload["resumeSchema"]}
    return result


def _flatten_turns(transcript: Transcript) -> dict[str, Any]:
    """Combine the reasoning, tool calls, tool results and files of all turns."""
    turns, run_id = transcript.turns, transcript.run_input.run_id
    reasoning = "".join(turn.reasoning for turn in turns)
    return {
        **({"reasoningText": reasoning} if reasoning else {}),
        "reasoning": [_build_reasoning(turn, run_id) for turn in turns if turn.reasoning],
        "toolCalls": [call for turn in turns for call in _build_calls(turn, run_id)],
        "toolResults": [result for turn in turns for result in _build_results(turn, run_id)],
        "sources": [],
        "files": [file for turn in turns for file in _build_files(turn, run_id)],
    }


def _build_step(transcript: Transcript, turn: Turn, *, first: bool) -> dict[str, Any]:
    last = turn is transcript.turns[-1]
    text = turn.text or (transcript.text if last else "")
    run_id = transcript.run_input.run_id
    return {
        "stepType": "initial" if first else "tool-result",
        "sources": [],
        "files": _build_files(turn, run_id),
        "toolCalls": _build_calls(turn, run_id),
        "toolResults": _build_results(turn, run_id),
        "content": build_content(turn, text),
        "text": text,
        "reasoningText": turn.reasoning,
        "reasoning": [_build_reasoning(turn, run_id)] if turn.reasoning else [],
        "staticToolCalls": [],
        "dynamicToolCalls": [],
        "staticToolResults": [],
        "dynamicToolResults": [],
        "finishReason": turn.reason,
        "usage": build_usage(turn.usage),
        "warnings": [],
        "request": {},
        "response": {
            "modelId": transcript.model,
            "modelMetadata": build_model_metadata(transcript),
        },
    }


def _build_chunk(kind: str, run_id: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "runId": run_id, "from": "AGENT", "payload": payload}


def _build_reasoning(turn: Turn, run_id: str) -> dict[str, Any]:
    return _build_chunk("reasoning", run_id, {"id": turn.reasoning_id, "text": turn.reasoning})


def _build_files(turn: Turn, run_id: str) -> list[dict[str, Any]]:
    return [_build_chunk("file", run_id, build_file_payload(file)) for file in turn.files]


def _build_calls(turn: Turn, run_id: str) -> list[dict[str, Any]]:
    return [_build_chunk("tool-call", run_id, build_call_payload(call)) for call in turn.calls]


def _build_results(turn: Turn, run_id: str) -> list[dict[str, Any]]:
    return [
        _build_chunk("tool-result", run_id, build_result_payload(result))
        for result in turn.results
        if result.declined or not result.failed
    ]
