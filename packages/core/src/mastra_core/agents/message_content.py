"""Describe messages in the format of OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mastra_core.agents.events import ToolCall
from mastra_core.agents.messages import Message

__all__ = ("describe_answer", "describe_messages")


def describe_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages in the format of ``gen_ai.input.messages``.

    :param messages: the messages.
    """
    return [{"role": each.role, "parts": [_describe_text(each.text)]} for each in messages]


def describe_answer(
    text: str, calls: Iterable[ToolCall], finish_reason: str
) -> list[dict[str, Any]]:
    """Return an answer in the format of ``gen_ai.output.messages``.

    :param text: the text of the answer.
    :param calls: the calls of tools.
    :param finish_reason: why the answer ended.
    """
    parts = [
        {"type": "tool_call", "id": each.id, "name": each.name, "arguments": each.arguments}
        for each in calls
    ]
    if text:
        parts.append(_describe_text(text))
    return [{"role": "assistant", "parts": parts, "finish_reason": finish_reason}]


def _describe_text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}
