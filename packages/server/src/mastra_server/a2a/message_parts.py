"""Convert the messages of A2A to messages for agents, and to data that resumes a run."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from mastra_core.agents import Message
from mastra_core.schema import encode_json
from mastra_server.agents.input_messages import parse_messages
from mastra_server.http.request_body import decode_json

__all__ = ("read_resume_data", "to_agent_messages")

_YES = re.compile(r"(y|yes|approve|approved|ok|okay|confirm|confirmed|true)[.!]?", re.IGNORECASE)


def to_agent_messages(message: dict[str, Any]) -> tuple[Message, ...]:
    """Convert a message of A2A to messages for an agent; data becomes JSON text.

    :param message: the message, in the form of version 0.3.
    :raises InvalidBody: for a file that cannot be read.
    """
    role = "user" if message["role"] == "user" else "assistant"
    content = [_to_agent_part(part) for part in message["parts"]]
    return parse_messages({"role": role, "content": content}, "params.message")


def read_resume_data(message: dict[str, Any], *, is_approval: bool) -> Any:
    """Read the data for a waiting run from a data part, or from a text, which may be JSON.

    :param message: the message, in the form of version 0.3.
    :param is_approval: whether the run waits for an approval. A text such as "yes" then approves.
        Any other text refuses, and is the reason for the refusal.
    """
    for part in message["parts"]:
        if part["kind"] == "data":
            data = part["data"]
            if is_approval and not isinstance(data, dict):  # version 1.0 allows any value
                text = data if isinstance(data, str) else encode_json(data).decode()
                return {"approved": _YES.fullmatch(text) is not None, "reason": text}
            return data
    texts = [part["text"] for part in message["parts"] if part["kind"] == "text"]
    text = "\n".join(texts).strip()
    try:
        data = decode_json(text.encode(), object)
    except (msgspec.DecodeError, UnicodeError):
        data = text
    if is_approval and not isinstance(data, dict):
        return {"approved": _YES.fullmatch(text) is not None, "reason": text}
    return data


def _to_agent_part(part: dict[str, Any]) -> dict[str, Any]:
    match part:
        case {"kind": "text"}:
            return {"type": "text", "text": part["text"]}
        case {"kind": "file", "file": file}:
            names = {"mediaType": file.get("mimeType"), "filename": file.get("name")}
            data = file["bytes"] if "bytes" in file else file["uri"]
            return {"type": "file", "data": data, **names}
    return {"type": "text", "text": encode_json(part["data"]).decode()}
