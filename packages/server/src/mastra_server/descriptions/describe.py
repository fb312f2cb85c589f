"""Describe agents, tools and workflows in the form in which the API lists and shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core import Tool, Workflow
from mastra_core.agents import AgentLike
from mastra_core.agents.protocol import FrameworkTool
from mastra_core.agents.wrappers.capabilities import Capabilities, list_described_tools
from mastra_core.memory import get_memory
from mastra_core.schema import encode_json
from mastra_core.workflows import Step
from mastra_core.workflows.model.definition import WorkflowDefinition
from mastra_server.descriptions.inline_references import inline_references

__all__ = ("describe_agent", "describe_tool", "describe_workflow")

_COMPONENTS = {"agent": "AGENT", "tool": "TOOL", "workflow": "WORKFLOW"}


def describe_agent(agent: AgentLike, *, partial: bool = False) -> dict[str, Any]:
    """Describe an agent without running it.

    :param agent: the agent.
    :param partial: whether to leave out the schemas of the agent's tools.
    :returns: the agent as the API returns it.
    """
    info, capabilities = agent.info(), Capabilities(agent)
    tools = {tool.id: describe_tool(tool, partial=partial) for tool in list_described_tools(agent)}
    return {
        "name": agent.name,
        "description": agent.description,
        "instructions": info.instructions,
        "tools": tools,
        # The adapter of another framework may return an object without these attributes.
        "agents": _describe_subagents(getattr(info, "agents", {})),
        "workflows": _describe_agent_workflows(getattr(info, "workflows", {})),
        "skills": [],
        "workspaceTools": [],
        "browserTools": [],
        "hasBrowser": False,
        "inputProcessors": _list_processors(capabilities.input_processors),
        "outputProcessors": _list_processors(capabilities.output_processors),
        "provider": info.provider,
        "modelId": info.model,
        "modelVersion": "",
        "supportsMemory": get_memory(agent) is not None,
        "defaultOptions": {},
        "defaultGenerateOptionsLegacy": {},
        "defaultStreamOptionsLegacy": {},
        "source": "code",
    }


def _describe_subagents(agents: Mapping[str, AgentLike]) -> dict[str, Any]:
    return {key: {"id": agent.id, "name": agent.name} for key, agent in agents.items()}


def _list_processors(processors: Sequence[Any]) -> list[dict[str, str]]:
    names = [getattr(each, "__name__", type(each).__name__) for each in processors]
    return [{"id": name, "name": name} for name in names]


def _describe_agent_workflows(workflows: Mapping[str, Workflow]) -> dict[str, Any]:
    return {
        key: {
            "name": workflow.id,
            "steps": {step_.id: {"id": step_.id} for step_ in workflow.iter_steps()},
        }
        for key, workflow in workflows.items()
    }


def describe_tool(tool: Tool | FrameworkTool, *, partial: bool = False) -> dict[str, Any]:
    """Describe a tool.

    :param tool: the tool.
    :param partial: whether to leave out the tool's schemas.
    :returns: the tool as the API returns it.
    """
    details: dict[str, Any] = {"id": tool.id, "description": tool.description}
    if not partial:
        details |= _encode_schemas(
            {"inputSchema": tool.input_schema, "outputSchema": tool.output_schema}
        )
    return {**details, "requireApproval": bool(tool.requires_approval)}


def describe_workflow(workflow: Workflow, *, partial: bool = False) -> dict[str, Any]:
    """Describe a workflow.

    :param workflow: the workflow.
    :param partial: whether to return only the number of the workflow's steps, and no schemas.
    :returns: the workflow as the API returns it.
    """
    steps = {} if partial else {step_.id: _describe_step(step_) for step_ in workflow.iter_steps()}
    details: dict[str, Any] = {
        "name": workflow.id,
        **({"description": workflow.description} if workflow.description else {}),
        "origin": "code",
        "steps": steps,
        "allSteps": {} if partial else _describe_all_steps(workflow),
        "stepGraph": workflow.build_graph(),
        "options": {"validateInputs": True, "emitStepEvents": True},
        "isProcessorWorkflow": False,
    }
    if partial:
        return {**details, "stepCount": sum(1 for _ in workflow.iter_steps())}
    schemas = {
        "inputSchema": workflow.input_schema,
        "outputSchema": workflow.output_schema,
        "stateSchema": workflow.state_schema,
    }
    return details | _encode_schemas(schemas)


def _describe_all_steps(workflow: WorkflowDefinition, prefix: str = "") -> dict[str, Any]:
    """Return all steps by path, including the steps of nested workflows."""
    steps: dict[str, Any] = {}
    for step_ in workflow.iter_steps():
        steps[prefix + step_.id] = {**_describe_step(step_), "isWorkflow": step_.kind == "workflow"}
        if step_.workflow is not None:
            steps |= _describe_all_steps(step_.workflow, f"{prefix}{step_.id}.")
    return steps


def _describe_step(step_: Step[Any, Any]) -> dict[str, Any]:
    schemas = {
        f"{kind}Schema": step_.get_schema(kind) for kind in ("input", "output", "resume", "suspend")
    }
    details = {"id": step_.id, **_encode_schemas(schemas)}
    if step_.kind in _COMPONENTS:
        details["component"] = _COMPONENTS[step_.kind]
    return {**details, "description": step_.description} if step_.description else details


def _encode_schemas(schemas: dict[str, dict[str, Any] | None]) -> dict[str, str]:
    """Encode schemas as text in the form of the API, and leave out missing schemas.

    The text is JSON in the envelope of superjson, without references.
    """
    return {
        name: encode_json({"json": inline_references(schema)}).decode()
        for name, schema in schemas.items()
        if schema is not None
    }
