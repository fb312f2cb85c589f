"""What goes into a run: neutral messages and the wishes of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = (
    "AgentInput",
    "ClientTool",
    "Decision",
    "FilePart",
    "Limits",
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
    """One message of a conversation.

    :param id: what a memory keeps a user's message by; it makes one where this is empty.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]
    id: str = ""

    @classmethod
    def user(cls, text: str) -> Message:
        """A user's message of plain text."""
        return cls(role="user", parts=(TextPart(text=text),))

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class ClientTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the caller has and calls itself; the model is only told of it.

    :param input_schema: JSON Schema of the arguments.
    """

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decided about one call of a suspended run.

    :param reason: told to the model where the call is declined.
    :param arguments: used instead of the model's.
    :param data: what a tool that suspended itself waited for, or the result of a client's tool.
    """

    approved: bool = True
    reason: str = ""
    arguments: dict[str, Any] | None = None
    data: Any = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may use; a run that would use more fails."""

    requests: int | None = None
    tool_calls: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None


class AgentInput(msgspec.Struct, frozen=True, kw_only=True):
    """One run's input: what was said, and what the caller wants otherwise than the agent says.

    :param messages: the conversation, oldest first; the last is usually the user's.
    :param history: ``Finish.history`` of an earlier run of the same agent.
    :param decisions: by call id, for a run that goes on from a suspended one's history.
    :param context: request context: what the caller and the middleware passed along.
    :param thread: the conversation that a memory keeps it in.
    :param resource: whose conversation that is.
    :param thread_title: the title of a thread that has none.
    :param thread_metadata: the metadata of a thread that is new.
    :param last_messages: how many stored messages it is told; the memory's own where ``None``.
    :param read_only: told what was said before, and not kept.
    :param output_schema: JSON Schema of the structured answer wanted.
    :param output: the same as a type.
    :param fallback: the structured answer where the model gives none that fits, instead of a
        failure; the run's reason is ``other`` then.
    :param model: used instead of the agent's own.
    :param instructions: used instead of the agent's own.
    :param extra_instructions: put after the instructions, whichever they are.
    :param settings: model settings in snake_case (``temperature``, ``max_tokens``, ...).
    :param tools: typed functions, beside the agent's own.
    :param active_tools: names of the tools the model may see; all of them where ``None``.
    :param client_tools: tools that the caller calls; a run that needs one ends.
    :param require_approval: ask before every call of a tool.
    :param max_steps: the most model turns; the framework's default where ``None``.
    :param stop_when: functions of the events so far; where one is true the model is not asked
        again.
    :param timeout: seconds the whole run may take.
    """

    messages: tuple[Message, ...] = ()
    history: bytes = b""
    decisions: dict[str, Decision] = {}
    context: dict[str, Any] = {}
    thread: str = ""
    resource: str = ""
    thread_title: str = ""
    thread_metadata: dict[str, Any] = {}
    last_messages: int | None = None
    read_only: bool = False
    run_id: str = ""
    output_schema: dict[str, Any] | None = None
    output: Any = None
    fallback: Any = msgspec.UNSET
    model: Any = None
    instructions: str = ""
    extra_instructions: str = ""
    settings: dict[str, Any] = {}
    tools: tuple[Any, ...] = ()
    active_tools: tuple[str, ...] | None = None
    client_tools: tuple[ClientTool, ...] = ()
    require_approval: bool = False
    max_steps: int | None = None
    stop_when: tuple[Any, ...] = ()
    timeout: float | None = None
    limits: Limits | None = None

    @classmethod
    def of(cls, input: AgentInput | str, wishes: Mapping[str, Any]) -> AgentInput:
        """``input``, or the user's words, with ``wishes`` for fields of it."""
        if isinstance(input, str):
            return cls(messages=(Message.user(input),), **wishes)
        return msgspec.structs.replace(input, **wishes) if wishes else input

    @property
    def unanswered(self) -> tuple[Message, ...]:
        """What was said after the last answer: what is new beside a history."""
        answers = [index for index, each in enumerate(self.messages) if each.role == "assistant"]
        return self.messages[answers[-1] + 1 :] if answers else self.messages

    @property
    def prompt(self) -> str:
        """The text of the last user message, empty where there is none."""
        texts = [message.text for message in self.messages if message.role == "user"]
        return texts[-1] if texts else ""
