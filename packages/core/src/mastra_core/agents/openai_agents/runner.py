"""Runs of agents of the OpenAI Agents SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from functools import cached_property
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
from mastra_core.agents.openai_agents.convert_messages import restore_input, to_input_items
from mastra_core.agents.openai_agents.run_overrides import build_run_config, override_agent
from mastra_core.agents.protocol import AgentInfo, FrameworkTool
from mastra_core.agents.providers import split_model_name
from mastra_core.agents.run_failures import to_provider_failure
from mastra_core.agents.streaming_agent import StreamingAgent
from mastra_core.agents.telemetry.event_spans import trace_events
from mastra_core.agents.telemetry.run_metrics import measure_runs
from mastra_core.agents.unsupported_options import reject_unsupported
from mastra_core.errors import InvalidInput
from mastra_core.override import override
from mastra_core.schema import dump
from mastra_core.tools import ToolContext

__all__ = ("OpenAIAgent",)


def _has_own_spans(_: Any) -> bool:
    """Return whether a processor of the user, such as logfire's, creates spans already.

    The SDK has one processor of its own, which sends its traces to OpenAI.
    """
    provider: Any = agents.tracing.get_trace_provider()
    processors = getattr(getattr(provider, "_multi_processor", None), "_processors", ())
    return any(type(each).__module__.partition(".")[0] != "agents" for each in processors)


class OpenAIAgent(StreamingAgent):
    """Runs an agent of the OpenAI Agents SDK, and converts the agent's events.

    The agent's tools find the request context in ``context.context``, which is a ``ToolContext``.

    :param agent: an ``agents.Agent``.
    :cvar history_format: the framework that defines the format of a run's history.
    """

    history_format = "OpenAI Agents"

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self.id = self.name = agent.name
        self.description = agent.handoff_description or ""

    def info(self) -> AgentInfo:
        """Describe the agent without running it."""
        instructions, model = self._agent.instructions, self._agent.model
        has_name = isinstance(model, str) or model is None
        return AgentInfo(
            instructions=instructions if isinstance(instructions, str) else "",
            provider="openai" if has_name else "",
            model=model or "" if has_name else getattr(model, "model", ""),
            variables=("OPENAI_API_KEY",) if has_name else (),
        )

    @cached_property
    def framework_tools(self) -> tuple[FrameworkTool, ...]:
        """The functions that the agent calls as tools; tools that OpenAI hosts have no schema."""
        return tuple(
            FrameworkTool(
                id=tool.name,
                description=tool.description,
                input_schema=tool.params_json_schema,
                requires_approval=bool(tool.needs_approval),
            )
            for tool in self._agent.tools
            if isinstance(tool, agents.FunctionTool)
        )

    @override
    @measure_runs
    @trace_events(_has_own_spans)
    async def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        yield self._build_start(input)
        try:
            reject_unsupported(input, "the OpenAI Agents SDK", "stop_when", "limits")
            async with aclosing(self._iter_events(input)) as events:
                async for event in events:
                    yield event
        except agents.AgentsException as error:
            yield _to_failure(error, self.id)
        except Exception as error:  # noqa: BLE001  # providers and tools may raise anything
            yield to_provider_failure(error, self.id)

    def _build_start(self, run_input: AgentInput) -> Start:
        model = run_input.model
        if model is None:
            info = self.info()
            return Start(model=info.model, provider=info.provider)
        if isinstance(model, str):
            provider, name = split_model_name(model)
            return Start(model=name, provider=provider)
        return Start(model=getattr(model, "model", ""))

    async def _iter_events(self, run_input: AgentInput) -> AsyncGenerator[AgentEvent]:
        agent = override_agent(self._agent, run_input)
        sdk_input, waiting_calls = await _build_input(agent, run_input)
        # A resumed run keeps the step limit and the context that it was started with.
        is_new = isinstance(sdk_input, list)
        limit: Any = {"max_turns": run_input.max_steps} if is_new and run_input.max_steps else {}
        run = agents.Runner.run_streamed(
            agent,
            sdk_input,
            context=_build_context(run_input),
            run_config=build_run_config(run_input),
            **limit,
        )
        converter = EventConverter(run_input.decisions, waiting_calls)
        sdk_events = iter_with_timeout(run.stream_events(), run_input.timeout)
        try:
            async with aclosing(sdk_events):
                async for sdk_event in sdk_events:
                    for event in converter.convert(sdk_event):
                        yield event
        except agents.MaxTurnsExceeded:
            yield converter.finish_turn("tool-calls")
            yield Finish(
                reason="tool-calls", usage=_get_total_usage(run), history=_encode_history(run)
            )
        else:
            for event in _build_end_events(run, run_input, converter):
                yield event
        finally:
            run.cancel()


async def _build_input(agent: Any, run_input: AgentInput) -> tuple[Any, list[ToolCall]]:
    """Build the SDK's input, and list the calls that wait in the suspended run.

    :raises InvalidInput: for a suspended run without a decision.
    """
    history = json.loads(run_input.history) if run_input.history else []
    if isinstance(history, list):
        return [
            *history,
            *to_input_items(run_input.new_messages if history else run_input.messages),
        ], []
    history["original_input"] = restore_input(history.get("original_input"))
    context = agents.RunContextWrapper(_build_context(run_input))
    state = await agents.RunState.from_json(agent, history, context_override=context)
    items = {to_tool_call(item.raw_item).id: item for item in state.get_interruptions()}
    if not items.keys() & run_input.decisions.keys():
        raise InvalidInput(
            f"The run waits for decisions about {', '.join(map(repr, sorted(items)))}."
        )
    for id_, item in items.items():
        if id_ in run_input.decisions:
            _apply_decision(state, item, run_input.decisions[id_])
    return state, [to_tool_call(item.raw_item) for item in items.values()]


def _apply_decision(state: Any, item: Any, decision: Decision) -> None:
    if decision.arguments is not None or decision.data is not None:
        raise InvalidInput(
            "The OpenAI Agents SDK accepts neither arguments nor data in a decision.",
            "Send a decision that contains only approved=True or approved=False.",
        )
    if decision.approved:
        state.approve(item)
    else:
        state.reject(item, rejection_message=decision.reason or None)


def _build_context(run_input: AgentInput) -> ToolContext:
    return ToolContext(
        request_context=run_input.context,
        run_id=run_input.run_id,
        thread=run_input.thread,
        resource=run_input.resource,
        caller=run_input.caller,
    )


def _build_end_events(
    run: Any, run_input: AgentInput, converter: EventConverter
) -> list[AgentEvent]:
    if not run.interruptions:
        output = run.final_output
        structured = None if isinstance(output, str) else dump(output)
        end = Finish(object=structured, usage=_get_total_usage(run), history=_encode_history(run))
        return [converter.finish_turn("stop"), end]
    calls = [to_tool_call(item.raw_item) for item in run.interruptions]
    client_names = {tool.name for tool in run_input.client_tools}
    if any(call.name in client_names for call in calls):
        return [
            converter.finish_turn("tool-calls"),
            Finish(reason="tool-calls", usage=_get_total_usage(run)),
        ]
    # The request context may hold secrets, and the caller sends it again with the decision.
    state = run.to_state().to_string(context_serializer=_omit_context)
    waiting = [
        ApprovalRequired(id=call.id, name=call.name, arguments=call.arguments) for call in calls
    ]
    return [
        *waiting,
        Finish(reason="suspended", usage=_get_total_usage(run), history=state.encode()),
    ]


def _omit_context(_: Any) -> Mapping[str, Any]:
    return {}


def _get_total_usage(run: Any) -> Any:
    return to_usage(run.context_wrapper.usage)


def _encode_history(run: Any) -> bytes:
    return json.dumps(run.to_input_list()).encode()


def _to_failure(error: agents.AgentsException, agent: str) -> Failure:
    event = to_provider_failure(error, agent)
    if isinstance(error, agents.InputGuardrailTripwireTriggered):
        return Failure(message="A guardrail refused the input.", kind=event.kind, status=422)
    if isinstance(error, agents.OutputGuardrailTripwireTriggered):
        return Failure(message="A guardrail withheld the answer.", kind=event.kind, status=422)
    if isinstance(error, agents.ModelBehaviorError):
        return Failure(message="The model's answer cannot be used.", kind=event.kind, status=502)
    return event
