"""Agents, tools and workflows as the lists and details of the API show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_core import Tool, Workflow
from mastra_core.agents import AgentInfo, AgentLike
from mastra_core.memory import memory_of
from mastra_core.workflows import Step
from mastra_server.http.responses import encode

__all__ = ("agent_details", "tool_details", "workflow_details")

_COMPONENTS = {"agent": "AGENT", "tool": "TOOL", "workflow": "WORKFLOW"}


def agent_details(agent: AgentLike, *, partial: bool = False) -> dict[str, Any]:
    """What can be said of an agent without running it.

    :param partial: leave the schemas of its tools out.
    """
    info = agent.info()
    tools = {tool.id: tool_details(tool, partial=partial) for tool in info.tools}
    return {
        "name": agent.name,
        "description": agent.description,
        "instructions": info.instructions,
        "tools": tools,
        "agents": {key: {"id": each.id, "name": each.name} for key, each in _asked(info)},
        "workflows": {},
        "skills": [],
        "workspaceTools": [],
        "browserTools": [],
        "hasBrowser": False,
        "inputProcessors": [],
        "outputProcessors": [],
        "provider": info.provider,
        "modelId": info.model,
        "modelVersion": "",
        "supportsMemory": memory_of(agent) is not None,
        "defaultOptions": {},
        "defaultGenerateOptionsLegacy": {},
        "defaultStreamOptionsLegacy": {},
        "source": "code",
    }


def _asked(info: AgentInfo) -> Iterable[tuple[str, AgentLike]]:
    # An agent of another framework may answer with less than an AgentInfo.
    return dict(getattr(info, "agents", {})).items()


def tool_details(tool: Tool, *, partial: bool = False) -> dict[str, Any]:
    """What there is to say of a tool."""
    details: dict[str, Any] = {"id": tool.id, "description": tool.description}
    if not partial:
        details |= _schemas({"inputSchema": tool.input_schema, "outputSchema": tool.output_schema})
    return {**details, "requireApproval": bool(tool.requires_approval)}


def workflow_details(workflow: Workflow, *, partial: bool = False) -> dict[str, Any]:
    """What there is to say of a workflow.

    :param partial: how many steps it has, instead of the steps.
    """
    steps = {} if partial else {item.id: _step_details(item) for item in workflow.steps()}
    details: dict[str, Any] = {
        "name": workflow.id,
        **({"description": workflow.description} if workflow.description else {}),
        "origin": "code",
        "steps": steps,
        "allSteps": {} if partial else _all_steps(workflow),
        "stepGraph": workflow.graph(),
        "options": {"validateInputs": True, "emitStepEvents": True},
        "isProcessorWorkflow": False,
    }
    if partial:
        return {**details, "stepCount": sum(1 for _ in workflow.steps())}
    schemas = {
        "inputSchema": workflow.input_schema,
        "outputSchema": workflow.output_schema,
        "stateSchema": workflow.state_schema,
    }
    return details | _schemas(schemas)


def _all_steps(workflow: Workflow, prefix: str = "") -> dict[str, Any]:
    """Steps by path, those of nested workflows too."""
    steps: dict[str, Any] = {}
    for item in workflow.steps():
        steps[prefix + item.id] = {**_step_details(item), "isWorkflow": item.kind == "workflow"}
        if item.workflow is not None:
            steps |= _all_steps(item.workflow, f"{prefix}{item.id}.")
    return steps


def _step_details(item: Step[Any, Any]) -> dict[str, Any]:
    schemas = {
        f"{what}Schema": item.schema(what) for what in ("input", "output", "resume", "suspend")
    }
    details = {"id": item.id, **_schemas(schemas)}
    if item.kind in _COMPONENTS:
        details["component"] = _COMPONENTS[item.kind]
    return {**details, "description": item.description} if item.description else details


def _schemas(schemas: dict[str, dict[str, Any] | None]) -> dict[str, str]:
    """Schemas travel as text: JSON in the envelope of superjson; an unknown one is left out."""
    return {
        name: encode({"json": schema}).decode()
        for name, schema in schemas.items()
        if schema is not None
    }
