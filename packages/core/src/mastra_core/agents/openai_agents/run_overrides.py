"""Override an agent, its model and its settings with the options of one run."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping
from typing import Any

import agents

from mastra_core.agents.messages import AgentInput, ClientTool
from mastra_core.agents.openai_agents.convert_events import ErrorText
from mastra_core.agents.tool_calls import describe_tool_error
from mastra_core.errors import InvalidInput
from mastra_core.redaction import safe_message
from mastra_core.schema import dump, to_json_schema
from mastra_core.tools import Tool, ToolContext, as_tool

__all__ = ("build_run_config", "override_agent")


def override_agent(agent: Any, run_input: AgentInput) -> Any:
    """Return a copy of an agent with the options of one run.

    :param agent: the SDK's agent.
    :param run_input: the input of the run.
    :returns: the agent; the same object if the run changes nothing.
    """
    changes: dict[str, Any] = {}
    tools = [*agent.tools, *(_to_function_tool(as_tool(each)) for each in run_input.tools)]
    if run_input.active_tools is not None:
        tools = [each for each in tools if each.name in run_input.active_tools]
    if run_input.require_approval:
        tools = [_require_approval(each) for each in tools]
    tools += [_to_client_tool(each) for each in run_input.client_tools]
    if tools != agent.tools:
        changes["tools"] = tools
    if run_input.instructions or run_input.extra_instructions:
        changes["instructions"] = _build_instructions(agent, run_input)
    if run_input.output is not None or run_input.output_schema is not None:
        changes["output_type"] = _build_output_type(run_input)
    return agent.clone(**changes) if changes else agent


def build_run_config(run_input: AgentInput) -> Any:
    """Build the SDK's run configuration: the model and its settings.

    :param run_input: the input of the run.
    """
    settings = agents.ModelSettings(**_convert_settings(run_input)) if run_input.settings else None
    model = run_input.model
    if isinstance(model, str):  # the SDK writes provider/model, and OpenAI's without a provider
        model = model.removeprefix("openai:").replace(":", "/", 1)
    return agents.RunConfig(model=model, model_settings=settings)


def _convert_settings(run_input: AgentInput) -> dict[str, Any]:
    """Convert ``tool_choice``; the SDK can force one named tool, in the first turn only."""
    choice = run_input.settings.get("tool_choice")
    if not isinstance(choice, list | tuple):
        return run_input.settings
    return {**run_input.settings, "tool_choice": choice[0] if len(choice) == 1 else "required"}


def _build_instructions(agent: Any, run_input: AgentInput) -> Any:
    extra, own = run_input.extra_instructions, agent.instructions
    if run_input.instructions or not callable(own):
        return "\n\n".join(filter(None, (run_input.instructions or own, extra)))

    async def append_extra(context: Any, running: Any) -> str:
        text = own(context, running)
        text = await text if inspect.isawaitable(text) else text
        return "\n\n".join(filter(None, (text, extra)))

    return append_extra


def _to_function_tool(item: Tool) -> Any:
    async def invoke(context: Any, arguments: str) -> Any:
        tool_context = context.context if isinstance(context.context, ToolContext) else None
        try:
            values = item.parse_arguments(json.loads(arguments or "{}"))
        except (InvalidInput, ValueError) as error:
            # The model may try again.
            return ErrorText(f"The arguments are invalid: {safe_message(error)}")
        try:
            return await item.call(values, tool_context)
        except Exception as error:  # noqa: BLE001  # a tool may raise anything
            return ErrorText(describe_tool_error(error, item.id))

    return agents.FunctionTool(
        name=item.id,
        description=item.description,
        params_json_schema=item.input_schema,
        on_invoke_tool=invoke,
        strict_json_schema=False,
        needs_approval=_build_approval(item),
    )


def _build_approval(item: Tool) -> Any:
    if not callable(item.requires_approval):
        return item.requires_approval

    async def needs_approval(_: Any, arguments: dict[str, Any], __: str) -> bool:
        try:
            values = item.parse_arguments(arguments)
        except InvalidInput:
            return False  # the call is not executed, and the model gets the error
        return await item.is_approval_required(values)

    return needs_approval


def _to_client_tool(item: ClientTool) -> Any:
    """Convert a client tool to a function tool; a call of the tool ends the run."""

    async def report_unanswered(_: Any, __: str) -> str:
        return "The caller has not sent a result for this call."

    return agents.FunctionTool(
        name=item.name,
        description=item.description,
        params_json_schema=item.input_schema or {"type": "object", "properties": {}},
        on_invoke_tool=report_unanswered,
        strict_json_schema=False,
        needs_approval=True,
    )


def _require_approval(item: Any) -> Any:
    return (
        dataclasses.replace(item, needs_approval=True)
        if isinstance(item, agents.FunctionTool)
        else item
    )


def _build_output_type(run_input: AgentInput) -> Any:
    is_type = run_input.output is not None and not isinstance(run_input.output, Mapping)
    # pydantic, and so the SDK, does not know msgspec's structs.
    if is_type and not hasattr(run_input.output, "__struct_fields__"):
        return run_input.output
    return _JsonSchema(run_input.output_schema or to_json_schema(run_input.output))


class _JsonSchema(agents.AgentOutputSchemaBase):
    """A JSON Schema as the type of the structured answer."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def is_plain_text(self) -> bool:
        return False

    def name(self) -> str:
        return "result"

    def json_schema(self) -> dict[str, Any]:
        return self._schema

    def is_strict_json_schema(self) -> bool:
        return False

    def validate_json(self, json_str: str) -> Any:
        try:
            return dump(json.loads(json_str))
        except ValueError:
            raise agents.ModelBehaviorError("the answer is not JSON") from None
