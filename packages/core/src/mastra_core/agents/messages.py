"""What goes into a run: neutral messages and the wishes of the caller."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = (
    "AgentInput",
    "FilePart",
    "Message",
    "Part",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
)


class _Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class TextPart(_Part, frozen=True, tag="text", kw_only=True):
    """Plain text."""

    text: str


class FilePart(_Part, frozen=True, tag="file", kw_only=True):
    """An image or file: a URL, or bytes."""

    media_type: str
    url: str = ""
    data: bytes = b""


class ToolCallPart(_Part, frozen=True, tag="tool-call", kw_only=True):
    """A tool call of an earlier turn."""

    id: str
    name: str
    arguments: dict[str, Any]


class ToolResultPart(_Part, frozen=True, tag="tool-result", kw_only=True):
    """The result of an earlier tool call."""

    id: str
    name: str
    result: Any


Part = TextPart | FilePart | ToolCallPart | ToolResultPart


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]

    @classmethod
    def user(cls, text: str) -> Message:
        """A user's message of plain text."""
        return cls(role="user", parts=(TextPart(text=text),))

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class AgentInput(msgspec.Struct, frozen=True, kw_only=True):
    """One run's input.

    :param messages: the conversation, oldest first; the last is usually the user's.
    :param output_schema: JSON Schema of the structured answer wanted.
    :param instructions: used instead of the agent's own for this run.
    :param max_steps: the most model turns; the framework's default where ``None``.
    :param settings: model settings in snake_case (``temperature``, ``max_tokens``, ...).
    :param context: request context: what the caller and the middleware passed along.
    :param history: ``Finish.history`` of an earlier run of the same agent.
    """

    messages: tuple[Message, ...]
    output_schema: dict[str, Any] | None = None
    instructions: str = ""
    max_steps: int | None = None
    settings: dict[str, Any] = {}
    context: dict[str, Any] = {}
    thread: str = ""
    resource: str = ""
    run_id: str = ""
    history: bytes = b""

    @property
    def prompt(self) -> str:
        """The text of the last user message, empty where there is none."""
        texts = [message.text for message in self.messages if message.role == "user"]
        return texts[-1] if texts else ""
