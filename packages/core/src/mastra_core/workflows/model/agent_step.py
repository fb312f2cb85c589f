"""An agent as a step of a workflow."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from mastra_core.agents.messages import AgentInput, Decision, Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.suspended_runs import SuspendedRun
from mastra_core.schema import dump, to_json_schema, validate
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.model.step_context import StepContext

__all__ = ("agent_step",)


class Prompt(TypedDict):
    """What an agent may be asked with, instead of a string."""

    prompt: str


class Text(TypedDict):
    """What an agent answers where no type was asked for."""

    text: str


def agent_step(agent: AgentLike, output: Any = None) -> Step[Any, Any]:
    """A step that asks ``agent``; it is suspended while somebody must decide about its calls.

    :param output: the type to answer in; ``{"text": ...}`` by default.
    """
    wanted = None if output is None else to_json_schema(output)

    async def ask(value: Any, context: StepContext) -> Any:
        wish = _resumed(context) if context.kept is not None else _wish(value, context, wanted)
        answer = await agent.generate(wish)
        if answer.reason == "suspended":
            _wait(context, SuspendedRun.from_output(agent.id, wish, answer))
        return {"text": answer.text} if output is None else validate(output, answer.object)

    types: dict[str, Any] = {
        "input": str | Prompt,
        "output": Text if output is None else output,
    }
    return Step(
        id=agent.id,
        description=agent.description,
        call=Function(
            function=ask, input_name="value", context_name="context", awaits=True, **types
        ),
        resume=dict[str, Decision] if agent.info().tools else None,
        kind="agent",
        source_id=agent.id,
        **types,
    )


def _wish(value: Any, context: StepContext, wanted: dict[str, Any] | None) -> AgentInput:
    prompt = value if isinstance(value, str) else value["prompt"]
    return AgentInput(
        messages=(Message.user(prompt),),
        output_schema=wanted,
        context=dict(context.request_context),
        run_id=context.run_id,
    )


def _resumed(context: StepContext) -> AgentInput:
    """What the agent goes on with; the step waits again where a decision is about no call of it."""
    run = msgspec.convert(context.kept, SuspendedRun)
    decisions: dict[str, Decision] = context.resume_data or {}
    if not decisions or not decisions.keys() <= {call.id for call in run.waiting}:
        _wait(context, run)
    return run.to_input(decisions, context.request_context)


def _wait(context: StepContext, run: SuspendedRun) -> None:
    context.suspend({"waiting": dump(run.waiting)}, keep=run)
