"""Convert tools to tools of pydantic-ai, and hold the state that they use."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pydantic_ai
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ExternalToolset, FunctionToolset

from mastra_core.agents.events import AgentEvent, ToolOutput, Usage
from mastra_core.agents.messages import AgentInput, ClientTool
from mastra_core.errors import InvalidInput
from mastra_core.schema import dump
from mastra_core.tools import Tool, ToolContext, ToolSuspension, as_tool

__all__ = ("RunState", "ToolOutputEvent", "build_toolsets", "to_native_tool")


@dataclasses.dataclass(kw_only=True)
class ToolOutputEvent(pydantic_ai.CustomEvent, name="mastra.tool-output", ui=False):
    """An output of a tool, as an event of pydantic-ai.

    :param output: JSON builtins, or an event of an agent.
    """

    output: Any


@dataclasses.dataclass
class RunState:
    """The state of one run that its tools can access.

    :param run_input: the input of the run.
    :param live: whether the events are read as they happen; else outputs are kept in ``outputs``.
    :param outputs: the outputs of tools so far.
    """

    run_input: AgentInput
    live: bool
    outputs: list[ToolOutput] = dataclasses.field(default_factory=list)

    async def write_output(self, context: pydantic_ai.RunContext[Any], value: Any) -> None:
        """Emit or keep an output of a tool.

        :param context: pydantic-ai's context of the tool call.
        :param value: any JSON-able value, or an event of an agent.
        """
        output = value if isinstance(value, AgentEvent) else dump(value)
        if self.live:
            await context.emit(ToolOutputEvent(output=output))
            return
        call, name = context.tool_call_id or "", context.tool_name or ""
        self.outputs.append(ToolOutput(id=call, name=name, output=output))


def to_native_tool(item: Tool, state: RunState | None = None) -> pydantic_ai.Tool[Any]:
    """Convert a tool to a tool of pydantic-ai.

    :param item: the tool.
    :param state: the state of the run; by default the dependency of the run.
    """

    async def call(context: pydantic_ai.RunContext[Any], **arguments: Any) -> Any:
        try:
            return await _execute(item, state or context.deps, context, arguments)
        except InvalidInput as error:
            raise pydantic_ai.ModelRetry(error.message) from None
        except ToolSuspension as suspension:
            raise pydantic_ai.ApprovalRequired({"suspended": suspension.payload}) from None

    return pydantic_ai.Tool.from_schema(
        call, item.id, item.description, item.input_schema, takes_ctx=True
    )


def build_toolsets(run_input: AgentInput, state: RunState) -> list[AbstractToolset[Any]]:
    """Build the toolsets for tools that belong to this run only.

    :param run_input: the input of the run.
    :param state: the state of the run.
    """
    toolsets: list[AbstractToolset[Any]] = []
    if run_input.tools:
        tools = [to_native_tool(as_tool(item), state) for item in run_input.tools]
        toolsets.append(FunctionToolset(tools))
    if run_input.client_tools:
        toolsets.append(ExternalToolset([_to_definition(tool) for tool in run_input.client_tools]))
    return toolsets


async def _execute(
    item: Tool,
    state: RunState,
    context: pydantic_ai.RunContext[Any],
    arguments: Mapping[str, Any],
) -> Any:
    values = item.parse_arguments(arguments)
    decision: Mapping[str, Any] = context.tool_call_metadata or {}
    approved = context.tool_call_approved and not decision.get("undecided")
    if not approved and (
        state.run_input.require_approval or await item.is_approval_required(values)
    ):
        raise pydantic_ai.ApprovalRequired
    return await item.call(
        values, _build_context(state, context, decision) if item.context_names else None
    )


def _build_context(
    state: RunState, context: pydantic_ai.RunContext[Any], decision: Mapping[str, Any]
) -> ToolContext:
    async def write(value: Any) -> None:
        await state.write_output(context, value)

    def count(usage: Usage) -> None:
        context.usage.input_tokens += usage.input_tokens
        context.usage.output_tokens += usage.output_tokens
        context.usage.cache_read_tokens += usage.cached_tokens

    run_input = state.run_input
    return ToolContext(
        request_context=run_input.context,
        run_id=run_input.run_id,
        call_id=context.tool_call_id or "",
        thread=run_input.thread,
        resource=run_input.resource,
        resume_data=decision.get("data"),
        writer=write,
        counter=count,
    )


def _to_definition(tool: ClientTool) -> ToolDefinition:
    schema = tool.input_schema or {"type": "object", "properties": {}}
    return ToolDefinition(
        name=tool.name, description=tool.description, parameters_json_schema=schema
    )
