"""Convert the chunks of an agent's stream to parts for user interfaces of the AI SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

__all__ = ("UiVersion", "to_ui_parts")

UiVersion = Literal["v5", "v6"]  # of the AI SDK; v6 is also the form of later versions

_NO_DECISIONS: Mapping[str, bool] = MappingProxyType({})
_BLOCKS = ("text-start", "text-end", "reasoning-start", "reasoning-end")
_DELTAS = ("text-delta", "reasoning-delta")
_INPUT_START, _INPUT_DELTA = "tool-call-input-streaming-start", "tool-call-delta"
_TOOL_KINDS = (_INPUT_START, _INPUT_DELTA, "tool-call", "tool-result", "tool-error")


def to_ui_parts(
    chunk: dict[str, Any],
    *,
    version: UiVersion = "v6",
    message_id: str = "",
    decisions: Mapping[str, bool] = _NO_DECISIONS,
) -> Iterator[dict[str, Any]]:
    """Yield the parts for a chunk; yield no part if the AI SDK has no equivalent of the chunk.

    :param chunk: a chunk of an agent's stream.
    :param version: the version of the AI SDK.
    :param message_id: the id of the message that the answer continues; empty for a new message.
    :param decisions: whether each decided tool call is approved, by call id. The browser already
        has the decided calls, so they are not sent again.
    """
    kind, payload = chunk["type"], chunk.get("payload", {})
    if kind == "start":
        yield {"type": kind, "messageId": message_id or payload["messageId"]}
    elif kind == "tool-call" and payload["toolCallId"] in decisions:
        return
    elif kind == "tool-result" and decisions.get(payload["toolCallId"]) is False:
        yield {"type": "tool-output-denied", "toolCallId": payload["toolCallId"]}
    elif kind == "tool-call-approval" and version != "v5":
        call = payload["toolCallId"]
        approval = f"{chunk['runId']}::{call}"
        yield {"type": "tool-approval-request", "approvalId": approval, "toolCallId": call}
        yield from _to_parts(kind, payload, chunk)
    else:
        yield from _to_parts(kind, payload, chunk)


def _to_parts(
    kind: str, payload: dict[str, Any], chunk: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if kind in _BLOCKS:
        yield {"type": kind, "id": payload["id"]}
    elif kind in _DELTAS:
        yield {"type": kind, "id": payload["id"], "delta": payload["text"]}
    elif kind == "file":
        yield {"type": kind, "mediaType": payload["mimeType"], "url": _to_url(payload)}
    elif kind == "object-result":
        yield {"type": "data-structured-output", "data": {"object": chunk["object"]}}
    elif kind in ("tool-call-approval", "tool-call-suspended", "tool-output"):
        yield {"type": f"data-{kind}", "data": {"runId": chunk["runId"], **payload}}
    elif kind in _TOOL_KINDS:
        yield _to_tool_part(kind, payload)
    elif kind == "error":
        yield {"type": kind, "errorText": payload["error"]["message"]}
    else:
        yield from _to_boundary_parts(kind)


def _to_boundary_parts(kind: str) -> Iterator[dict[str, Any]]:
    if kind == "step-start":
        yield {"type": "start-step"}
    elif kind == "step-finish":
        yield {"type": "finish-step"}
    elif kind in ("finish", "abort"):
        yield {"type": kind}


def _to_tool_part(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    call = {"toolCallId": payload["toolCallId"]}
    if kind == _INPUT_START:
        return {"type": "tool-input-start", **call, "toolName": payload["toolName"]}
    if kind == _INPUT_DELTA:
        return {"type": "tool-input-delta", **call, "inputTextDelta": payload["argsTextDelta"]}
    if kind == "tool-error":
        return {"type": "tool-output-error", **call, "errorText": payload["error"]["message"]}
    if kind == "tool-call":
        name = payload["toolName"]
        return {"type": "tool-input-available", **call, "toolName": name, "input": payload["args"]}
    if payload.get("isError"):
        return {"type": "tool-output-error", **call, "errorText": str(payload["result"])}
    return {"type": "tool-output-available", **call, "output": payload["result"]}


def _to_url(payload: dict[str, Any]) -> str:
    data: str = payload["data"]
    return data if "://" in data else f"data:{payload['mimeType']};base64,{data}"
