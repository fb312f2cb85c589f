"""What a caller may ask of one agent run."""

from __future__ import annotations

import re
import uuid
from typing import Any

import msgspec
from litestar import Request

from mastra_core.agents import AgentInput
from mastra_server.body import read
from mastra_server.context import confined, context_of
from mastra_server.messages import messages_of

__all__ = ("AgentBody", "agent_input")

_CAPITAL = re.compile(r"(?=[A-Z])")
_RENAMED = {"max_output_tokens": "max_tokens"}


class _Structured(msgspec.Struct):
    schema: dict[str, Any] | None = None


class _Memory(msgspec.Struct):
    thread: str | dict[str, Any] = ""
    resource: str = ""


class AgentBody(msgspec.Struct, rename="camel"):
    """What is asked of an agent."""

    messages: str | dict[str, Any] | list[Any]
    structured_output: _Structured | None = None
    output: dict[str, Any] | None = None
    memory: _Memory | None = None
    thread_id: str | None = None
    resource_id: str | None = None
    instructions: str | dict[str, Any] | list[str | dict[str, Any]] | None = None
    max_steps: int | None = None
    model_settings: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    run_id: str | None = None


async def agent_input(request: Request[Any, Any, Any]) -> AgentInput:
    """The run that the request's body asks for; it always has a run id.

    :raises InvalidBody: for a body that is not one.
    """
    body = await read(request, AgentBody)
    memory = body.memory or _Memory(body.thread_id or "", body.resource_id or "")
    thread = memory.thread if isinstance(memory.thread, str) else str(memory.thread.get("id", ""))
    return AgentInput(
        messages=messages_of(body.messages),
        output_schema=body.structured_output.schema if body.structured_output else body.output,
        instructions=_instructions(body.instructions),
        max_steps=body.max_steps,
        settings=_settings(body.model_settings or {}),
        context=context_of(request, body.request_context),
        thread=thread,
        resource=confined(request, memory.resource),
        run_id=body.run_id or str(uuid.uuid4()),
    )


def _instructions(value: Any) -> str:
    if not value or isinstance(value, str):
        return value or ""
    items = value if isinstance(value, list) else [{"role": "system", **value}]
    systems = [item if isinstance(item, str) else {"role": "system", **item} for item in items]
    return "\n\n".join(message.text for message in messages_of(systems))


def _settings(camel: dict[str, Any]) -> dict[str, Any]:
    snake = {_CAPITAL.sub("_", key).lower(): value for key, value in camel.items()}
    return {_RENAMED.get(key, key): value for key, value in snake.items() if value is not None}
