"""Convert functions, agents, tools and workflows to steps."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, overload

from mastra_core.agents.protocol import AgentLike
from mastra_core.errors import ConfigError
from mastra_core.tools import Tool
from mastra_core.workflows.model.agent_step import create_agent_step
from mastra_core.workflows.model.definition import Step, WorkflowDefinition
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.retry import Retry, as_retry
from mastra_core.workflows.model.step import step
from mastra_core.workflows.model.tool_step import create_tool_step

if TYPE_CHECKING:
    from typing import Unpack

    from mastra_core.workflows.model.agent_step import Text
    from mastra_core.workflows.model.signatures import Following, R, StepOptions, T

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
    """Convert a typed function, agent, tool, workflow or step to a step.

    :param value: the value to convert.
    :param id: the id of the step; that of ``value`` by default.
    :param output: the output type of an agent; ``{"text": ...}`` by default.
    :param retry: the retry policy, or the number of retries; by default, the retry policy of the
        workflow.
    :param timeout: the seconds that one attempt may take.
    :raises ConfigError: for any other value, or if ``output`` is set for a value other than an
        agent.
    """
    step_ = _coerce_step(value, output)
    changes: dict[str, Any] = {"id": id, "retry": as_retry(retry), "timeout": timeout}
    given = {
        name: change for name, change in changes.items() if change is not None and change != ""
    }
    return dataclasses.replace(step_, **given) if given else step_


def _coerce_step(value: Any, output: Any) -> Step[Any, Any]:
    if isinstance(value, AgentLike) and not isinstance(value, type):
        return create_agent_step(value, output)
    if output is not None:
        raise ConfigError(
            f"output={output!r} was passed for {value!r}, which is not an agent.",
            "Remove output=..., because it only sets the output type of an agent.",
        )
    if isinstance(value, Step):
        return value
    if isinstance(value, WorkflowDefinition):
        return _create_workflow_step(value)
    if isinstance(value, Tool):
        return create_tool_step(value)
    if inspect.isroutine(value):
        return step(value)
    raise ConfigError(
        f"{value!r} is not a step.",
        "Pass a typed function, a step, an agent, a tool or a workflow.",
    )


def _create_workflow_step(workflow: WorkflowDefinition) -> Step[Any, Any]:
    if not workflow.nodes:
        raise ConfigError(f"The workflow {workflow.id!r} has no steps.", "Add a step: .then(step).")

    def do_nothing() -> None:
        """Do nothing: the workflow engine executes a nested workflow without this function."""

    return Step(
        id=workflow.id,
        description=workflow.description,
        call=Function(function=do_nothing),
        input=workflow.input_type,
        output=workflow.output_type,
        workflow=workflow,
        kind="workflow",
        source_id=workflow.id,
    )
