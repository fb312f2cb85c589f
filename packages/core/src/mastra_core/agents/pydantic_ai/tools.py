"""Convert tools to tools of pydantic-ai."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pydantic_ai
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ExternalToolset, FunctionToolset

from mastra_core.agents.events import AgentEvent, Usage
from mastra_core.agents.messages import AgentInput, ClientTool
from mastra_core.agents.tool_calls import (
    ApprovalNeeded,
    ToolInvocation,
    describe_tool_error,
    invoke_tool,
)
from mastra_core.errors import InvalidInput
from mastra_core.schema import dump
from mastra_core.tools import Tool, ToolSuspension, as_tool

__all__ = ("ToolOutputEvent", "build_toolsets", "to_definition", "to_native_tool")


@dataclasses.dataclass(kw_only=True)
class ToolOutputEvent(pydantic_ai.CustomEvent, name="mastra.tool-output", ui=False):
    """An output of a tool, as an event of pydantic-ai.

    :param output: JSON builtins, or an event of an agent.
    """

    output: Any


def to_native_tool(item: Tool, run_input: AgentInput) -> pydantic_ai.Tool[Any]:
    """Convert a tool of one run to a tool of pydantic-ai.

    :param item: the tool.
    :param run_input: the input of the run.
    """

    async def call(context: pydantic_ai.RunContext[Any], **arguments: Any) -> Any:
        try:
            return await invoke_tool(item, arguments, _build_invocation(run_input, context))
        except ApprovalNeeded:
            raise pydantic_ai.ApprovalRequired from None
        except InvalidInput as error:
            raise pydantic_ai.ModelRetry(error.message) from None
        except ToolSuspension as suspension:
            raise pydantic_ai.ApprovalRequired({"suspended": suspension.payload}) from None
        except Exception as error:  # noqa: BLE001  # a tool may raise anything
            raise pydantic_ai.ToolFailed(describe_tool_error(error, item.id)) from None

    return pydantic_ai.Tool.from_schema(
        call, item.id, item.description, item.input_schema, takes_ctx=True
    )


def build_toolsets(run_input: AgentInput) -> list[AbstractToolset[Any]]:
    """Build the toolsets for tools that belong to this run only.

    :param run_input: the input of the run.
    """
    toolsets: list[AbstractToolset[Any]] = []
    if run_input.tools:
        tools = [to_native_tool(as_tool(item), run_input) for item in run_input.tools]
        toolsets.append(FunctionToolset(tools))
    if run_input.client_tools:
        toolsets.append(ExternalToolset([to_definition(tool) for tool in run_input.client_tools]))
    return toolsets


def to_definition(tool: ClientTool) -> ToolDefinition:
    """Convert a tool that the caller executes.

    :param tool: the tool.
    """
    schema = tool.input_schema or {"type": "object", "properties": {}}
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=schema,
        kind="external",
    )


def _build_invocation(
    run_input: AgentInput, context: pydantic_ai.RunContext[Any]
) -> ToolInvocation:
    decision: Mapping[str, Any] = context.tool_call_metadata or {}

    async def write(value: Any) -> None:
        output = value if isinstance(value, AgentEvent) else dump(value)
        await context.emit(ToolOutputEvent(output=output))

    def count(usage: Usage) -> None:
        context.usage.input_tokens += usage.input_tokens
        context.usage.output_tokens += usage.output_tokens
        context.usage.cache_read_tokens += usage.cached_tokens

    return ToolInvocation(
        run_input=run_input,
        call_id=context.tool_call_id or "",
        write=write,
        count=count,
        approved=bool(context.tool_call_approved and not decision.get("undecided")),
        resume_data=decision.get("data"),
    )
