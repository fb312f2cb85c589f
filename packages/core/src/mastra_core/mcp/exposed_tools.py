"""What an application offers over the protocol, each as one tool."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.errors import ConfigError, Conflict, InvalidInput
from mastra_core.tools import Tool
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    from mastra_core.mastra import Mastra

__all__ = ("Offer", "offers_of")

_MESSAGE = {
    "type": "object",
    "properties": {"message": {"type": "string", "description": "What to ask."}},
    "required": ["message"],
}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One tool.

    :param call: takes the arguments, gives JSON builtins.
    :param output_schema: what it gives, where that is known.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    call: Callable[[dict[str, Any]], Awaitable[Any]]
    output_schema: dict[str, Any] | None = None


def offers_of(mastra: Mastra) -> dict[str, Offer]:
    """Agents as ``ask_KEY``, workflows as ``run_KEY`` and tools by their keys.

    A tool that a person must agree to is left out: nobody could be asked.

    :raises ConfigError: when two have one name.
    """
    offers = [
        *(_asking(key, agent) for key, agent in mastra.agents.items()),
        *(_running(mastra, key, workflow) for key, workflow in mastra.workflows.items()),
        *(_calling(key, tool) for key, tool in mastra.tools.items() if not tool.requires_approval),
    ]
    found: dict[str, Offer] = {}
    for offer in offers:
        if offer.name in found:
            raise ConfigError(
                f"Two things are called {offer.name!r} over MCP.",
                "An agent is ask_KEY, a workflow run_KEY: register the tool under another key.",
            )
        found[offer.name] = offer
    return found


def _asking(key: str, agent: AgentLike) -> Offer:
    return Offer(
        name=f"ask_{key}",
        description=agent.description or f"Ask the agent {agent.name}.",
        input_schema=_MESSAGE,
        call=functools.partial(_ask, agent),
    )


def _running(mastra: Mastra, key: str, workflow: Workflow) -> Offer:
    return Offer(
        name=f"run_{key}",
        description=workflow.description or f"Run the workflow {workflow.id}.",
        input_schema=_object(workflow.input_schema or {}),
        call=functools.partial(_run, mastra, workflow),
    )


def _calling(key: str, tool: Tool) -> Offer:
    return Offer(
        name=key,
        description=tool.description,
        input_schema=tool.input_schema,
        call=tool.execute,
        output_schema=tool.output_schema,
    )


async def _ask(agent: AgentLike, arguments: dict[str, Any]) -> Any:
    message = arguments.get("message")
    if not isinstance(message, str):
        raise InvalidInput("The argument 'message' is not text.")
    output = await agent.generate(AgentInput(messages=(Message.user(message),)))
    if output.waiting:
        raise Conflict("The agent waits for a person's decision, which cannot be given here.")
    return output.text if output.object is None else output.object


async def _run(mastra: Mastra, workflow: Workflow, arguments: dict[str, Any]) -> Any:
    value = arguments if _is_object(workflow.input_schema or {}) else arguments.get("input")
    run = await mastra.engine.create(workflow)
    await mastra.engine.start(run, value)
    record = await run.settled()
    if record.status == "success":
        return record.result
    if record.error is not None:
        raise Conflict(f"The workflow failed: {record.error.message}")
    raise Conflict(f"The run {record.run_id!r} is {record.status}.")


def _is_object(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" or "$ref" in schema or "properties" in schema


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    """The protocol wants an object at the root; anything else goes in as ``input``."""
    if _is_object(schema):
        return {"type": "object", **schema}
    return {"type": "object", "properties": {"input": schema}, "required": ["input"]}
