"""The input of a run: messages that do not depend on a framework, and the caller's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mastra_core.agents.events import ToolResult
from mastra_core.agents.run_journal import RunJournal
from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_count
from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.limits.memory_size import estimate_context_size, estimate_size

__all__ = (
    "AgentInput",
    "ClientTool",
    "Decision",
    "FilePart",
    "Message",
    "Part",
    "ReasoningPart",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
    "UsageLimits",
)


class _Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class TextPart(_Part, frozen=True, tag="text", kw_only=True):
    """Plain text.

    :param text: the text.
    """

    text: str


class ReasoningPart(_Part, frozen=True, tag="reasoning", kw_only=True):
    """The reasoning of a model, which people may read. No model gets it.

    :param text: the text.
    """

    text: str


class FilePart(_Part, frozen=True, tag="file", kw_only=True):
    """An image or file: a URL, or bytes.

    :param media_type: MIME type.
    :param url: URL of the file, empty if ``data`` is given.
    :param data: the content, empty if ``url`` is given.
    :param name: name of the file; it may be empty.
    """

    media_type: str
    url: str = ""
    data: bytes = b""
    name: str = ""


class ToolCallPart(_Part, frozen=True, tag="tool-call", kw_only=True):
    """A tool call of an earlier turn.

    :param id: id of the call.
    :param name: name of the tool.
    :param arguments: the arguments, JSON builtins.
    """

    id: str
    name: str
    arguments: dict[str, Any]


class ToolResultPart(_Part, frozen=True, tag="tool-result", kw_only=True):
    """The result of an earlier tool call.

    :param id: id of the call.
    :param name: name of the tool.
    :param result: the result, JSON builtins.
    :param failed: whether the tool failed; if so, ``result`` is the error message.
    """

    id: str
    name: str
    result: Any
    failed: bool = False


Part = TextPart | ReasoningPart | FilePart | ToolCallPart | ToolResultPart


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation.

    :param role: ``system``, ``user``, ``assistant`` or ``tool``.
    :param parts: the content.
    :param id: id of the message in the memory; if empty, the memory creates an id. Messages with
        the same id are parts of one message.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]
    id: str = ""

    @classmethod
    def user(cls, text: str) -> Message:
        """Create a user's message.

        :param text: the plain text of the message.
        """
        return cls(role="user", parts=(TextPart(text=text),))

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class ClientTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the caller executes; the model knows only its description.

    :param name: name of the tool.
    :param description: text that tells the model when to call the tool.
    :param input_schema: JSON Schema of the arguments.
    """

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A person's decision about one call of a suspended run.

    :param approved: whether the call may be executed.
    :param reason: the reason of a declined call, passed to the model.
    :param arguments: arguments to use in place of the model's; ``None`` keeps the model's.
    :param data: the data that a suspended tool waits for, or the result of a client tool.
    """

    approved: bool = True
    reason: str = ""
    arguments: dict[str, Any] | None = None
    data: Any = None


class UsageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The usage limits of one run; a run that would exceed a limit fails.

    :param requests: maximum number of requests to the model.
    :param tool_calls: maximum number of tool calls.
    :param input_tokens: maximum number of input tokens.
    :param output_tokens: maximum number of output tokens.
    :param total_tokens: maximum number of all tokens.
    :raises ConfigError: for a maximum that is not an integer of 0 or more.
    """

    requests: int | None = None
    tool_calls: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if (value := getattr(self, name)) is not None:
                check_count(name, value, least=0)


class AgentInput(msgspec.Struct, frozen=True, kw_only=True):
    """The input of one run: the messages, and options that replace options of the agent.

    :param messages: the conversation, oldest first; the last message is usually the user's.
    :param history: ``Finish.history`` of an earlier run of the same agent.
    :param decisions: decisions by call id, to resume a suspended run from its history.
    :param context: the request context: values that the caller and the middleware set.
    :param thread: id of the conversation in the memory.
    :param resource: owner of the conversation.
    :param thread_title: title for a thread that has no title yet.
    :param thread_metadata: metadata of a new thread.
    :param last_messages: how many stored messages the model gets; by default the memory's setting.
    :param read_only: whether to read the memory without storing the run.
    :param run_id: id of the run.
    :param output_schema: JSON Schema of the structured answer.
    :param output: type of the structured answer.
    :param fallback: the structured answer if the model gives no valid one. A run with a fallback
        does not fail because of an invalid answer; the result's text is what the model wrote.
    :param model: the model to use in place of the agent's.
    :param instructions: the instructions to use in place of the agent's.
    :param extra_instructions: text to add after the instructions.
    :param settings: model settings in snake_case (``temperature``, ``max_tokens``, ...).
    :param tools: typed functions to add to the agent's tools.
    :param active_tools: names of the tools that the model may use; ``None`` for all of them.
    :param client_tools: tools that the caller executes; a run ends when the model calls one.
    :param require_approval: whether every tool call needs approval.
    :param max_steps: maximum number of model turns; ``None`` for the framework's default.
    :param stop_when: functions that take the events so far; the run ends when one returns true.
    :param timeout: seconds that the whole run may take.
    :param limits: the usage limits of the run.
    :param caller: the caller whose limits apply if the run is stored; empty for the application
        itself.
    :param trace: the ids of the span of a suspended run; the span of the resumed run links to it.
    :param journal: records the finished calls of a durable run; set by the framework.
    :param unread_results: receives the results of calls that have finished, and that the run could
        not yield before it was cancelled or failed; set by the framework.
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
    limits: UsageLimits | None = None
    caller: str = ""
    trace: dict[str, str] = {}
    journal: RunJournal | None = None
    unread_results: list[ToolResult] | None = None

    @classmethod
    def from_value(cls, input: AgentInput | str, overrides: Mapping[str, Any]) -> AgentInput:
        """Convert a value to an input, and replace some of its fields.

        :param input: the input, or the user's message.
        :param overrides: names of fields, mapped to their values.
        :raises InvalidInput: when a value has the wrong type.
        :raises ConfigError: for an unknown field.
        """
        if not isinstance(input, AgentInput | str):
            raise InvalidInput(
                f"The input of the agent has the wrong type {type(input).__name__!r}.",
                "Pass text or AgentInput(...).",
            )
        for name in overrides:
            if name not in cls.__struct_fields__:
                raise ConfigError(f"A run has no option {name!r}.", _suggest_option(name))
        check_types(overrides, cls.__annotations__, InvalidInput)
        if isinstance(input, str):
            return cls(messages=(Message.user(input),), **overrides)
        return msgspec.structs.replace(input, **overrides) if overrides else input

    def drop_code(self) -> AgentInput:
        """Return the input without functions, types and model objects."""
        return msgspec.structs.replace(
            self,
            output=None,
            model=None,
            tools=(),
            stop_when=(),
            journal=None,
            unread_results=None,
        )

    def estimate_size(self) -> int:
        """Estimate the memory of the input's data and its context, in bytes."""
        data = msgspec.structs.replace(self.drop_code(), context={})
        return estimate_size(data) + estimate_context_size(self.context)

    @property
    def new_messages(self) -> tuple[Message, ...]:
        """The messages after the last answer, which are new in this run."""
        answers = [index for index, each in enumerate(self.messages) if each.role == "assistant"]
        return self.messages[answers[-1] + 1 :] if answers else self.messages

    @property
    def continued_id(self) -> str:
        """The id of the message that the run continues; empty if the run begins a new message."""
        last = self.messages[-1] if self.messages else None
        return last.id if last is not None and last.role in ("assistant", "tool") else ""

    @property
    def prompt(self) -> str:
        """The text of the last user message; empty if there is none."""
        texts = [message.text for message in self.messages if message.role == "user"]
        return texts[-1] if texts else ""


# What Mastra for TypeScript calls options that have another form here.
_OPTIONS = {
    "memory": 'thread="...", resource="..."',
    "structured_output": "output=... or output_schema=...",
    "tool_choice": 'settings={"tool_choice": ...}',
    "toolsets": "tools=[...]",
}


def _suggest_option(name: str) -> str:
    import difflib
    import re

    snake_case = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if snake_case in _OPTIONS:
        return f"Pass {_OPTIONS[snake_case]}."
    near = difflib.get_close_matches(snake_case, AgentInput.__struct_fields__, 1)
    return f"Did you mean {near[0]!r}?" if near else "AgentInput documents the options of a run."
