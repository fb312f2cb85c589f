"""Find and extend the stored message that a run continues."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from mastra_core.agents.messages import AgentInput, Part, ToolCallPart
from mastra_core.memory.assistant_message import ABORTED, APPROVALS, SUSPENSIONS
from mastra_core.storage.records import Recall, StoredMessage

__all__ = ("extend_message", "find_continued_message")


def find_continued_message(run_input: AgentInput, recall: Recall) -> StoredMessage | None:
    """Return the stored message that a run continues; ``None`` if the run begins a new message.

    If ``run_input`` has decisions, the continued message has the calls that wait for them. Without
    decisions, the continued message is the last one of the caller's conversation.

    :param run_input: the caller's input.
    :param recall: the stored data of the thread.
    """
    for message in reversed(recall.messages):
        if message.role != "assistant":
            continue
        pending = _list_pending(message)
        if any(pending.get(call) == run_input.run_id for call in run_input.decisions):
            return message
        if not run_input.decisions and message.id == run_input.continued_id:
            return message
    return None


def extend_message(
    message: StoredMessage, parts: Iterable[Part], metadata: dict[str, Any]
) -> StoredMessage:
    """Return a stored message with the parts and the metadata that a run adds.

    The run repeats the calls that waited in the message, so these calls are not added again. They
    no longer wait.

    :param message: the message.
    :param parts: the parts of the run.
    :param metadata: the metadata of the run.
    """
    known = {part.id for part in message.parts if isinstance(part, ToolCallPart)}
    added = [each for each in parts if not (isinstance(each, ToolCallPart) and each.id in known)]
    return msgspec.structs.replace(
        message,
        parts=(*message.parts, *added),
        metadata=_drop_pending(message.metadata) | metadata,
        content=None,
    )


def _list_pending(message: StoredMessage) -> dict[str, Any]:
    """Return the calls that wait for a decision, mapped to the ids of their runs.

    The function checks each type, because a caller can save a message with any metadata.
    """
    entries = [message.metadata.get(key) for key in (APPROVALS, SUSPENSIONS)]
    return {
        id_: call.get("runId")
        for each in entries
        if isinstance(each, dict)
        for id_, call in each.items()
        if isinstance(call, dict)
    }


def _drop_pending(metadata: dict[str, Any]) -> dict[str, Any]:
    dropped = (APPROVALS, SUSPENSIONS, ABORTED)
    return {key: value for key, value in metadata.items() if key not in dropped}
