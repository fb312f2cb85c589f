"""Create a step that calls an agent."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from mastra_core.agents.messages import AgentInput, Decision, Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.suspended_runs import SuspendedRun
from mastra_core.schema import dump, to_json_schema, validate
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.step_context import StepContext
from mastra_core.workflows.model.tool_step import may_suspend

__all__ = ("create_agent_step",)


class Prompt(TypedDict):
    """The input of an agent's step, if it is not a string."""

    prompt: str


class Text(TypedDict):
    """The output of an agent's step that has no ``output`` type."""

    text: str


def create_agent_step(agent: AgentLike, output: Any = None) -> Step[Any, Any]:
    """Create a step that calls ``agent``; it is suspended while a tool call needs a decision.

    :param agent: the agent.
    :param output: the type of the output; ``{"text": ...}`` by default.
    """
    output_schema = None if output is None else to_json_schema(output)

    async def ask_agent(value: Any, context: StepContext) -> Any:
        run_input = (
            _build_resumed_input(context)
            if context.kept is not None
            else _build_input(value, context, output_schema)
        )
        answer = await agent.generate(run_input)
        if answer.reason == "suspended":
            _suspend_for_decisions(context, SuspendedRun.from_output(agent.id, run_input, answer))
        return {"text": answer.text} if output is None else validate(output, answer.object)

    types: dict[str, Any] = {
        "input": str | Prompt,
        "output": Text if output is None else output,
    }
    return Step(
        id=agent.id,
        description=agent.description,
        call=Function(
            function=ask_agent, input_name="value", context_name="context", awaits=True, **types
        ),
        resume=dict[str, Decision] if agent.info().tools else None,
        kind="agent",
        source_id=agent.id,
        suspends=any(map(may_suspend, agent.info().tools)),
        **types,
    )


def _build_input(
    value: Any, context: StepContext, output_schema: dict[str, Any] | None
) -> AgentInput:
    prompt = value if isinstance(value, str) else value["prompt"]
    return AgentInput(
        messages=(Message.user(prompt),),
        output_schema=output_schema,
        context=dict(context.request_context),
        resource=context.resource,
        run_id=context.run_id,
    )


def _build_resumed_input(context: StepContext) -> AgentInput:
    """Build the input with the decisions; suspend again if a decision is about an unknown call."""
    run = msgspec.convert(context.kept, SuspendedRun)
    decisions: dict[str, Decision] = context.resume_data or {}
    if not decisions or not decisions.keys() <= {call.id for call in run.waiting}:
        _suspend_for_decisions(context, run)
    return run.to_input(decisions, context.request_context)


def _suspend_for_decisions(context: StepContext, run: SuspendedRun) -> None:
    context.suspend({"waiting": dump(run.waiting)}, keep=run)
