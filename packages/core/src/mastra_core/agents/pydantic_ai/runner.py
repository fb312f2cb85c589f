"""Runs of pydantic-ai agents, a user's or ours."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec
import pydantic_ai
from pydantic_ai.exceptions import UnexpectedModelBehavior

from mastra_core.agents.events import AgentEvent, Failure, Finish, Start, StepFinish, Usage
from mastra_core.agents.instructions import render_instructions
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, AgentOutput, collect, put_together
from mastra_core.agents.providers import get_provider_variables, parse_models, split_model_name
from mastra_core.agents.pydantic_ai.approvals import build_deferred_results
from mastra_core.agents.pydantic_ai.convert_events import EventConverter
from mastra_core.agents.pydantic_ai.convert_messages import split_history
from mastra_core.agents.pydantic_ai.failures import to_run_failure
from mastra_core.agents.pydantic_ai.models import ModelCache
from mastra_core.agents.pydantic_ai.output_types import get_run_output_type, to_native_output
from mastra_core.agents.pydantic_ai.run_overrides import (
    RunStopped,
    build_model_fallback,
    build_stop_conditions,
    build_tool_choice,
    build_tool_filter,
    remove_forced_choice,
    to_usage_limits,
)
from mastra_core.agents.pydantic_ai.run_result import (
    build_end_events,
    build_events,
    build_stop_events,
)
from mastra_core.agents.pydantic_ai.tools import RunState, build_toolsets
from mastra_core.agents.pydantic_ai.truncate_history import truncate_history
from mastra_core.agents.toolboxes import list_tools
from mastra_core.errors import AgentFailed, RequestError

if TYPE_CHECKING:
    from mastra_core.agents.agent import Agent

__all__ = ("BuiltInAgent", "PydanticAgent")

# Seconds for one answer of the model, all attempts at it included: a provider may ask for any wait
# with Retry-After, and not every client bounds it. A single attempt may take as long with theirs.
# A model object is its owner's to bound.
_PATIENCE = 600.0


class PydanticAgent:
    """Runs a pydantic-ai agent and tells its events in ours.

    :cvar partly: of several calls that wait, some may be decided and the others wait on; a user's
        own tools would not ask again.
    """

    allows_partial_decisions = False

    def __init__(
        self, agent: pydantic_ai.Agent[Any, Any], *, id: str, name: str, description: str = ""
    ) -> None:
        self._agent = agent
        self._models = ModelCache()
        self.id = id
        self.name = name
        self.description = description

    def info(self) -> AgentInfo:
        """Model and provider, as far as the agent has one of its own."""
        model = self._agent.model
        if isinstance(model, str):
            provider, _, label = model.rpartition(":")
            return AgentInfo(
                provider=provider, model=label, variables=get_provider_variables(provider)
            )
        return AgentInfo(
            provider=getattr(model, "system", ""), model=getattr(model, "model_name", "")
        )

    def truncate_history(self, history: bytes, turns: int) -> bytes:
        """The last ``turns`` turns of a ``Finish.history``; empty where that cannot be."""
        return truncate_history(history, turns)

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end."""
        return await collect(self.stream(input))

    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run, giving the events as they happen."""
        yield self._start(input)
        try:
            arguments = await self._arguments(input, RunState(input, live=True))
            async with self._agent.run_stream_events(**arguments) as run:
                turns = EventConverter(run)
                try:
                    async for event in self._events(run, self._replaced(input)):
                        for each in turns.convert(event):
                            yield each
                except RunStopped as stop:
                    for each in turns.finish_stopped(stop):
                        yield each
        except RequestError as error:
            yield Failure(message=error.message, kind=type(error).__name__, status=error.status)
        except Exception as error:  # noqa: BLE001  # providers and tools may raise anything
            for each in self._broken(error, input):
                yield each

    def _broken(self, error: Exception, wish: AgentInput) -> list[AgentEvent]:
        """How a run ends that ``error`` broke: the caller may have an answer for that."""
        told = to_run_failure(error, self.id)
        if wish.fallback is msgspec.UNSET or not isinstance(error, UnexpectedModelBehavior):
            return [told]
        reason = "other"
        return [StepFinish(reason=reason), Finish(reason=reason, object=wish.fallback)]

    def _start(self, wish: AgentInput) -> Start:
        if wish.model is None:
            info = self.info()
            return Start(model=info.model, provider=info.provider)
        provider, model = split_model_name(parse_models(wish.model)[0])
        return Start(model=model, provider=provider)

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

    def _replaced(self, wish: AgentInput) -> str:
        """Instructions in the place of the agent's own, which nothing but an override replaces."""
        return wish.instructions and _joined(wish.instructions, wish.extra_instructions)

    async def _arguments(self, wish: AgentInput, state: RunState) -> dict[str, Any]:
        """What pydantic-ai is to run.

        :raises RequestError: for an input that cannot be run.
        """
        prompt, history = split_history(wish)
        models = await self._models.resolve(() if wish.model is None else parse_models(wish.model))
        return {
            "user_prompt": prompt,
            "message_history": history,
            **_given(
                deferred_tool_results=build_deferred_results(
                    wish, history, allow_partial=self.allows_partial_decisions
                ),
                model_settings=remove_forced_choice(wish.settings),
                output_type=self._output(wish),
                toolsets=build_toolsets(wish, state),
                model=models[0] if models else None,
                capabilities=[
                    *build_model_fallback(models),
                    *build_tool_filter(wish.active_tools),
                    *build_tool_choice(wish),
                    *build_stop_conditions(wish.stop_when, wish.max_steps, len(history)),
                ],
                usage_limits=to_usage_limits(wish.limits),
                timeout=wish.timeout,
                instructions="" if wish.instructions else wish.extra_instructions,
            ),
        }

    def _output(self, wish: AgentInput) -> Any:
        """The output of this run, where it is not the agent's own."""
        wanted = get_run_output_type(wish)
        if wanted is None and not wish.client_tools:
            return None
        own = self._agent.output_type
        own = list(own) if isinstance(own, list | tuple) else [own]
        plain = own if wanted is None else [to_native_output(wanted)]
        deferred = pydantic_ai.DeferredToolRequests
        waits = wish.client_tools or deferred in own
        return [*(each for each in plain if each is not deferred), *([deferred] if waits else [])]


class BuiltInAgent(PydanticAgent):
    """Runs the built-in ``Agent``."""

    allows_partial_decisions = True

    def __init__(self, native: pydantic_ai.Agent[Any, Any], agent: Agent) -> None:
        super().__init__(native, id=agent.id, name=agent.name, description=agent.description)
        self._own = agent
        self._info = agent.info()

    def info(self) -> AgentInfo:
        """What the agent says of itself."""
        return self._info

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end, asking the model for whole answers; the events are told afterwards."""
        state = RunState(input, live=False)
        arguments = await self._arguments(input, state)
        seen = len(arguments["message_history"])
        try:
            result = await self._agent.run(**arguments)
        except RunStopped as stop:
            events = build_events(stop.messages, seen, state.outputs)
            end = build_stop_events(stop.messages, stop.usage, _counted(events))
        except Exception as error:  # providers and tools may raise anything
            events, end = [], self._broken(error, input)
            if isinstance(told_ := end[0], Failure):
                raise AgentFailed(told_.message, kind=told_.kind, status=told_.status) from error
        else:
            events = build_events(result.all_messages(), seen, state.outputs)
            end = build_end_events(result, _counted(events))
        return put_together([self._start(input), *events, *end])

    async def _arguments(self, wish: AgentInput, state: RunState) -> dict[str, Any]:
        wish = _with_defaults(wish, self._own)
        if self._own.toolboxes:
            tools = (*wish.tools, *await list_tools(self._own.toolboxes))
            wish = msgspec.structs.replace(wish, tools=tools)
        arguments = await super()._arguments(wish, state)
        text = wish.instructions or await render_instructions(self._own.instructions, wish.context)
        said = _joined(text, wish.extra_instructions)
        settings = arguments.get("model_settings", {})
        if any(isinstance(each, str) for each in parse_models(wish.model or self._own.models)):
            settings = {_bound(live=state.live): _PATIENCE, **settings}
        return {**arguments, "deps": state, **_given(instructions=said, model_settings=settings)}

    def _replaced(self, wish: AgentInput) -> str:  # noqa: ARG002  # a user's own agent needs it
        return ""

    def _output(self, wish: AgentInput) -> Any:
        wanted = get_run_output_type(wish)
        if wanted is None:
            return None
        return [to_native_output(wanted), pydantic_ai.DeferredToolRequests]


def _counted(events: list[AgentEvent]) -> Usage:
    """The tokens of the turns that are closed."""
    return sum((event.usage for event in events if isinstance(event, StepFinish)), Usage())


def _bound(*, live: bool) -> str:
    return "first_event_timeout" if live else "request_timeout"


def _joined(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def _with_defaults(wish: AgentInput, agent: Agent) -> AgentInput:
    """``wish``, and what the agent says where it says nothing."""
    added: dict[str, Any] = {}
    for name in ("max_steps", "timeout", "limits"):
        if getattr(wish, name) is None and getattr(agent, name) is not None:
            added[name] = getattr(agent, name)
    if agent.stop_when:
        added["stop_when"] = (*agent.stop_when, *wish.stop_when)
    if wish.model is None:
        added["model"] = agent.models
    if agent.settings:
        added["settings"] = {**agent.settings, **wish.settings}
    return msgspec.structs.replace(wish, **added)
