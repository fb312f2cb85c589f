"""What one run does otherwise: the agent and its settings, as the caller wishes them."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping
from typing import Any

import agents

from mastra_core.agents.messages import AgentInput, ClientTool
from mastra_core.errors import InvalidInput
from mastra_core.schema import dump, schema_of
from mastra_core.tools import Tool, ToolContext, as_tool

__all__ = ("build_run_config", "override_agent")


def override_agent(agent: Any, run_input: AgentInput) -> Any:
    """``agent`` as this run wants it."""
    changes: dict[str, Any] = {}
    tools = [*agent.tools, *(_function_tool(as_tool(each)) for each in run_input.tools)]
    if run_input.active_tools is not None:
        tools = [each for each in tools if each.name in run_input.active_tools]
    if run_input.require_approval:
        tools = [_asking(each) for each in tools]
    tools += [_client_tool(each) for each in run_input.client_tools]
    if tools != agent.tools:
        changes["tools"] = tools
    if run_input.instructions or run_input.extra_instructions:
        changes["instructions"] = _instructions(agent, run_input)
    if run_input.output is not None or run_input.output_schema is not None:
        changes["output_type"] = _output(run_input)
    return agent.clone(**changes) if changes else agent


def build_run_config(run_input: AgentInput) -> Any:
    """Model and settings of this run."""
    settings = agents.ModelSettings(**_settings(run_input)) if run_input.settings else None
    model = run_input.model
    if isinstance(model, str):  # the SDK writes provider/model, and OpenAI's without provider
        model = model.removeprefix("openai:").replace(":", "/", 1)
    return agents.RunConfig(model=model, model_settings=settings)


def _settings(wish: AgentInput) -> dict[str, Any]:
    """The SDK knows one tool by its name, and asks for it in the first turn only."""
    choice = wish.settings.get("tool_choice")
    if not isinstance(choice, list | tuple):
        return wish.settings
    return {**wish.settings, "tool_choice": choice[0] if len(choice) == 1 else "required"}


def _instructions(agent: Any, wish: AgentInput) -> Any:
    extra, own = wish.extra_instructions, agent.instructions
    if wish.instructions or not callable(own):
        return "\n\n".join(filter(None, (wish.instructions or own, extra)))

    async def both(context: Any, running: Any) -> str:
        said = own(context, running)
        said = await said if inspect.isawaitable(said) else said
        return "\n\n".join(filter(None, (said, extra)))

    return both


def _function_tool(item: Tool) -> Any:
    async def invoke(context: Any, arguments: str) -> Any:
        given = context.context if isinstance(context.context, ToolContext) else None
        try:
            return await item.execute(json.loads(arguments or "{}"), given)
        except InvalidInput as error:
            return f"The arguments do not fit: {error.message}"  # the model may repair its call

    return agents.FunctionTool(
        name=item.id,
        description=item.description,
        params_json_schema=item.input_schema,
        on_invoke_tool=invoke,
        strict_json_schema=False,
        needs_approval=_approval(item),
    )


def _approval(item: Tool) -> Any:
    if not callable(item.requires_approval):
        return item.requires_approval

    async def asks(_: Any, arguments: dict[str, Any], __: str) -> bool:
        return await item.asks(item.check(arguments))

    return asks


def _client_tool(item: ClientTool) -> Any:
    """A tool that stops the run: whoever called it has it."""

    async def never(_: Any, __: str) -> str:
        return "The caller has not answered this call."

    return agents.FunctionTool(
        name=item.name,
        description=item.description,
        params_json_schema=item.input_schema or {"type": "object", "properties": {}},
        on_invoke_tool=never,
        strict_json_schema=False,
        needs_approval=True,
    )


def _asking(item: Any) -> Any:
    return (
        dataclasses.replace(item, needs_approval=True)
        if isinstance(item, agents.FunctionTool)
        else item
    )


def _output(wish: AgentInput) -> Any:
    known = wish.output is not None and not isinstance(wish.output, Mapping)
    if known and not hasattr(wish.output, "__struct_fields__"):  # those pydantic does not know
        return wish.output
    return _JsonSchema(wish.output_schema or schema_of(wish.output))


class _JsonSchema(agents.AgentOutputSchemaBase):
    """A structured answer of which there is a JSON Schema and no type."""

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
            raise agents.ModelBehaviorError("the answer is no JSON") from None
