"""pydantic-ai underneath: raw agents adapted, the built-in ``Agent`` built.

Nothing here is imported before the first run, except to wrap an agent that a user made with
pydantic-ai and so has imported already.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pydantic_ai
from pydantic_ai import messages as native

from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Finish,
    ReasoningDelta,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
)
from mastra_core.agents.function import failure
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, AgentOutput, collect
from mastra_core.agents.pydantic_ai_history import split_history
from mastra_core.errors import InvalidInput
from mastra_core.schema import dump, schema_of
from mastra_core.tools import Tool, ToolContext

if TYPE_CHECKING:
    from mastra_core.agents.agent import Agent

__all__ = ("PydanticAgent", "adapt", "build")


def adapt(agent: pydantic_ai.Agent[Any, Any]) -> PydanticAgent:
    """A user's own pydantic-ai agent as one of ours."""
    name = agent.name or "agent"
    return PydanticAgent(agent, id=name, name=name, description=str(agent.description or ""))


def build(agent: Agent) -> PydanticAgent:
    """The pydantic-ai agent that runs our built-in ``Agent``."""
    made: pydantic_ai.Agent[Any, Any] = pydantic_ai.Agent(
        agent.model,
        name=agent.id,
        output_type=_output_type(agent),
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
        instructions=agent.instructions,
        own=True,
    )


class PydanticAgent:
    """Runs a pydantic-ai agent and tells its events in ours.

    :param instructions: given on every run unless the caller brings other ones.
    :param own: the agent was built here, so its dependencies are a ``ToolContext``.
    """

    def __init__(
        self,
        agent: pydantic_ai.Agent[Any, Any],
        *,
        id: str,
        name: str,
        description: str = "",
        instructions: str = "",
        own: bool = False,
    ) -> None:
        self._agent = agent
        self._instructions = instructions
        self._own = own
        self.id = id
        self.name = name
        self.description = description

    def info(self) -> AgentInfo:
        """Model and provider, as far as the agent has one of its own."""
        model = self._agent.model
        if isinstance(model, str):
            provider, _, label = model.rpartition(":")
            return AgentInfo(provider=provider, model=label)
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
                turns = _Turns(run)
                async for event in run:
                    for told in turns.tell(event):
                        yield told
        except Exception as error:  # noqa: BLE001  # providers and tools may raise anything
            yield failure(error, self.id)

    def _arguments(self, wish: AgentInput) -> dict[str, Any]:
        prompt, history = split_history(wish)
        arguments: dict[str, Any] = {
            "user_prompt": prompt,
            "message_history": history,
            "instructions": wish.instructions or self._instructions or None,
        }
        if self._own:
            arguments["deps"] = ToolContext(request_context=wish.context, run_id=wish.run_id)
        if wish.settings:
            arguments["model_settings"] = wish.settings
        if wish.output_schema is not None:
            arguments["output_type"] = pydantic_ai.StructuredDict(wish.output_schema, name="result")
        if wish.max_steps is not None:
            arguments["usage_limits"] = pydantic_ai.UsageLimits(request_limit=wish.max_steps)
        return arguments


class _Turns:
    """Tells pydantic-ai's events as ours, and where one model turn ends and the next begins."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._calls: dict[str, ToolCall] = {}
        self._answered = False
        self._counted = Usage()

    def tell(self, event: Any) -> list[AgentEvent]:
        match event:
            case native.PartStartEvent():
                return [*self._turn(), *_delta(event.part)]
            case native.PartDeltaEvent():
                return _delta(event.delta)
            case native.FunctionToolCallEvent():
                return [self._call(event.part)]
            case native.FunctionToolResultEvent():
                return [self._result(event.part)]
            case pydantic_ai.AgentRunResultEvent():
                return self._end(event.result)
            case _:
                return []

    def _turn(self) -> list[AgentEvent]:
        """The model speaks after tools have answered: the turn that asked for them is over."""
        if not self._answered:
            return []
        self._answered = False
        return [StepFinish(reason="tool-calls", continued=True, usage=self._since())]

    def _call(self, part: native.ToolCallPart) -> ToolCall:
        call = ToolCall(id=part.tool_call_id, name=part.tool_name, arguments=_arguments_of(part))
        self._calls[call.id] = call
        return call

    def _result(self, part: Any) -> ToolResult:
        self._answered = True
        call = self._calls.get(part.tool_call_id)
        return ToolResult(
            id=part.tool_call_id,
            name=part.tool_name or (call.name if call else ""),
            arguments=call.arguments if call else {},
            result=dump(part.content),
            failed=isinstance(part, native.RetryPromptPart),
        )

    def _end(self, result: Any) -> list[AgentEvent]:
        output = result.output
        if isinstance(output, pydantic_ai.DeferredToolRequests):
            return [
                ApprovalRequired(
                    id=part.tool_call_id, name=part.tool_name, arguments=_arguments_of(part)
                )
                for part in output.approvals
            ]
        total = _usage(result.usage)
        return [
            StepFinish(usage=self._since()),
            Finish(
                object=None if isinstance(output, str) else dump(output),
                usage=total,
                history=result.all_messages_json(),
            ),
        ]

    def _since(self) -> Usage:
        total = _usage(self._run.usage)
        since = Usage(
            input_tokens=total.input_tokens - self._counted.input_tokens,
            output_tokens=total.output_tokens - self._counted.output_tokens,
        )
        self._counted = total
        return since


def _delta(part: Any) -> list[AgentEvent]:
    match part:
        case native.TextPart(content=text) | native.TextPartDelta(content_delta=text) if text:
            return [TextDelta(text=text)]
        case native.ThinkingPart(content=text) | native.ThinkingPartDelta(content_delta=text) if (
            text
        ):
            return [ReasoningDelta(text=text)]
        case _:
            return []


def _arguments_of(part: native.ToolCallPart) -> dict[str, Any]:
    try:
        return part.args_as_dict()
    except ValueError:  # a model may write broken JSON; pydantic-ai then asks it to try again
        return {"raw": part.args}


def _usage(usage: Any) -> Usage:
    return Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def _output_type(agent: Agent) -> Any:
    plain = str if agent.output is None else agent.output
    if hasattr(plain, "__struct_fields__"):  # msgspec's types are unknown to pydantic
        plain = pydantic_ai.StructuredDict(schema_of(plain), name=plain.__name__)
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
