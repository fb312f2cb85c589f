"""Create a step that calls an agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from mastra_core.agents.event_chunk import build_event_chunk
from mastra_core.agents.events import AgentEvent
from mastra_core.agents.function import FunctionAgent
from mastra_core.agents.messages import AgentInput, Decision, Message
from mastra_core.agents.protocol import AgentInfo, AgentLike, collect
from mastra_core.agents.run_journal import RunJournal
from mastra_core.agents.suspended_runs import SuspendedRun
from mastra_core.agents.telemetry.agent_span import stream_traced
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.logs.log_fields import bind_log_fields
from mastra_core.schema import dump, to_json_schema, validate_named
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.event_writer import EventWriter
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.step_context import StepContext
from mastra_core.workflows.model.tool_step import may_suspend

if TYPE_CHECKING:
    from mastra_core.workflows.engine.step_parts import StepParts

__all__ = ("create_agent_step", "stream_to_readers")


class Prompt(TypedDict):
    """The input of an agent's step, if it is not a string."""

    prompt: str


class Text(TypedDict):
    """The output of an agent's step that has no ``output`` type."""

    text: str


def create_agent_step(agent: AgentLike, output: Any = None) -> Step[Any, Any]:
    """Create a step that calls ``agent``; the step is suspended while a tool call needs a decision.

    The events of the agent are sent to the readers of the run.

    :param agent: the agent.
    :param output: the type of the output; by default, that of the agent, or ``{"text": ...}``.
    """
    output_schema = None if output is None else to_json_schema(output)
    type_ = output or Capabilities(agent).output

    async def ask_agent(value: Any, context: StepContext) -> Any:
        run_input = (
            _build_resumed_input(agent, context)
            if context.kept is not None
            else _build_input(value, context, output_schema)
        )
        with bind_log_fields(agent=agent.id):
            answer = await collect(stream_to_readers(agent, run_input, context))
        if answer.reason == "suspended":
            _suspend_for_decisions(context, SuspendedRun.from_output(agent, run_input, answer))
        if type_ is not None:
            return validate_named(f"answer of agent {agent.id!r}", type_, answer.object)
        return {"text": answer.text} if answer.object is None else answer.object

    info = agent.info()
    types: dict[str, Any] = {"input": str | Prompt, "output": type_ or _get_output_type(agent)}
    return Step(
        id=agent.id,
        description=agent.description,
        call=Function(
            function=ask_agent, input_name="value", context_name="context", awaits=True, **types
        ),
        resume=dict[str, Decision] if _may_wait(info) else None,
        kind="agent",
        source_id=agent.id,
        suspends=any(map(may_suspend, info.tools)),
        **types,
    )


def _may_wait(info: AgentInfo) -> bool:
    """Return whether an agent has, or may have, tools that wait for a decision."""
    return bool(info.tools or info.workflows or info.has_more_tools)


def _get_output_type(agent: AgentLike) -> Any:
    """Return the output type of an agent step without ``output``: ``Any`` for a function agent."""
    return Any if isinstance(agent, FunctionAgent) else Text


async def stream_to_readers(
    agent: AgentLike, run_input: AgentInput, context: StepContext, *, live: bool = True
) -> AsyncGenerator[AgentEvent]:
    """Run an agent, and send each event to the readers of the workflow run.

    In a durable run, the journal records each finished model or tool call of the agent.

    :param agent: the agent.
    :param run_input: the input of the agent.
    :param context: the context of the step.
    :param live: whether the answers of the model are streamed.
    """
    parts = context.parts
    if parts is not None:
        async with aclosing(_stream_recorded(agent, run_input, parts, live=live)) as recorded:
            async for event in recorded:
                yield event
        return
    async with aclosing(stream_traced(agent, run_input)) as events:  # type: ignore[type-var]  # a generator
        async for event in events:
            await context.write(build_event_chunk(agent.id, event))
            yield event


async def _stream_recorded(
    agent: AgentLike, run_input: AgentInput, parts: StepParts, *, live: bool
) -> AsyncGenerator[AgentEvent]:
    journal = None
    if Capabilities(agent).records_calls:
        is_repeated = parts.is_written("start")
        journal = RunJournal(parts, live=live, is_repeated=is_repeated)
        run_input = msgspec.structs.replace(run_input, journal=journal)
    repeats_events = Capabilities(agent).repeats_events
    writer = EventWriter(agent.id, parts, None if repeats_events else journal)
    async with aclosing(stream_traced(agent, run_input)) as events:  # type: ignore[type-var]  # a generator
        async for event in events:
            await writer.write(event)
            yield event


def _build_input(
    value: Any, context: StepContext, output_schema: dict[str, Any] | None
) -> AgentInput:
    prompt = value if isinstance(value, str) else value["prompt"]
    return AgentInput(
        messages=(Message.user(prompt),),
        output_schema=output_schema,
        context=dict(context.request_context),
        resource=context.resource,
        # Runs of the workflows that agents call are named after this id and the id of the call,
        # and models of two agents may choose the same id for their calls.
        run_id=f"{context.run_id}-{context.path}",
    )


def _build_resumed_input(agent: AgentLike, context: StepContext) -> AgentInput:
    """Build the input with the decisions; suspend again if a decision names an unknown call."""
    run = msgspec.convert(context.kept, SuspendedRun)
    run.check_agent(agent)
    # The step has checked the data only if the agent had tools when the app started.
    data = context.resume_data or {}
    decisions = validate_named(f"decisions of agent {agent.id!r}", dict[str, Decision], data)
    if not decisions or not decisions.keys() <= {call.id for call in run.waiting}:
        _suspend_for_decisions(context, run)
    return run.to_input(decisions, context.request_context)


def _suspend_for_decisions(context: StepContext, run: SuspendedRun) -> None:
    context.suspend({"waiting": dump(run.waiting)}, keep=run)
