"""Runs of users' pydantic-ai agents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from functools import cached_property
from typing import Any

import pydantic_ai

from mastra_core.agents.events import AgentEvent, Start
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, FrameworkTool
from mastra_core.agents.providers import get_provider_variables, parse_models, split_model_name
from mastra_core.agents.pydantic_ai.approvals import build_deferred_results
from mastra_core.agents.pydantic_ai.call_recording import build_recording
from mastra_core.agents.pydantic_ai.convert_events import EventConverter
from mastra_core.agents.pydantic_ai.convert_messages import split_history
from mastra_core.agents.pydantic_ai.failures import build_failure_events
from mastra_core.agents.pydantic_ai.file_downloads import build_download_refusal
from mastra_core.agents.pydantic_ai.models import ModelCache
from mastra_core.agents.pydantic_ai.output_types import (
    get_answer_shape,
    get_run_output_type,
    to_native_output,
)
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
from mastra_core.agents.pydantic_ai.tools import build_toolsets
from mastra_core.agents.pydantic_ai.truncate_history import truncate_history
from mastra_core.agents.run_failures import to_request_failure
from mastra_core.agents.streaming_agent import StreamingAgent
from mastra_core.agents.telemetry.event_spans import trace_events
from mastra_core.agents.telemetry.run_metrics import measure_runs
from mastra_core.errors import RequestError
from mastra_core.override import override
from mastra_core.tools import as_tool

__all__ = ("PydanticAgent",)


def _has_own_spans(runner: Any) -> bool:
    """Return whether pydantic-ai's own instrumentation is on for an agent."""
    agent = runner._agent  # noqa: SLF001  # of the class below
    setting = getattr(agent, "instrument", None)
    if setting is None:
        setting = getattr(pydantic_ai.Agent, "_instrument_default", False)
    capabilities = getattr(getattr(agent, "_root_capability", None), "capabilities", ())
    return (
        bool(setting)
        or type(agent.model).__name__ == "InstrumentedModel"
        or any(type(each).__name__ == "Instrumentation" for each in capabilities)
    )


class PydanticAgent(StreamingAgent):
    """Runs a pydantic-ai agent and converts its events.

    :param agent: the pydantic-ai agent.
    :param id: id of the agent.
    :param name: display name.
    :param description: what the agent is for.
    :cvar history_format: the framework that defines the format of a run's history.
    :cvar records_calls: whether finished calls are recorded in the journal of a durable run.
    :cvar repeats_events: whether the events of recorded calls are sent to the readers again.
    """

    history_format = "pydantic-ai"
    records_calls = True
    repeats_events = True

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
        provider, name = split_model_name(model)
        variables = get_provider_variables(provider) if isinstance(model, str) else ()
        return AgentInfo(provider=provider, model=name, variables=variables)

    @cached_property
    def framework_tools(self) -> tuple[FrameworkTool, ...]:
        """The functions that the agent calls as tools.

        Toolsets that change the tools of another toolset are left out, because they may decide in
        each run. The tools of an MCP server are left out, because only the server can list them.
        """
        toolsets = self._agent.toolsets
        return tuple(
            FrameworkTool(
                id=tool.name,
                description=tool.description or "",
                input_schema=tool.tool_def.parameters_json_schema,
                requires_approval=tool.requires_approval,
            )
            for toolset in toolsets
            if isinstance(toolset, pydantic_ai.FunctionToolset)
            for tool in toolset.tools.values()
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

    @override
    @measure_runs
    @trace_events(_has_own_spans)
    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        try:
            yield self._build_start(input)
            arguments = await self._build_arguments(input)
            async with (
                self._agent.run_stream_events(**arguments) as run,
                aclosing(self._iter_events(run, input)) as events,
            ):
                async for event in events:
                    yield event
        except RequestError as error:
            yield to_request_failure(error)
        except Exception as error:  # noqa: BLE001  # providers and tools may raise anything
            for each in build_failure_events(error, input, self.id):
                yield each

    def _build_start(self, run_input: AgentInput) -> Start:
        if run_input.model is None:
            info = self.info()
            return Start(model=info.model, provider=info.provider)
        provider, model = split_model_name(parse_models(run_input.model)[0])
        return Start(model=model, provider=provider)

    async def _iter_events(self, run: Any, run_input: AgentInput) -> AsyncGenerator[AgentEvent]:
        """Convert the events of ``run``; the run starts when the first event is read.

        The run's task copies the context variables when it starts, so the override of the
        instructions need only be active until the first event. An override around a ``yield`` would
        also apply to the code that reads the events.
        """
        converter = EventConverter(run, get_answer_shape(get_run_output_type(run_input)))
        instructions = self._get_replacement_instructions(run_input)
        override = self._agent.override(instructions=instructions)
        try:
            with override if instructions else nullcontext():
                event = await anext(run, None)
            while event is not None:
                for each in converter.convert(event):
                    yield each
                event = await anext(run, None)
        except RunStopped as stop:
            for each in converter.finish_stopped(stop):
                yield each

    def _get_replacement_instructions(self, run_input: AgentInput) -> str:
        """Return the override's instructions, which replace the agent's own instructions."""
        text = run_input.instructions
        return text and _join_texts(text, run_input.extra_instructions)

    def _find_own_tools(self, run_input: AgentInput) -> set[str] | None:
        """Return the names of the tools that the run executes; ``None`` if they are not known."""
        names = {as_tool(each).id for each in run_input.tools}
        for toolset in self._agent.toolsets:
            if not isinstance(toolset, pydantic_ai.FunctionToolset):
                return None
            names |= toolset.tools.keys()
        return names

    async def _build_arguments(self, run_input: AgentInput) -> dict[str, Any]:
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
                # The agent's own tools would not ask again for a call without a decision.
                deferred_tool_results=build_deferred_results(
                    run_input,
                    history,
                    allow_partial=False,
                    own_tools=self._find_own_tools(run_input),
                ),
                model_settings=remove_forced_choice(run_input.settings),
                output_type=self._build_output_type(run_input),
                toolsets=build_toolsets(run_input),
                model=models[0] if models else None,
                capabilities=[
                    *build_recording(run_input.journal),
                    *build_download_refusal(run_input),
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


def _join_texts(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))


def _drop_empty(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
