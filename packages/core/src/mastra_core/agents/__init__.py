"""Agents: their protocol, their events, and the conversion of other objects to agents."""

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Failure,
    File,
    Finish,
    ReasoningDelta,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolOutput,
    ToolResult,
    ToolSuspended,
    Usage,
)
from mastra_core.agents.messages import (
    AgentInput,
    ClientTool,
    Decision,
    FilePart,
    Limits,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from mastra_core.agents.protocol import AgentInfo, AgentLike, AgentOutput, collect
from mastra_core.agents.stop_conditions import has_tool_call, step_count
from mastra_core.agents.suspended_runs import MemorySuspendedRuns, SuspendedRun, SuspendedRuns

__all__ = (
    "AgentEvent",
    "AgentInfo",
    "AgentInput",
    "AgentLike",
    "AgentOutput",
    "ApprovalRequired",
    "ClientTool",
    "Decision",
    "Failure",
    "File",
    "FilePart",
    "Finish",
    "Limits",
    "MemorySuspendedRuns",
    "Message",
    "ReasoningDelta",
    "Start",
    "StepFinish",
    "SuspendedRun",
    "SuspendedRuns",
    "TextDelta",
    "TextPart",
    "ToolCall",
    "ToolCallPart",
    "ToolOutput",
    "ToolResult",
    "ToolResultPart",
    "ToolSuspended",
    "Usage",
    "as_agent",
    "collect",
    "has_tool_call",
    "step_count",
)
