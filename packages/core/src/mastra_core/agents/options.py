"""The fields of ``AgentInput`` as keywords, for type checkers.

Nothing imports this module at run time, so it costs an application nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from mastra_core.agents.messages import ClientTool, Decision, Limits, Message
from mastra_core.agents.stop_conditions import StopCondition

__all__ = ("RunOptions",)


class RunOptions(TypedDict, total=False):
    """What one run wants otherwise than its agent says; ``AgentInput`` explains each field."""

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
    limits: Limits | None
