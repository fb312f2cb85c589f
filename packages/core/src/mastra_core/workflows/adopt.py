"""Functions, agents, tools and whole workflows as steps."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, overload

from mastra_core.agents.protocol import AgentLike
from mastra_core.errors import ConfigError
from mastra_core.tools import Tool
from mastra_core.workflows.agent_step import agent_step
from mastra_core.workflows.function import Function
from mastra_core.workflows.retry import Retry, as_retry
from mastra_core.workflows.step import Step, step
from mastra_core.workflows.tool_step import tool_step
from mastra_core.workflows.workflow import Workflow

if TYPE_CHECKING:
    from typing import Unpack

    from mastra_core.workflows.agent_step import Text
    from mastra_core.workflows.signatures import Following, R, StepOptions, T

__all__ = ("as_step",)


if TYPE_CHECKING:

    @overload
    def as_step(value: Following[T, R], **options: Unpack[StepOptions]) -> Step[T, R]: ...
    @overload
    def as_step(
        value: AgentLike, *, output: None = None, **options: Unpack[StepOptions]
    ) -> Step[Any, Text]: ...
    @overload
    def as_step(
        value: AgentLike, *, output: type[T], **options: Unpack[StepOptions]
    ) -> Step[Any, T]: ...
    @overload
    def as_step(
        value: AgentLike, *, output: Any, **options: Unpack[StepOptions]
    ) -> Step[Any, Any]: ...
    @overload
    def as_step(
        value: Callable[..., Awaitable[R]], **options: Unpack[StepOptions]
    ) -> Step[Any, R]: ...
    @overload
    def as_step(value: Callable[..., R], **options: Unpack[StepOptions]) -> Step[Any, R]: ...


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
        return agent_step(value, output)
    if output is not None:
        raise ConfigError(f"{value!r} is not an agent.", "Only an agent is told its output type.")
    if isinstance(value, Step):
        return value
    if isinstance(value, Workflow):
        return _of_workflow(value)
    if isinstance(value, Tool):
        return tool_step(value)
    if inspect.isroutine(value):
        return step(value)
    raise ConfigError(
        f"{value!r} is not a step.",
        "Pass a typed function, a step, an agent, a tool or a workflow.",
    )


def _of_workflow(workflow: Workflow) -> Step[Any, Any]:
    if not workflow.nodes:
        raise ConfigError(f"Workflow {workflow.id!r} has no steps.", "Add one: .then(step).")

    def never() -> None:
        """The interpreter executes the workflow instead."""

    return Step(
        id=workflow.id,
        description=workflow.description,
        call=Function(function=never),
        input=workflow.input_type,
        output=workflow.output_type,
        workflow=workflow,
        kind="workflow",
        of=workflow.id,
    )
