"""Agents: the protocol, the events they give, and what may stand for one."""

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.agent import Agent
from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Failure,
    Finish,
    ReasoningDelta,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
)
from mastra_core.agents.messages import (
    AgentInput,
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from mastra_core.agents.protocol import AgentInfo, AgentLike, AgentOutput, collect

__all__ = (
    "Agent",
    "AgentEvent",
    "AgentInfo",
    "AgentInput",
    "AgentLike",
    "AgentOutput",
    "ApprovalRequired",
    "Failure",
    "FilePart",
    "Finish",
    "Message",
    "ReasoningDelta",
    "Start",
    "StepFinish",
    "TextDelta",
    "TextPart",
    "ToolCall",
    "ToolCallPart",
    "ToolResult",
    "ToolResultPart",
    "Usage",
    "as_agent",
    "collect",
)
