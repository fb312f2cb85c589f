"""pydantic-ai underneath: raw agents adapted, the built-in ``Agent`` built.

Nothing here is imported before the first run, except to wrap an agent that a user made with
pydantic-ai and so has imported already.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pydantic_ai

from mastra_core.agents.events import AgentEvent, Start
from mastra_core.agents.function import failure
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, AgentOutput, collect
from mastra_core.agents.providers import variables_of
from mastra_core.agents.pydantic_ai_history import split_history
from mastra_core.agents.pydantic_ai_turns import Turns
from mastra_core.errors import InvalidInput
from mastra_core.schema import schema_of
from mastra_core.tools import Tool, ToolContext

if TYPE_CHECKING:
    from mastra_core.agents.agent import Agent

__all__ = ("PydanticAgent", "adapt", "build")


def adapt(agent: pydantic_ai.Agent[Any, Any]) -> PydanticAgent:
    """A user's own pydantic-ai agent as one of ours."""
    name = agent.name or ""  # without one it goes by its registration key
    return PydanticAgent(agent, id=name, name=name, description=str(agent.description or ""))


def build(agent: Agent) -> PydanticAgent:
    """The pydantic-ai agent that runs our built-in ``Agent``."""
    made: pydantic_ai.Agent[Any, Any] = pydantic_ai.Agent(
        agent.model,
        name=agent.id,
        output_type=_output_type(agent),
        instructions=agent.instructions or None,
        deps_type=ToolContext,
        model_settings=agent.settings or None,  # type: ignore[arg-type]  # a TypedDict filled by the user
        retries=agent.retries,
        tools=[_tool(item) for item in agent.tools],
        defer_model_check=True,
    )
    return PydanticAgent(
        made,
        id=agent.id,
        name=agent.name,
        description=agent.description,
        own=True,
    )


class PydanticAgent:
    """Runs a pydantic-ai agent and tells its events in ours.

    :param own: the agent was built here, so its dependencies are a ``ToolContext``.
    """

    def __init__(
        self,
        agent: pydantic_ai.Agent[Any, Any],
        *,
        id: str,
        name: str,
        description: str = "",
        own: bool = False,
    ) -> None:
        self._agent = agent
        self._own = own
        self.id = id
        self.name = name
        self.description = description

    def info(self) -> AgentInfo:
        """Model and provider, as far as the agent has one of its own."""
        model = self._agent.model
        if isinstance(model, str):
            provider, _, label = model.rpartition(":")
            return AgentInfo(provider=provider, model=label, variables=variables_of(provider))
        return AgentInfo(
            provider=getattr(model, "system", ""), model=getattr(model, "model_name", "")
        )

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end."""
        return await collect(self.stream(input))

    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run, giving the events as they happen."""
        info = self.info()
        yield Start(model=info.model, provider=info.provider)
        try:
            async with self._agent.run_stream_events(**self._arguments(input)) as run:
                turns = Turns(run)
                async for event in self._events(run, _instead(input)):
                    for told in turns.tell(event):
                        yield told
        except Exception as error:  # noqa: BLE001  # providers and tools may raise anything
            yield failure(error, self.id)

    async def _events(self, run: Any, instructions: str) -> AsyncIterator[Any]:
        """The events of ``run``, which begins with the first one.

        Its task copies the context it begins in, so an override need only be around that. Around
        a ``yield`` it would reach whoever reads the events.
        """
        override = self._agent.override(instructions=instructions)
        with override if instructions else contextlib.nullcontext():
            event = await anext(run, None)
        while event is not None:
            yield event
            event = await anext(run, None)

    def _arguments(self, wish: AgentInput) -> dict[str, Any]:
        prompt, history = split_history(wish)
        arguments: dict[str, Any] = {
            "user_prompt": prompt,
            "message_history": history,
        }
        if self._own:
            arguments["deps"] = ToolContext(request_context=wish.context, run_id=wish.run_id)
        if wish.extra_instructions and not wish.instructions:  # an override would replace them
            arguments["instructions"] = wish.extra_instructions
        if wish.settings:
            arguments["model_settings"] = wish.settings
        if wish.output_schema is not None:
            structured = pydantic_ai.StructuredDict(wish.output_schema, name="result")
            arguments["output_type"] = self._or_deferred(structured)
        if wish.max_steps is not None:
            arguments["usage_limits"] = pydantic_ai.UsageLimits(request_limit=wish.max_steps)
        return arguments

    def _or_deferred(self, type_: Any) -> Any:
        """``type_``, or the request for approval that the agent may end in as well."""
        deferred = pydantic_ai.DeferredToolRequests
        own = self._agent.output_type
        may = deferred in own if isinstance(own, list | tuple) else own is deferred
        return [type_, deferred] if may else type_


def _instead(wish: AgentInput) -> str:
    """What is used in place of the agent's own instructions; nothing where the caller has none."""
    extra = f"\n\n{wish.extra_instructions}" if wish.extra_instructions else ""
    return wish.instructions and wish.instructions + extra


def _output_type(agent: Agent) -> Any:
    plain = str if agent.output is None else agent.output
    if isinstance(plain, dict) or hasattr(plain, "__struct_fields__"):  # unknown to pydantic
        name = getattr(plain, "__name__", "result")
        plain = pydantic_ai.StructuredDict(schema_of(plain), name=name)
    approvals = any(item.requires_approval for item in agent.tools)
    return [plain, pydantic_ai.DeferredToolRequests] if approvals else plain


def _tool(item: Tool) -> Any:
    async def call(context: pydantic_ai.RunContext[ToolContext], **arguments: Any) -> Any:
        try:
            return await item.execute(arguments, context.deps)
        except InvalidInput as error:
            raise pydantic_ai.ModelRetry(error.message) from None

    made: pydantic_ai.Tool[ToolContext] = pydantic_ai.Tool.from_schema(
        call, item.id, item.description, item.input_schema, takes_ctx=True
    )
    made.requires_approval = item.requires_approval
    return made
