"""The events of a running agent, in the order in which they happen.

A run begins with ``Start``. Each model turn has deltas, tool calls and results, and ends with a
``StepFinish``. The run ends with one ``Finish``; a failed run ends with ``Failure`` instead. If
tool calls need a decision or an answer of a person, the run reports them (``ApprovalRequired``,
``ToolSuspended``) and ends with a ``Finish`` whose reason is ``suspended``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.usage import Usage

__all__ = (
    "AgentEvent",
    "ApprovalRequired",
    "Failure",
    "File",
    "Finish",
    "PartialObject",
    "ReasoningDelta",
    "Start",
    "StepFinish",
    "TextDelta",
    "ToolCall",
    "ToolInputDelta",
    "ToolInputEnd",
    "ToolInputStart",
    "ToolOutput",
    "ToolResult",
    "ToolSuspended",
    "Usage",
)


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class Start(_Event, frozen=True, tag="start", kw_only=True):
    """The run began.

    :param model: name of the model that answers.
    :param provider: name of the model's provider.
    :param message_id: id of the answer in the memory; empty without a memory.
    """

    model: str = ""
    provider: str = ""
    message_id: str = ""


class TextDelta(_Event, frozen=True, tag="text-delta", kw_only=True):
    """A piece of the answer.

    :param text: the text.
    """

    text: str


class ReasoningDelta(_Event, frozen=True, tag="reasoning-delta", kw_only=True):
    """A piece of the model's reasoning.

    :param text: the text.
    """

    text: str


class File(_Event, frozen=True, tag="file", kw_only=True):
    """An image or file that the model created: a URL, or bytes.

    :param media_type: MIME type.
    :param url: URL of the file, empty if ``data`` is given.
    :param data: the content, empty if ``url`` is given.
    """

    media_type: str
    url: str = ""
    data: bytes = b""


class PartialObject(_Event, frozen=True, tag="object", kw_only=True):
    """The part of a structured answer that exists so far; only streams have this event.

    The answer is not checked before ``Finish``.

    :param object: JSON builtins.
    """

    object: Any


class ToolInputStart(_Event, frozen=True, tag="tool-input-start", kw_only=True):
    """The model began to write the arguments of a tool call; only streams have this event.

    :param id: id of the ``ToolCall`` that follows.
    :param name: name of the tool.
    """

    id: str
    name: str


class ToolInputDelta(_Event, frozen=True, tag="tool-input-delta", kw_only=True):
    """A piece of the JSON arguments of a tool call; only streams have this event.

    :param id: id of the ``ToolCall`` that follows.
    :param name: name of the tool.
    :param text: the text.
    """

    id: str
    name: str
    text: str


class ToolInputEnd(_Event, frozen=True, tag="tool-input-end", kw_only=True):
    """The model has written the arguments of a tool call; only streams have this event.

    :param id: id of the ``ToolCall`` that follows.
    :param name: name of the tool.
    """

    id: str
    name: str


class ToolCall(_Event, frozen=True, tag="tool-call", kw_only=True):
    """The model called a tool.

    :param id: id of the call.
    :param name: name of the tool.
    :param arguments: the arguments, JSON builtins.
    """

    id: str
    name: str
    arguments: dict[str, Any]


class ToolResult(_Event, frozen=True, tag="tool-result", kw_only=True):
    """A tool returned its result.

    :param id: id of the ``ToolCall``.
    :param name: name of the tool.
    :param arguments: the arguments of the call.
    :param result: the result, JSON builtins.
    :param failed: whether the tool failed or the call was declined.
    :param declined: whether a person declined the call.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    result: Any
    failed: bool = False
    declined: bool = False


class ToolOutput(_Event, frozen=True, tag="tool-output", kw_only=True):
    """An output of a running tool; for a sub-agent, one event of the sub-agent.

    :param id: id of the ``ToolCall``.
    :param name: name of the tool.
    :param output: JSON builtins, or an event.
    """

    id: str
    name: str
    output: Any


class ApprovalRequired(_Event, frozen=True, tag="approval-required", kw_only=True):
    """A tool call waits for a person's approval.

    :param id: id of the ``ToolCall``.
    :param name: name of the tool.
    :param arguments: the arguments of the call.
    """

    id: str
    name: str
    arguments: dict[str, Any]


class ToolSuspended(_Event, frozen=True, tag="tool-suspended", kw_only=True):
    """A tool suspended itself and waits for data.

    :param id: id of the ``ToolCall``.
    :param name: name of the tool.
    :param arguments: the arguments of the call.
    :param payload: the data that the tool asks for, as it was given to ``ToolContext.suspend``.
    :param resume_schema: JSON Schema of the data, ``None`` for any data.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    payload: Any = None
    resume_schema: dict[str, Any] | None = None


class StepFinish(_Event, frozen=True, tag="step-finish", kw_only=True):
    """A model turn ended.

    :param reason: why the turn ended; ``retry`` if the model corrects its answer in the next turn.
    :param continued: whether another turn follows.
    :param usage: the tokens of the turn.
    """

    reason: str = "stop"
    continued: bool = False
    usage: Usage = Usage()


class Failure(_Event, frozen=True, tag="error", kw_only=True):
    """The run failed.

    :param message: one sentence that is safe to show to the caller.
    :param kind: name of the kind of error (``ModelRateLimitError``).
    :param status: HTTP status of the response that reports the error.
    """

    message: str
    kind: str = "Error"
    status: int = 500


class Finish(_Event, frozen=True, tag="finish", kw_only=True):
    """The run ended.

    :param reason: ``stop``; ``tool-calls`` if the caller must call tools, or if the run ended
        before the model got the results of its calls; ``suspended`` if a person must decide;
        ``length`` if the answer was cut off.
    :param object: the structured answer, ``None`` for a text.
    :param is_fallback: whether ``object`` is the caller's fallback.
    :param usage: the sum of the tokens of all turns.
    :param history: the framework's own serialised messages, opaque to everything else.
    """

    reason: str = "stop"
    object: Any = None
    is_fallback: bool = False
    usage: Usage = Usage()
    history: bytes = b""


AgentEvent = (
    Start
    | TextDelta
    | PartialObject
    | ReasoningDelta
    | File
    | ToolInputStart
    | ToolInputDelta
    | ToolInputEnd
    | ToolCall
    | ToolOutput
    | ToolResult
    | ApprovalRequired
    | ToolSuspended
    | StepFinish
    | Failure
    | Finish
)
