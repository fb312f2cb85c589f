"""The types of a pending tool call and of the outcome of a tool call."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, TypeAlias

from pydantic_ai.messages import ToolCallPart, ToolReturnPart

from mastra_core.agents.events import ApprovalRequired, ToolSuspended
from mastra_core.usage import Usage

__all__ = ("CallOutcome", "PendingCall", "UsageSink", "Waiting")

Waiting: TypeAlias = ApprovalRequired | ToolSuspended


@dataclasses.dataclass(frozen=True, kw_only=True)
class PendingCall:
    """A tool call without a result.

    :param part: the model's call.
    :param approved: whether a person has approved the call.
    :param resume_data: the data that a suspended tool waited for.
    """

    part: ToolCallPart
    approved: bool = False
    resume_data: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CallOutcome:
    """The outcome of a tool call: its result, or the event that says what the call waits for.

    :param part: the model's call.
    :param result: the result as a part of the next request; ``None`` for a call that waits.
    :param waiting: the event of a call that waits.
    """

    part: ToolCallPart
    result: ToolReturnPart | None = None
    waiting: Waiting | None = None


class UsageSink(Protocol):
    """Counts the tokens of a run."""

    def add(self, usage: Usage) -> None:
        """Add tokens.

        :param usage: the tokens.
        """
