"""Runs of pydantic-ai agents: a user's agents and the built-in ``Agent``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pydantic_ai
from pydantic_ai.exceptions import UnexpectedModelBehavior

from mastra_core.agents.events import AgentEvent, Failure, Finish, Start, StepFinish, Usage
from mastra_core.agents.instructions import render_instructions
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, AgentOutput, build_output, collect
from mastra_core.agents.providers import get_provider_variables, parse_models, split_model_name
from mastra_core.agents.pydantic_ai.approvals import build_deferred_results
from mastra_core.agents.pydantic_ai.convert_events import EventConverter
from mastra_core.agents.pydantic_ai.convert_messages import split_history
from mastra_core.agents.pydantic_ai.failures import to_run_failure
from mastra_core.agents.pydantic_ai.models import ModelCache
from mastra_core.agents.pydantic_ai.output_types import get_run_output_type, to_native_output
from mastra_core.agents.pydantic_ai.preload_models import preload_models
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
from mastra_core.errors import AgentFailed, InvalidInput, RequestError
from mastra_core.tools import as_tool

if TYPE_CHECKING:
    from mastra_core.agents.definition import AgentDefinition
    from mastra_core.tools import Tool

__all__ = ("BuiltInAgent", "PydanticAgent")

# Seconds for one answer of the model, including all retries: a provider may ask for any wait with
# Retry-After, and not every client limits it. It applies to model strings only; the timeouts of a
# model object are set by the code that creates it.
_MODEL_TIMEOUT = 600.0


class PydanticAgent:
    """Runs a pydantic-ai agent and converts its events.

    :param agent: the pydantic-ai agent.
    :param id: id of the agent.
    :param name: display name.
    :param description: what the agent is for.
    :cvar allows_partial_decisions: whether some of several waiting calls may be decided while the
        others keep waiting; the tools of a user's own agent would not ask again.
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
        """Return the model and the provider of the agent, if the agent has a model."""
        model = self._agent.model
        if isinstance(model, str):
            provider, _, label = model.rpartition(":")
            return AgentInfo(
                provider=provider, model=label, variables=get_provider_variables(provider)
            )
        return AgentInfo(
            provider=getattr(model, "system", ""), model=getattr(model, "model_name", "")
        )

    def preload(self) -> None:
        """Import the clients of the agent's models."""
        preload_models([self._agent.model])

    def truncate_history(self, history: bytes, turns: int) -> bytes:
        """Shorten a serialised history to its last turns.

        :param history: a ``Finish.history``.
        :param turns: how many turns to keep.
        :returns: the shorter history; empty if it cannot be cut.
        """
        return truncate_history(history, turns)

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end.

        :param input: the input of the run.
        :raises AgentFailed: when the run fails.
        """
        return await collect(self.stream(input))

    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the input of the run.
        """
        yield self._build_start(input)
        try:
            arguments = await self._build_arguments(input, RunState(input, live=True))
            async with self._agent.run_stream_events(**arguments) as run:
                converter = EventConverter(run)
                try:
                    async for event in self._iter_events(
                        run, self._get_replacement_instructions(input)
                    ):
                        for each in converter.convert(event):
                            yield each
                except RunStopped as stop:
                    for each in converter.finish_stopped(stop):
                        yield each
        except RequestError as error:
            yield Failure(message=error.message, kind=type(error).__name__, status=error.status)
        except Exception as error:  # noqa: BLE001  # providers and tools may raise anything
            for each in self._build_failure_events(error, input):
                yield each

    def _build_failure_events(self, error: Exception, run_input: AgentInput) -> list[AgentEvent]:
        """Return the last events of a failed run, with the caller's fallback answer if any."""
        failure = to_run_failure(error, self.id)
        if run_input.fallback is msgspec.UNSET or not isinstance(error, UnexpectedModelBehavior):
            return [failure]
        reason = "other"
        return [StepFinish(reason=reason), Finish(reason=reason, object=run_input.fallback)]

    def _build_start(self, run_input: AgentInput) -> Start:
        if run_input.model is None:
            info = self.info()
            return Start(model=info.model, provider=info.provider)
        provider, model = split_model_name(parse_models(run_input.model)[0])
        return Start(model=model, provider=provider)

    async def _iter_events(self, run: Any, instructions: str) -> AsyncIterator[Any]:
        """Yield the events of ``run``, which starts at the first event.

        The run's task copies the context in which it starts. The override is therefore needed only
        around the first event. Around a ``yield``, it would also apply to the reader of the events.
        """
        override = self._agent.override(instructions=instructions)
        with override if instructions else contextlib.nullcontext():
            event = await anext(run, None)
        while event is not None:
            yield event
            event = await anext(run, None)

    def _get_replacement_instructions(self, run_input: AgentInput) -> str:
        """Return the override's instructions, which replace the agent's own instructions."""
        text = run_input.instructions
        return text and _join_texts(text, run_input.extra_instructions)

    async def _build_arguments(self, run_input: AgentInput, state: RunState) -> dict[str, Any]:
        """Build the arguments of pydantic-ai's run.

        :raises RequestError: for an input that cannot be run.
        """
        prompt, history = split_history(run_input)
        models = await self._models.resolve(
            () if run_input.model is None else parse_models(run_input.model)
        )
        return {
            "user_prompt": prompt,
            "message_history": history,
            **_drop_empty(
                deferred_tool_results=build_deferred_results(
                    run_input, history, allow_partial=self.allows_partial_decisions
                ),
                model_settings=remove_forced_choice(run_input.settings),
                output_type=self._build_output_type(run_input),
                toolsets=build_toolsets(run_input, state),
                model=models[0] if models else None,
                capabilities=[
                    *build_model_fallback(models),
                    *build_tool_filter(run_input.active_tools),
                    *build_tool_choice(run_input),
                    *build_stop_conditions(run_input.stop_when, run_input.max_steps, len(history)),
                ],
                usage_limits=to_usage_limits(run_input.limits),
                timeout=run_input.timeout,
                instructions="" if run_input.instructions else run_input.extra_instructions,
            ),
        }

    def _build_output_type(self, run_input: AgentInput) -> Any:
        """Return the output type of this run, if it differs from the agent's type."""
        type_ = get_run_output_type(run_input)
        if type_ is None and not run_input.client_tools:
            return None
        own = self._agent.output_type
        own_types = list(own) if isinstance(own, list | tuple) else [own]
        types = (
            own_types
            if type_ is None
            else [to_native_output(type_, enforce_patterns=not run_input.caller)]
        )
        deferred = pydantic_ai.DeferredToolRequests
        end = [deferred] if run_input.client_tools or deferred in own_types else []
        return [*(each for each in types if each is not deferred), *end]


class BuiltInAgent(PydanticAgent):
    """Runs the built-in ``Agent``.

    :param native: the pydantic-ai agent.
    :param agent: the description of the agent.
    """

    allows_partial_decisions = True

    def __init__(self, native: pydantic_ai.Agent[Any, Any], agent: AgentDefinition) -> None:
        super().__init__(native, id=agent.id, name=agent.name, description=agent.description)
        self._description = agent
        self._info = agent.info()

    def info(self) -> AgentInfo:
        """Return the description of the agent."""
        return self._info

    def preload(self) -> None:
        """Import the clients of the agent's models."""
        preload_models(self._description.models)

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end without streaming, and build the events afterwards.

        :param input: the input of the run.
        :raises AgentFailed: when the run fails.
        """
        state = RunState(input, live=False)
        arguments = await self._build_arguments(input, state)
        seen = len(arguments["message_history"])
        try:
            result = await self._agent.run(**arguments)
        except RunStopped as stop:
            events = build_events(stop.messages, seen, state.outputs)
            end = build_stop_events(stop.messages, stop.usage, _sum_usage(events))
        except Exception as error:  # providers and tools may raise anything
            events, end = [], self._build_failure_events(error, input)
            if isinstance(last := end[0], Failure):
                raise AgentFailed(last.message, kind=last.kind, status=last.status) from error
        else:
            events = build_events(result.all_messages(), seen, state.outputs)
            end = build_end_events(result, _sum_usage(events))
        return build_output([self._build_start(input), *events, *end])

    async def _build_arguments(self, run_input: AgentInput, state: RunState) -> dict[str, Any]:
        run_input = _apply_defaults(run_input, self._description)
        if self._description.toolboxes:
            tools = (*run_input.tools, *await list_tools(self._description.toolboxes))
            run_input = msgspec.structs.replace(run_input, tools=tools)
        _check_client_tools(run_input, self._description.callable_tools)
        arguments = await super()._build_arguments(run_input, state)
        text = run_input.instructions or await render_instructions(
            self._description.instructions, run_input.context
        )
        instructions = _join_texts(text, run_input.extra_instructions)
        settings = arguments.get("model_settings", {})
        models = parse_models(run_input.model or self._description.models)
        if any(isinstance(each, str) for each in models):
            settings = {_get_timeout_setting(live=state.live): _MODEL_TIMEOUT, **settings}
        changes = _drop_empty(instructions=instructions, model_settings=settings)
        return {**arguments, "deps": state, **changes}

    def _get_replacement_instructions(self, run_input: AgentInput) -> str:  # noqa: ARG002  # the base class needs it
        return ""

    def _build_output_type(self, run_input: AgentInput) -> Any:
        type_ = get_run_output_type(run_input)
        if type_ is None:
            return None
        native = to_native_output(type_, enforce_patterns=not run_input.caller)
        return [native, pydantic_ai.DeferredToolRequests]


def _sum_usage(events: list[AgentEvent]) -> Usage:
    """Return the tokens of the closed turns."""
    return sum((event.usage for event in events if isinstance(event, StepFinish)), Usage())


def _get_timeout_setting(*, live: bool) -> str:
    return "first_event_timeout" if live else "request_timeout"


def _check_client_tools(run_input: AgentInput, tools: Sequence[Tool]) -> None:
    """Refuse a client tool that has the same name as another tool of the run.

    :raises InvalidInput: for the first of them.
    """
    names = {each.id for each in (*tools, *map(as_tool, run_input.tools))}
    for each in run_input.client_tools:
        if each.name in names:
            raise InvalidInput(
                f"The client tool {each.name!r} has the same name as a tool of the agent.",
                "Give the client tool another name.",
            )


def _join_texts(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))


def _drop_empty(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def _apply_defaults(run_input: AgentInput, agent: AgentDefinition) -> AgentInput:
    """Return the input, and use the agent's options for missing options."""
    changes: dict[str, Any] = {}
    for name in ("max_steps", "timeout", "limits"):
        if getattr(run_input, name) is None and getattr(agent, name) is not None:
            changes[name] = getattr(agent, name)
    if agent.stop_when:
        changes["stop_when"] = (*agent.stop_when, *run_input.stop_when)
    if run_input.model is None:
        changes["model"] = agent.models
    if agent.settings:
        changes["settings"] = {**agent.settings, **run_input.settings}
    return msgspec.structs.replace(run_input, **changes)
