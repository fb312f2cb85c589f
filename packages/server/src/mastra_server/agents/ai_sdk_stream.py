"""Convert the chunks of an agent's stream to parts for user interfaces of the AI SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ("to_ui_parts",)

_BLOCKS = ("text-start", "text-end", "reasoning-start", "reasoning-end")
_DELTAS = ("text-delta", "reasoning-delta")


def to_ui_parts(chunk: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Convert a chunk to parts; a chunk that has no equivalent becomes none.

    :param chunk: a chunk of an agent's stream.
    """
    kind, payload = chunk["type"], chunk.get("payload", {})
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
    elif kind in ("tool-call", "tool-result"):
        yield _to_tool_part(kind, payload)
    elif kind == "error":
        yield {"type": kind, "errorText": payload["error"]["message"]}
    else:
        yield from _to_boundary_parts(kind, payload)


def _to_boundary_parts(kind: str, payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if kind == "start":
        yield {"type": kind, "messageId": payload["messageId"]}
    elif kind == "step-start":
        yield {"type": "start-step"}
    elif kind == "step-finish":
        yield {"type": "finish-step"}
    elif kind in ("finish", "abort"):
        yield {"type": kind}


def _to_tool_part(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    call = {"toolCallId": payload["toolCallId"]}
    if kind == "tool-call":
        name = payload["toolName"]
        return {"type": "tool-input-available", **call, "toolName": name, "input": payload["args"]}
    if payload.get("isError"):
        return {"type": "tool-output-error", **call, "errorText": str(payload["result"])}
    return {"type": "tool-output-available", **call, "output": payload["result"]}


def _to_url(payload: dict[str, Any]) -> str:
    data: str = payload["data"]
    return data if "://" in data else f"data:{payload['mimeType']};base64,{data}"
