"""Describe agents, tools and workflows in the form in which the API lists and shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_core import Tool, Workflow
from mastra_core.agents import AgentInfo, AgentLike
from mastra_core.agents.protocol import FrameworkTool, list_described_tools
from mastra_core.memory import get_memory
from mastra_core.schema import encode_json
from mastra_core.workflows import Step
from mastra_core.workflows.model.definition import WorkflowDefinition
from mastra_server.schemas.inline_references import inline_references

__all__ = ("describe_agent", "describe_tool", "describe_workflow")

_COMPONENTS = {"agent": "AGENT", "tool": "TOOL", "workflow": "WORKFLOW"}


def describe_agent(agent: AgentLike, *, partial: bool = False) -> dict[str, Any]:
    """Describe an agent without running it.

    :param agent: the agent.
    :param partial: whether to leave out the schemas of the agent's tools.
    :returns: the agent as the API returns it.
    """
    info = agent.info()
    tools = {tool.id: describe_tool(tool, partial=partial) for tool in list_described_tools(agent)}
    return {
        "name": agent.name,
        "description": agent.description,
        "instructions": info.instructions,
        "tools": tools,
        "agents": {key: {"id": each.id, "name": each.name} for key, each in _iter_subagents(info)},
        "workflows": {key: _describe_agent_workflow(each) for key, each in _iter_workflows(info)},
        "skills": [],
        "workspaceTools": [],
        "browserTools": [],
        "hasBrowser": False,
        "inputProcessors": _list_processors(agent, "input_processors"),
        "outputProcessors": _list_processors(agent, "output_processors"),
        "provider": info.provider,
        "modelId": info.model,
        "modelVersion": "",
        "supportsMemory": get_memory(agent) is not None,
        "defaultOptions": {},
        "defaultGenerateOptionsLegacy": {},
        "defaultStreamOptionsLegacy": {},
        "source": "code",
    }


def _iter_subagents(info: AgentInfo) -> Iterable[tuple[str, AgentLike]]:
    # The adapter of another framework may return an object without this attribute.
    return dict(getattr(info, "agents", {})).items()


def _iter_workflows(info: AgentInfo) -> Iterable[tuple[str, Workflow]]:
    return dict(getattr(info, "workflows", {})).items()


def _list_processors(agent: AgentLike, name: str) -> list[dict[str, str]]:
    processors = []
    for processor in getattr(agent, name, ()):  # only the built-in agent has processors
        title = getattr(processor, "__name__", type(processor).__name__)
        processors.append({"id": title, "name": title})
    return processors


def _describe_agent_workflow(workflow: Workflow) -> dict[str, Any]:
    return {
        "name": workflow.id,
        "steps": {each.id: {"id": each.id} for each in workflow.iter_steps()},
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
