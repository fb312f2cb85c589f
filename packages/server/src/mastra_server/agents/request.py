"""Read the body of a request that runs an agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request

from mastra_core.agents import AgentInput, ClientTool
from mastra_core.random_id import generate_id
from mastra_server.agents.input_messages import parse_messages
from mastra_server.agents.model_settings import read_model_settings
from mastra_server.http.callers import identify_caller
from mastra_server.http.json_schemas import check_schema
from mastra_server.http.request_body import (
    MAX_ITEMS,
    InvalidBody,
    MaybeId,
    OptionalId,
    check_metadata,
    read_body,
)
from mastra_server.http.request_context import (
    build_context,
    restrict_to_resource,
    restrict_to_thread,
)

__all__ = ("AgentBody", "build_run_input", "read_run_input")

_Items = Annotated[list[Any], msgspec.Meta(max_length=MAX_ITEMS)]
_Texts = Annotated[list[str | dict[str, Any]], msgspec.Meta(max_length=MAX_ITEMS)]
_Names = Annotated[list[str], msgspec.Meta(max_length=MAX_ITEMS)]
MAX_CLIENT_TOOLS = 200
_Empty = Annotated[dict[str, Any], msgspec.Meta(max_length=0)]


class _Structured(msgspec.Struct, rename="camel"):
    schema: dict[str, Any] | None = None
    error_strategy: Literal["strict", "warn", "fallback"] = "strict"
    fallback_value: Any = None

    @property
    def fallback(self) -> Any:
        """The value to return when the model's output does not match the schema."""
        if self.error_strategy == "strict":
            return msgspec.UNSET
        return self.fallback_value if self.error_strategy == "fallback" else None


class _BodyThread(msgspec.Struct):
    id: OptionalId
    title: str = ""
    metadata: dict[str, Any] = {}


class _Recall(msgspec.Struct, rename="camel"):
    last_messages: Annotated[int, msgspec.Meta(ge=0, le=1000)] | bool | None = None
    read_only: bool = False


class _Memory(msgspec.Struct, rename="camel"):
    thread: OptionalId | _BodyThread = ""
    resource: OptionalId = ""
    read_only: bool = False
    options: _Recall = msgspec.field(default_factory=_Recall)

    def to_input_fields(self) -> dict[str, Any]:
        """Return the memory options as arguments of ``AgentInput``.

        :raises InvalidBody: when the metadata of the thread is too large.
        """
        thread = _BodyThread(self.thread) if isinstance(self.thread, str) else self.thread
        check_metadata(thread.metadata, "memory.thread.metadata")
        last = self.options.last_messages
        return {
            "thread": thread.id,
            "thread_title": thread.title,
            "thread_metadata": thread.metadata,
            "last_messages": None if last is None or last is True else int(last),
            "read_only": self.read_only or self.options.read_only,
        }


class _Client(msgspec.Struct, rename="camel"):
    description: str = ""
    input_schema: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None


_ClientTools = Annotated[dict[str, _Client], msgspec.Meta(max_length=MAX_CLIENT_TOOLS)]


class _Choice(msgspec.Struct, rename="camel"):
    tool_name: str


class AgentBody(msgspec.Struct, rename="camel"):
    """The input and the options of an agent run.

    Only the application's code chooses the model, the options of its provider and the server's
    tools, so ``model``, ``provider_options`` and ``toolsets`` must be empty.
    """

    messages: str | dict[str, Any] | _Items
    context: _Items = []
    structured_output: _Structured | None = None
    output: dict[str, Any] | None = None
    memory: _Memory | None = None
    thread_id: MaybeId = None
    resource_id: MaybeId = None
    instructions: str | dict[str, Any] | _Texts | None = None
    system: str | dict[str, Any] | _Texts | None = None
    max_steps: Annotated[int, msgspec.Meta(ge=1)] | None = None
    model_settings: dict[str, Any] | None = None
    model: None = None
    provider_options: _Empty | None = None
    toolsets: _Empty | None = None
    client_tools: _ClientTools | None = None
    active_tools: _Names | None = None
    tool_choice: Literal["auto", "none", "required"] | _Choice | None = None
    require_tool_approval: bool = False
    request_context: dict[str, Any] | None = None
    run_id: MaybeId = None


async def read_run_input(request: Request[Any, Any, Any]) -> AgentInput:
    """Read the input of a run from a request's body; add a run id if there is none.

    :param request: the request.
    :returns: the input.
    :raises InvalidBody: for an invalid body.
    """
    return build_run_input(request, await read_body(request, AgentBody))


def build_run_input(request: Request[Any, Any, Any], body: AgentBody) -> AgentInput:
    """Build the input of a run from ``body``; add a run id if there is none.

    :param request: the request, for its context and the caller's resource.
    :param body: the decoded body.
    :returns: the input.
    :raises InvalidBody: for invalid messages.
    """
    run_id = body.run_id or generate_id()
    if not run_id.isprintable():  # the event ids of a stream contain the id
        raise InvalidBody("runId", "Expected printable characters")
    memory = body.memory or _Memory(body.thread_id or "", body.resource_id or "")
    memory_fields = memory.to_input_fields()
    structured = body.structured_output or _Structured()
    output_schema = structured.schema or body.output
    check_schema(output_schema, "structuredOutput.schema" if structured.schema else "output")
    context_messages = parse_messages(body.context, "context") if body.context else ()
    return AgentInput(
        messages=(*context_messages, *parse_messages(body.messages)),
        output_schema=output_schema,
        fallback=structured.fallback,
        instructions=_join_instructions(body.instructions, "instructions"),
        extra_instructions=_join_instructions(body.system, "system"),
        max_steps=body.max_steps,
        settings=_build_settings(request, body),
        client_tools=tuple(_iter_client_tools(body.client_tools or {})),
        active_tools=None if body.active_tools is None else tuple(body.active_tools),
        require_approval=body.require_tool_approval,
        context=build_context(request, body.request_context),
        resource=restrict_to_resource(request, memory.resource),
        **memory_fields | {"thread": restrict_to_thread(request, memory_fields["thread"])},
        run_id=run_id,
        caller=identify_caller(request.scope),
    )


def _iter_client_tools(tools: dict[str, _Client]) -> Iterator[ClientTool]:
    for name, tool in tools.items():
        schema = tool.input_schema or tool.parameters or {}
        check_schema(schema, f"clientTools.{name}.inputSchema")
        yield ClientTool(name=name, description=tool.description, input_schema=schema)


def _join_instructions(value: Any, where: str) -> str:
    """Return the text of instructions: a text, a message, or a list of texts and messages."""
    if not value or isinstance(value, str):
        return value or ""
    if isinstance(value, dict):
        systems: Any = {"role": "system", **value}
    else:
        systems = [item if isinstance(item, str) else {"role": "system", **item} for item in value]
    return "\n\n".join(message.text for message in parse_messages(systems, where))


def _build_settings(request: Request[Any, Any, Any], body: AgentBody) -> dict[str, Any]:
    extra_names = request.app.state.mastra.server.model_settings
    settings = read_model_settings(body.model_settings, extra_names)
    choice = body.tool_choice
    if choice is not None:
        settings["tool_choice"] = choice if isinstance(choice, str) else [choice.tool_name]
    return settings
