"""Types of the keywords of ``Agent.generate`` and ``Agent.stream``, for type checkers only.

Nothing imports this module at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from mastra_core.agents.messages import ClientTool, Decision, Message, UsageLimits
from mastra_core.agents.stop_conditions import StopCondition

__all__ = ("RunOptions",)


class RunOptions(TypedDict, total=False):
    """The options of one run; ``AgentInput`` documents the fields."""

    messages: Sequence[Message]
    history: bytes
    decisions: dict[str, Decision]
    context: dict[str, Any]
    thread: str
    resource: str
    thread_title: str
    thread_metadata: dict[str, Any]
    last_messages: int | None
    read_only: bool
    run_id: str
    output_schema: dict[str, Any] | None
    output: Any
    fallback: Any
    model: Any
    instructions: str
    extra_instructions: str
    settings: dict[str, Any]
    tools: Sequence[Any]
    active_tools: Sequence[str] | None
    client_tools: Sequence[ClientTool]
    require_approval: bool
    max_steps: int | None
    stop_when: Sequence[StopCondition]
    timeout: float | None
    limits: UsageLimits | None
    caller: str
