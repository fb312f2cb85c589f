"""What a running agent reports, in the order it happens.

One run is ``Start``, then per model turn some deltas, tool calls and results closed by a
``StepFinish``, then one ``Finish``; a run that breaks ends in ``Failure`` instead. A run that
waits for somebody tells what for (``ApprovalRequired``, ``ToolSuspended``) and ends in a
``Finish`` whose reason is ``suspended``.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = (
    "AgentEvent",
    "ApprovalRequired",
    "Failure",
    "File",
    "Finish",
    "ReasoningDelta",
    "Start",
    "StepFinish",
    "TextDelta",
    "ToolCall",
    "ToolOutput",
    "ToolResult",
    "ToolSuspended",
    "Usage",
)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens counted by the provider; zero where it does not say.

    :param cached_tokens: those of the input that the provider had in its cache.
    :param reasoning_tokens: those of the output that nobody sees.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class Start(_Event, frozen=True, tag="start", kw_only=True):
    """The run began; ``model`` and ``provider`` label what answers.

    :param message_id: what a memory stores the answer by; empty without one.
    """

    model: str = ""
    provider: str = ""
    message_id: str = ""


class TextDelta(_Event, frozen=True, tag="text-delta", kw_only=True):
    """A piece of the answer."""

    text: str


class ReasoningDelta(_Event, frozen=True, tag="reasoning-delta", kw_only=True):
    """A piece of the model's reasoning."""

    text: str


class File(_Event, frozen=True, tag="file", kw_only=True):
    """An image or file that the model made: a URL, or bytes."""

    media_type: str
    url: str = ""
    data: bytes = b""


class ToolCall(_Event, frozen=True, tag="tool-call", kw_only=True):
    """The model asked for a tool."""

    id: str
    name: str
    arguments: dict[str, Any]


class ToolResult(_Event, frozen=True, tag="tool-result", kw_only=True):
    """A tool answered; ``id`` is that of its ``ToolCall``."""

    id: str
    name: str
    arguments: dict[str, Any]
    result: Any
    failed: bool = False


class ToolOutput(_Event, frozen=True, tag="tool-output", kw_only=True):
    """What a tool tells while it runs; of a sub-agent, one of its events."""

    id: str
    name: str
    output: Any


class ApprovalRequired(_Event, frozen=True, tag="approval-required", kw_only=True):
    """A tool waits for a person's agreement; ``id`` is that of its ``ToolCall``."""

    id: str
    name: str
    arguments: dict[str, Any]


class ToolSuspended(_Event, frozen=True, tag="tool-suspended", kw_only=True):
    """A tool stopped itself and waits for data.

    :param payload: what the tool says it needs.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    payload: Any = None


class StepFinish(_Event, frozen=True, tag="step-finish", kw_only=True):
    """One model turn is over; ``continued`` when another follows."""

    reason: str = "stop"
    continued: bool = False
    usage: Usage = Usage()


class Failure(_Event, frozen=True, tag="error", kw_only=True):
    """The run broke.

    :param message: one sentence that is safe to show to whoever called.
    :param kind: what went wrong, in a word (``ModelRateLimitError``).
    :param status: the HTTP answer it deserves.
    """

    message: str
    kind: str = "Error"
    status: int = 500


class Finish(_Event, frozen=True, tag="finish", kw_only=True):
    """The run is over.

    :param reason: ``stop``; ``tool-calls`` where tools of the caller are to be called, or the
        model was not asked again; ``suspended`` where somebody must decide; ``length`` where the
        answer was cut.
    :param object: the structured answer, where one was asked for.
    :param usage: the sum over all turns.
    :param history: the framework's own serialised messages, opaque to everybody else.
    """

    reason: str = "stop"
    object: Any = None
    usage: Usage = Usage()
    history: bytes = b""


AgentEvent = (
    Start
    | TextDelta
    | ReasoningDelta
    | File
    | ToolCall
    | ToolOutput
    | ToolResult
    | ApprovalRequired
    | ToolSuspended
    | StepFinish
    | Failure
    | Finish
)
