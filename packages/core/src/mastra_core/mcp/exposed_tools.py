"""Offer the agents, workflows and tools of an application as MCP tools."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.telemetry.agent_span import record_agent_finish, start_agent_span
from mastra_core.errors import ConfigError, Conflict, InvalidInput
from mastra_core.random_id import generate_id
from mastra_core.tools import Tool, ToolContext
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    from mastra_core.mastra import Mastra

__all__ = ("ExposedTool", "McpCaller", "build_exposed_tools")

_MESSAGE = {
    "type": "object",
    "properties": {"message": {"type": "string", "description": "What to ask."}},
    "required": ["message"],
}


class McpCaller(msgspec.Struct, frozen=True, kw_only=True):
    """The MCP client that calls a tool of this server.

    :param context: the request context of the run that the tool call starts.
    :param resource: owner of the run that the tool call starts; empty if the caller is not
        restricted to a resource.
    :param thread: conversation of the run that the tool call starts; empty for none.
    :param name: the caller whose limits apply to that run; empty for the application itself, which
        has no limit.
    """

    context: dict[str, Any] = {}
    resource: str = ""
    thread: str = ""
    name: str = ""


class ExposedTool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool of the server.

    :param name: name of the tool.
    :param description: text that tells a model when to call the tool.
    :param input_schema: JSON Schema of the arguments, an object.
    :param call: a function that takes the arguments and the caller, and returns JSON builtins.
    :param output_schema: JSON Schema of the result, ``None`` if it is unknown.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    call: Callable[[dict[str, Any], McpCaller], Awaitable[Any]]
    output_schema: dict[str, Any] | None = None


def build_exposed_tools(mastra: Mastra) -> dict[str, ExposedTool]:
    """Build the MCP tools: agents as ``ask_KEY``, workflows as ``run_KEY``, tools by their keys.

    A tool that requires approval is left out, because no person could be asked.

    :param mastra: the application.
    :returns: the tools by name.
    :raises ConfigError: when two tools have the same name.
    """
    items = [
        *(_expose_agent(key, agent) for key, agent in mastra.agents.items()),
        *(_expose_workflow(mastra, key, workflow) for key, workflow in mastra.workflows.items()),
        *(
            _expose_tool(key, tool)
            for key, tool in mastra.tools.items()
            if not tool.requires_approval
        ),
    ]
    by_name: dict[str, ExposedTool] = {}
    for item in items:
        if item.name in by_name:
            raise ConfigError(
                f"Two tools of the MCP server have the name {item.name!r}.",
                "Register one of the tools, agents or workflows with another key: an agent becomes "
                "the tool ask_KEY, and a workflow becomes run_KEY.",
            )
        by_name[item.name] = item
    return by_name


def _expose_agent(key: str, agent: AgentLike) -> ExposedTool:
    return ExposedTool(
        name=f"ask_{key}",
        description=agent.description or f"Ask the agent {agent.name}.",
        input_schema=_MESSAGE,
        call=functools.partial(_ask_agent, agent),
    )


def _expose_workflow(mastra: Mastra, key: str, workflow: Workflow) -> ExposedTool:
    return ExposedTool(
        name=f"run_{key}",
        description=workflow.description or f"Run the workflow {workflow.id}.",
        input_schema=_to_object_schema(workflow.input_schema or {}),
        call=functools.partial(_run_workflow, mastra, workflow),
    )


def _expose_tool(key: str, tool: Tool) -> ExposedTool:
    return ExposedTool(
        name=key,
        description=tool.description,
        input_schema=tool.input_schema,
        call=functools.partial(_call_tool, tool),
        output_schema=tool.output_schema,
    )


async def _call_tool(tool: Tool, arguments: dict[str, Any], caller: McpCaller) -> Any:
    context = ToolContext(
        request_context=caller.context, resource=caller.resource, thread=caller.thread
    )
    return await tool.execute(arguments, context, check_approval=True)


async def _ask_agent(agent: AgentLike, arguments: dict[str, Any], caller: McpCaller) -> Any:
    message = arguments.get("message")
    if not isinstance(message, str):
        raise InvalidInput("The argument 'message' must be text.")
    run_input = AgentInput(
        messages=(Message.user(message),),
        context=caller.context,
        resource=caller.resource,
        thread=caller.thread,
        run_id=generate_id(),
        caller=caller.name,
    )
    with start_agent_span(agent, run_input) as span:
        output = await agent.generate(run_input)
        record_agent_finish(span, output.usage, output.reason)
    if output.waiting:
        raise Conflict(
            "The agent waits for a person's decision, and MCP cannot transmit a decision."
        )
    return output.text if output.object is None else output.object


async def _run_workflow(
    mastra: Mastra, workflow: Workflow, arguments: dict[str, Any], caller: McpCaller
) -> Any:
    value = arguments if _is_object(workflow.input_schema or {}) else arguments.get("input")
    engine = mastra.engine
    run = await engine.create(workflow, resource_id=caller.resource, caller=caller.name)
    await engine.start(run, value, caller.context)
    record = await run.wait()
    if record.status == "success":
        return record.result
    if record.error is not None:
        raise Conflict(f"The workflow failed: {record.error.message}")
    raise Conflict(f"The run {record.run_id!r} is {record.status}.")


def _is_object(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" or "$ref" in schema or "properties" in schema


def _to_object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an object schema, which MCP requires; wrap other schemas in the property ``input``."""
    if _is_object(schema):
        return {"type": "object", **schema}
    return {"type": "object", "properties": {"input": schema}, "required": ["input"]}
