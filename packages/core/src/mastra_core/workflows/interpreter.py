"""Runs a workflow's description over a journal.

The interpreter knows nothing of where a run is kept or whether it outlives the process; the
journal knows nothing of steps side by side or conditions.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from mastra_core.errors import MastraError
from mastra_core.logger import logger_of
from mastra_core.telemetry import span
from mastra_core.workflows.record import (
    RunError,
    RunEvent,
    StepEnded,
    StepStarted,
    StepSuspended,
    StepWrote,
)
from mastra_core.workflows.step import Step, StepContext, Suspended
from mastra_core.workflows.workflow import Branch, Node, Single, Workflow, holds

__all__ = ("Journal", "StepFailed", "interpret")


class Journal(Protocol):
    """The memory of one run."""

    @property
    def run_id(self) -> str:
        """The run's id."""

    async def step(self, key: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of ``call``, which is made once a run for each ``key``."""

    async def wait(self, key: str) -> Any:
        """The data that resumes the step ``key``; returns when somebody brings it."""

    async def emit(self, event: RunEvent) -> None:
        """Remember what happened and tell whoever watches."""

    async def cancel(self) -> None:
        """End the run from outside; what it waits for is abandoned."""


class StepFailed(Exception):
    """A step raised; ``error`` is what a caller may see of it."""

    def __init__(self, error: RunError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclasses.dataclass(frozen=True)
class _Execution:
    workflow: Workflow
    journal: Journal
    context: Mapping[str, Any]


async def interpret(
    workflow: Workflow, value: Any, journal: Journal, context: Mapping[str, Any]
) -> Any:
    """Run ``workflow`` on ``value`` to its result.

    :raises StepFailed: when a step or condition raises.
    """
    execution = _Execution(workflow, journal, context)
    with span(f"invoke_workflow {workflow.id}", {"mastra.workflow.id": workflow.id}):
        for node in workflow.nodes:
            value = await _node(execution, node, value)
    return value


async def _node(execution: _Execution, node: Node, value: Any) -> Any:
    if isinstance(node, Single):
        return await _step(execution, node.step, value)
    if isinstance(node, Branch):
        return await _together(execution, await _chosen(node, value), value)
    return await _together(execution, node.steps, value)


async def _chosen(node: Branch, value: Any) -> list[Step[Any, Any]]:
    try:
        pairs = zip(node.conditions, node.steps, strict=True)
        return [item for condition, item in pairs if await holds(condition, value)]
    except Exception as error:
        raise StepFailed(_told(error, "a branch condition")) from error


async def _together(execution: _Execution, steps: Sequence[Step[Any, Any]], value: Any) -> Any:
    import asyncio

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_step(execution, item, value)) for item in steps]
    except* StepFailed as failures:
        raise failures.exceptions[0] from None
    return {item.id: task.result() for item, task in zip(steps, tasks, strict=True)}


async def _step(execution: _Execution, item: Step[Any, Any], value: Any) -> Any:
    journal = execution.journal
    await journal.emit(StepStarted(step=item.id, payload=value))
    resume_data: Any = None
    attempt = 0
    while True:
        try:
            call = functools.partial(_call, execution, item, value, resume_data)
            output = await journal.step(f"{item.id}#{attempt}", call)
        except Suspended as suspended:
            await journal.emit(StepSuspended(step=item.id, payload=suspended.payload))
            resume_data = await journal.wait(item.id)
            attempt += 1
        except Exception as error:
            told = _told(error, f"step {item.id!r} of workflow {execution.workflow.id!r}")
            await journal.emit(StepEnded(step=item.id, error=told))
            raise StepFailed(told) from error
        else:
            await journal.emit(StepEnded(step=item.id, output=output))
            return output


async def _call(execution: _Execution, item: Step[Any, Any], value: Any, data: Any) -> Any:
    async def write(chunk: Any) -> None:
        await execution.journal.emit(StepWrote(step=item.id, chunk=chunk))

    context = StepContext(
        run_id=execution.journal.run_id,
        workflow_id=execution.workflow.id,
        step_id=item.id,
        resume_data=data,
        request_context=execution.context,
        writer=write,
    )
    attributes = {"mastra.workflow.id": execution.workflow.id, "mastra.step.id": item.id}
    with span(f"workflow_step {item.id}", attributes):
        return await item.execute(value, context)


def _told(error: Exception, where: str) -> RunError:
    if not isinstance(error, MastraError):
        logger_of("mastra.workflows").error("%s failed", where, exc_info=error)
    message = error.message if isinstance(error, MastraError) else str(error)
    return RunError(message=message or type(error).__name__, name=type(error).__name__)
