"""Runs of the built-in ``Agent``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.agents.context_functions import choose_models, choose_tools
from mastra_core.agents.deadline import iter_with_timeout
from mastra_core.agents.events import AgentEvent, Failure, Start
from mastra_core.agents.instructions import render_instructions
from mastra_core.agents.loop.agent_run import AgentRun
from mastra_core.agents.loop.output_format import OutputFormat, build_output_format
from mastra_core.agents.loop.resume import build_resumption
from mastra_core.agents.loop.run_plan import RunPlan, apply_defaults
from mastra_core.agents.loop.toolset import Toolset
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import (
    AgentInfo,
    AgentOutput,
    attach_events,
    build_agent_error,
    build_output,
)
from mastra_core.agents.providers import parse_models, split_model_name
from mastra_core.agents.pydantic_ai.convert_messages import split_history
from mastra_core.agents.pydantic_ai.failures import build_failure_events, to_run_failure
from mastra_core.agents.pydantic_ai.models import ModelCache
from mastra_core.agents.pydantic_ai.output_types import get_run_output_type
from mastra_core.agents.pydantic_ai.preload_models import preload_models
from mastra_core.agents.pydantic_ai.truncate_history import truncate_history
from mastra_core.agents.run_failures import to_request_failure
from mastra_core.agents.telemetry.run_metrics import measure_events, measure_runs
from mastra_core.agents.toolboxes import list_tools
from mastra_core.errors import MastraError, RequestError
from mastra_core.request_scope import is_being_cancelled

if TYPE_CHECKING:
    from mastra_core.agents.definition import AgentDefinition

__all__ = ("LoopAgent",)

# Seconds for one answer of the model, including all retries. A provider may ask for any wait with
# Retry-After, and not every client limits the wait. The limit applies to model strings only: the
# code that creates a model object sets the timeouts of this object.
_MODEL_TIMEOUT = 600.0


class LoopAgent:
    """Runs the built-in ``Agent``.

    What does not change between runs is built once: the definitions of the tools, the format of the
    answer, and the models with their connections.

    :param agent: the description of the agent.
    """

    def __init__(self, agent: AgentDefinition) -> None:
        self.id = agent.id
        self.name = agent.name
        self.description = agent.description
        self._agent = agent
        self._info = agent.info()
        self._models = ModelCache()
        self._toolset = Toolset(agent.callable_tools)
        self._output = build_output_format(agent.output)

    def info(self) -> AgentInfo:
        """Return the description of the agent."""
        return self._info

    def preload(self) -> None:
        """Import the clients of the agent's models."""
        preload_models(self._agent.models)

    def truncate_history(self, history: bytes, turns: int) -> bytes:
        """Shorten a serialised history to its last turns.

        :param history: a ``Finish.history``.
        :param turns: how many turns to keep.
        :returns: the shorter history; empty if it cannot be cut.
        """
        return truncate_history(history, turns)

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run the agent to the end without streaming.

        :param input: the input of the run.
        :raises AgentFailed: when the run fails.
        :raises RequestError: for an input that cannot be run.
        """
        plan = await self._build_plan_or_fail(input)
        start = self._build_start(plan.run_input)
        events: list[AgentEvent] = [start]
        try:
            run = measure_events(self.id, start, self._iter_events(plan, live=False))
            with attach_events(events):
                async with aclosing(run):
                    async for event in run:
                        events.append(event)  # noqa: PERF401  # the events before an error stay
        except RequestError as error:
            raise build_agent_error(to_request_failure(error), events) from error
        except Exception as error:  # providers and tools may raise anything
            end = build_failure_events(error, input, self.id)
            if isinstance(last := end[0], Failure):
                raise build_agent_error(last, events) from error
            events += end
        return build_output(events)

    @measure_runs
    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the input of the run.
        """
        run_input = input
        try:
            try:
                run_input = await self._choose_model(input)
            except Exception:
                yield self._build_start(input)  # every run begins with this event
                raise
            yield self._build_start(run_input)
            plan = await self._build_plan(run_input)
            live = input.journal is None or input.journal.live
            async with aclosing(self._iter_events(plan, live=live)) as run:
                async for event in run:
                    yield event
        except RequestError as error:
            yield to_request_failure(error)
        except Exception as error:  # providers and tools may raise anything
            if input.journal is not None and is_being_cancelled():  # another process continues
                raise asyncio.CancelledError from error
            for event in build_failure_events(error, run_input, self.id):
                yield event

    async def _iter_events(self, plan: RunPlan, *, live: bool) -> AsyncGenerator[AgentEvent]:
        async with AsyncExitStack() as stack:
            for model in plan.own_models:
                await stack.enter_async_context(model)
            events = AgentRun(plan, live=live).iter_events()
            if (timeout := plan.run_input.timeout) is not None:
                events = iter_with_timeout(events, timeout)
            await stack.enter_async_context(aclosing(events))
            async for event in events:
                yield event

    def _build_start(self, run_input: AgentInput) -> Start:
        if run_input.model is None:
            return Start(model=self._info.model, provider=self._info.provider)
        provider, model = split_model_name(parse_models(run_input.model)[0])
        return Start(model=model, provider=provider)

    async def _build_plan_or_fail(self, run_input: AgentInput) -> RunPlan:
        """Build the plan of a run; convert an error that a function or toolbox of the user raises.

        :raises AgentFailed: when code of the user raises an exception.
        """
        try:
            return await self._build_plan(run_input)
        except MastraError:
            raise
        except Exception as error:
            raise build_agent_error(to_run_failure(error, self.id), ()) from error

    async def _build_plan(self, run_input: AgentInput) -> RunPlan:
        """Build the plan of a run: its models, tools, settings and messages.

        :raises RequestError: for an input that cannot be run.
        """
        agent = self._agent
        run_input = apply_defaults(await self._choose_model(run_input), agent)
        run_input = await self._choose_tools(run_input)
        more = await list_tools(agent.toolboxes) if agent.toolboxes else ()
        available = self._toolset.add(run_input, more)
        prompt, history = split_history(run_input)
        resumption = build_resumption(run_input, history, available.tools)
        names = parse_models(run_input.model)
        return RunPlan(
            run_input=run_input,
            models=await self._models.resolve(names, permanent=agent.models),
            own_models=_list_own_models(names, agent.models),
            instructions=await self._build_instructions(run_input),
            history=history,
            prompt=prompt,
            resumption=resumption,
            toolset=available.select(run_input.active_tools),
            timeout=_get_timeout(names, run_input.settings),
            output=self._build_output(run_input),
            retries=agent.retries,
            stops_on_tool_error=agent.stop_on_tool_error,
        )

    async def _choose_model(self, run_input: AgentInput) -> AgentInput:
        """Return the input with the model that the agent's function chooses, if there is one."""
        function = self._agent.choose_model
        if function is None or run_input.model is not None:
            return run_input
        models = await choose_models(function, run_input.context)
        return msgspec.structs.replace(run_input, model=models)

    async def _choose_tools(self, run_input: AgentInput) -> AgentInput:
        """Return the input with the tools that the agent's function chooses, if there is one."""
        function = self._agent.choose_tools
        if function is None:
            return run_input
        tools = await choose_tools(function, run_input.context)
        return msgspec.structs.replace(run_input, tools=(*tools, *run_input.tools))

    async def _build_instructions(self, run_input: AgentInput) -> str:
        text = run_input.instructions or await render_instructions(
            self._agent.instructions, run_input.context
        )
        return "\n\n".join(filter(None, (text, run_input.extra_instructions)))

    def _build_output(self, run_input: AgentInput) -> OutputFormat | None:
        type_ = get_run_output_type(run_input)
        if type_ is None:
            return self._output
        return build_output_format(type_, enforce_patterns=not run_input.caller)


def _list_own_models(models: Sequence[Any], permanent: Sequence[Any]) -> list[Any]:
    """Return the model objects of this run, whose connections are closed after the run."""
    return [each for each in models if not isinstance(each, str) and each not in permanent]


def _get_timeout(models: Sequence[Any], settings: Mapping[str, Any]) -> float | None:
    """Return the default timeout of a model's answer; ``None`` if settings or models set one."""
    has_own = "request_timeout" in settings or "first_event_timeout" in settings
    return None if has_own or not any(isinstance(each, str) for each in models) else _MODEL_TIMEOUT
