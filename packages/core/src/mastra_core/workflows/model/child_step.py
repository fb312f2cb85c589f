"""Create steps that start separate runs of other workflows."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, overload

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.definition import Step, WorkflowDefinition
from mastra_core.workflows.model.function import Function

__all__ = ("as_child",)

In = TypeVar("In")
Out = TypeVar("Out")


@overload
def as_child(
    workflow: WorkflowDefinition[In, Out], *, id: str = "", wait: Literal[True] = True
) -> Step[In, Out]: ...
@overload
def as_child(
    workflow: WorkflowDefinition[In, Out], *, id: str = "", wait: Literal[False]
) -> Step[In, str]: ...


def as_child(workflow: Any, *, id: str = "", wait: bool = True) -> Step[Any, Any]:
    """Convert a workflow to a step that starts a separate run of the workflow.

    The started run has its own id, status and queue. The parent run, which contains the step, must
    be durable, and takes no memory while it waits. Canceling the parent run cancels the started
    run.

    :param workflow: the workflow, which must also be registered with the application.
    :param id: the id of the step; by default, the id of the workflow.
    :param wait: whether the step waits for the end of the run. The output of the step is the result
        of the started run if the step waits, and the id of the started run if it does not.
    :raises ConfigError: when the value is not a workflow, or has no steps.
    """
    if not isinstance(workflow, WorkflowDefinition) or not workflow.nodes:
        raise ConfigError(
            f"{workflow!r} is not a workflow with steps.", "Pass Workflow('id').then(step)."
        )

    def do_nothing() -> None:
        """Do nothing: the engine starts the run without this function."""

    return Step(
        id=id or workflow.id,
        description=workflow.description,
        call=Function(function=do_nothing),
        input=workflow.input_type,
        output=workflow.output_type if wait else str,
        child=workflow,
        awaits_child=wait,
        kind="child",
        source_id=workflow.id,
    )
