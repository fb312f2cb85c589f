"""Create a step that calls a tool."""

from __future__ import annotations

from typing import Any

from mastra_core.agents.messages import Decision
from mastra_core.errors import Forbidden
from mastra_core.tools import Tool, ToolContext, ToolSuspension
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.step_context import StepContext
from mastra_core.workflows.model.suspend_calls import calls_suspend

__all__ = ("create_tool_step", "may_suspend")


def create_tool_step(tool: Tool) -> Step[Any, Any]:
    """Create a step that calls ``tool``, and that suspends while the tool needs approval or data.

    :param tool: the tool.
    """

    async def call_tool(value: Any, context: StepContext) -> Any:
        decision: Decision = context.resume_data or Decision()
        values = tool.parse_arguments(value if decision.arguments is None else decision.arguments)
        if context.resume_data is None and await tool.is_approval_required(values):
            context.suspend({"tool": tool.id, "arguments": value})
        if not decision.approved:
            raise Forbidden(f"The tool {tool.id!r} was declined: {decision.reason or 'no reason'}")
        try:
            return await tool.call(values, _build_context(context, decision))
        except ToolSuspension as suspension:
            context.suspend(suspension.payload)

    return Step(
        id=tool.id,
        description=tool.description,
        call=Function(function=call_tool, input_name="value", context_name="context", awaits=True),
        input=tool.input,
        output=tool.output,
        resume=Decision if tool.requires_approval or tool.context_names else None,
        kind="tool",
        source_id=tool.id,
        suspends=may_suspend(tool),
    )


def may_suspend(tool: Tool) -> bool:
    """Return whether calls of a tool wait for approval or for data.

    :param tool: the tool.
    """
    has_context = bool(tool.context_names)
    return bool(tool.requires_approval) or (has_context and calls_suspend(tool.function))


def _build_context(context: StepContext, decision: Decision) -> ToolContext:
    return ToolContext(
        request_context=context.request_context,
        run_id=context.run_id,
        call_id=context.path,
        resource=context.resource,
        resume_data=decision.data,
        writer=context.write,
    )
