"""Runs of agents of the OpenAI Agents SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import agents

from mastra_core.agents.deadline import iter_with_timeout
from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Failure,
    Finish,
    Start,
    ToolCall,
)
from mastra_core.agents.messages import AgentInput, Decision
from mastra_core.agents.openai_agents.convert_events import EventConverter, to_tool_call, to_usage
from mastra_core.agents.openai_agents.convert_messages import to_input_items
from mastra_core.agents.openai_agents.run_overrides import build_run_config, override_agent
from mastra_core.agents.protocol import AgentInfo, AgentOutput, collect
from mastra_core.agents.provider_failures import to_provider_failure
from mastra_core.agents.unsupported_options import reject_unsupported
from mastra_core.errors import InvalidInput
from mastra_core.schema import dump
from mastra_core.tools import ToolContext

__all__ = ("OpenAIAgent",)


class OpenAIAgent:
    """Runs an agent of the SDK and tells its events in ours.

    Its tools find the request context in ``context.context``, which is a ``ToolContext``.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self.id = self.name = agent.name
        self.description = agent.handoff_description or ""

    def info(self) -> AgentInfo:
        """What can be said without running it."""
        instructions, model = self._agent.instructions, self._agent.model
        named = isinstance(model, str) or model is None
        return AgentInfo(
            instructions=instructions if isinstance(instructions, str) else "",
            provider="openai" if named else "",
            model=model or "" if named else getattr(model, "model", ""),
            variables=("OPENAI_API_KEY",) if named else (),
        )

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end."""
        return await collect(self.stream(input))

    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run, giving the events as they happen."""
        info = self.info()
        yield Start(model=info.model, provider=info.provider)
        try:
            reject_unsupported(input, "the OpenAI Agents SDK", "stop_when", "limits")
            async for event in self._events(input):
                yield event
        except agents.AgentsException as error:
            yield _broken(error, self.id)
        except Exception as error:  # noqa: BLE001  # providers and tools may raise anything
            yield to_provider_failure(error, self.id)

    async def _events(self, wish: AgentInput) -> AsyncGenerator[AgentEvent]:
        agent = override_agent(self._agent, wish)
        given, waited = await _input(agent, wish)
        # A run that goes on keeps the number of steps and the context that it began with.
        fresh = isinstance(given, list)
        limit: Any = {"max_turns": wish.max_steps} if fresh and wish.max_steps else {}
        run = agents.Runner.run_streamed(
            agent, given, context=_context(wish), run_config=build_run_config(wish), **limit
        )
        turns = EventConverter(wish.decisions, waited)
        try:
            async for event in iter_with_timeout(run.stream_events(), wish.timeout):
                for told in turns.convert(event):
                    yield told
        except agents.MaxTurnsExceeded:
            yield turns.finish_turn("tool-calls")
            yield Finish(reason="tool-calls", usage=_total(run), history=_history(run))
        else:
            for told in _end(run, wish, turns):
                yield told
        finally:
            run.cancel()


async def _input(agent: Any, wish: AgentInput) -> tuple[Any, list[ToolCall]]:
    """What the run begins with, and the calls that it waited for.

    :raises InvalidInput: for a suspended run about which nothing was decided.
    """
    history = json.loads(wish.history) if wish.history else []
    if isinstance(history, list):
        return [*history, *to_input_items(wish.new_messages if history else wish.messages)], []
    context = agents.RunContextWrapper(_context(wish))
    state = await agents.RunState.from_json(agent, history, context_override=context)
    items = {to_tool_call(item.raw_item).id: item for item in state.get_interruptions()}
    if not items.keys() & wish.decisions.keys():
        raise InvalidInput(f"The run waits for {', '.join(map(repr, sorted(items)))}.")
    for id_, item in items.items():
        if id_ in wish.decisions:
            _decide(state, item, wish.decisions[id_])
    return state, [to_tool_call(item.raw_item) for item in items.values()]


def _decide(state: Any, item: Any, decision: Decision) -> None:
    if decision.arguments is not None or decision.data is not None:
        raise InvalidInput(
            "The OpenAI Agents SDK takes no other arguments or data with a decision.",
            "Approve or decline the call as it is.",
        )
    if decision.approved:
        state.approve(item)
    else:
        state.reject(item, rejection_message=decision.reason or None)


def _context(wish: AgentInput) -> ToolContext:
    return ToolContext(
        request_context=wish.context,
        run_id=wish.run_id,
        thread=wish.thread,
        resource=wish.resource,
    )


def _end(run: Any, wish: AgentInput, turns: EventConverter) -> list[AgentEvent]:
    if not run.interruptions:
        output = run.final_output
        structured = None if isinstance(output, str) else dump(output)
        end = Finish(object=structured, usage=_total(run), history=_history(run))
        return [turns.finish_turn("stop"), end]
    calls = [to_tool_call(item.raw_item) for item in run.interruptions]
    clients = {tool.name for tool in wish.client_tools}
    if any(call.name in clients for call in calls):
        return [turns.finish_turn("tool-calls"), Finish(reason="tool-calls", usage=_total(run))]
    # The request context may hold secrets, and comes again with the decision.
    state = run.to_state().to_string(context_serializer=_nothing)
    waiting = [
        ApprovalRequired(id=call.id, name=call.name, arguments=call.arguments) for call in calls
    ]
    return [*waiting, Finish(reason="suspended", usage=_total(run), history=state.encode())]


def _nothing(_: Any) -> Mapping[str, Any]:
    return {}


def _total(run: Any) -> Any:
    return to_usage(run.context_wrapper.usage)


def _history(run: Any) -> bytes:
    return json.dumps(run.to_input_list()).encode()


def _broken(error: agents.AgentsException, agent: str) -> Failure:
    told = to_provider_failure(error, agent)
    if isinstance(error, agents.InputGuardrailTripwireTriggered):
        return Failure(message="A guardrail refused the input.", kind=told.kind, status=422)
    if isinstance(error, agents.OutputGuardrailTripwireTriggered):
        return Failure(message="A guardrail withheld the answer.", kind=told.kind, status=422)
    if isinstance(error, agents.ModelBehaviorError):
        return Failure(message="The model's answer cannot be used.", kind=told.kind, status=502)
    return told
