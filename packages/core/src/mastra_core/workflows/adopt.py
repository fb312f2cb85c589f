"""Functions, agents, tools and whole workflows as steps."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, TypedDict

from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.errors import AgentFailed, ConfigError
from mastra_core.schema import schema_of, validate
from mastra_core.tools import Tool, ToolContext
from mastra_core.workflows.context import StepContext
from mastra_core.workflows.function import Function
from mastra_core.workflows.retry import Retry, as_retry
from mastra_core.workflows.step import Step, step
from mastra_core.workflows.workflow import Workflow

__all__ = ("as_step",)


class Prompt(TypedDict):
    """What an agent may be asked with, instead of a string."""

    prompt: str


class Text(TypedDict):
    """What an agent answers where no type was asked for."""

    text: str


def as_step(
    value: Any,
    *,
    id: str = "",
    output: Any = None,
    retry: Retry | int | None = None,
    timeout: float | None = None,
) -> Step[Any, Any]:
    """Make a step of a typed function, an agent, a tool, a workflow, or another step.

    :param id: its name in the workflow; the thing's own by default.
    :param output: the type an agent must answer in; ``{"text": ...}`` by default.
    :raises ConfigError: for anything else.
    """
    made = _made(value, output)
    changes: dict[str, Any] = {"id": id, "retry": as_retry(retry), "timeout": timeout}
    given = {name: change for name, change in changes.items() if change not in {None, ""}}
    return dataclasses.replace(made, **given) if given else made


def _made(value: Any, output: Any) -> Step[Any, Any]:
    if isinstance(value, AgentLike) and not isinstance(value, type):
        return _of_agent(value, output)
    if output is not None:
        raise ConfigError(f"{value!r} is not an agent.", "Only an agent is told its output type.")
    if isinstance(value, Step):
        return value
    if isinstance(value, Workflow):
        return _of_workflow(value)
    if isinstance(value, Tool):
        return _of_tool(value)
    if inspect.isroutine(value):
        return step(value)
    raise ConfigError(
        f"{value!r} is not a step.",
        "Pass a typed function, a step, an agent, a tool or a workflow.",
    )


def _of_agent(agent: AgentLike, output: Any) -> Step[Any, Any]:
    wanted = None if output is None else schema_of(output)

    async def ask(value: Any, context: StepContext) -> Any:
        prompt = value if isinstance(value, str) else value["prompt"]
        answer = await agent.generate(
            AgentInput(
                messages=(Message.user(prompt),),
                output_schema=wanted,
                context=dict(context.request_context),
                run_id=context.run_id,
            )
        )
        if answer.reason == "suspended":
            raise AgentFailed(
                f"The agent {agent.id!r} asked for an approval.",
                "Ask in a step of the workflow that suspends, before the agent's.",
            )
        return {"text": answer.text} if output is None else validate(output, answer.object)

    return _step(agent, ask, str | Prompt, Text if output is None else output, "agent")


def _of_tool(tool: Tool) -> Step[Any, Any]:
    async def use(value: Any, context: StepContext) -> Any:
        given = ToolContext(request_context=context.request_context, run_id=context.run_id)
        return await tool.execute(value, given)

    return _step(tool, use, tool.input, tool.output, "tool")


def _of_workflow(workflow: Workflow) -> Step[Any, Any]:
    if not workflow.nodes:
        raise ConfigError(f"Workflow {workflow.id!r} has no steps.", "Add one: .then(step).")

    def never() -> None:
        """The interpreter executes the workflow instead."""

    made = _step(workflow, never, workflow.input_type, workflow.output_type, "workflow")
    return dataclasses.replace(made, workflow=workflow)


def _step(thing: Any, function: Any, input: Any, output: Any, kind: Any) -> Step[Any, Any]:
    return Step(
        id=thing.id,
        description=thing.description,
        call=Function(
            function=function,
            input=Any if kind == "tool" else input,  # a tool checks its own
            output=output,
            input_name="value",
            context_name="context",
            awaits=True,
        ),
        input=input,
        output=output,
        kind=kind,
        of=thing.id,
    )
