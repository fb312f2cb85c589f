"""Wrap a workflow as a tool of an agent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.errors import AgentFailed, MastraError, NotFound
from mastra_core.logger import get_logger
from mastra_core.schema import dump
from mastra_core.tools import Tool, ToolContext

if TYPE_CHECKING:
    from mastra_core.agents.events import ApprovalRequired, ToolSuspended
    from mastra_core.workflows import RunRecord, Workflow
    from mastra_core.workflows.engine.protocol import Engine, Run

__all__ = (
    "build_tool_id",
    "build_workflow_tool",
    "cancel_called_runs",
)


def build_tool_id(key: str) -> str:
    """Return the id of the tool that runs a workflow.

    :param key: key of the workflow in ``Agent(workflows=...)``.
    """
    return f"workflow-{key}"


def build_workflow_tool(
    key: str, workflow: Workflow[Any, Any], get_engine: Callable[[], Engine]
) -> Tool:
    """Build a tool ``workflow-KEY`` that runs a workflow to its end.

    The tool is suspended while the run is suspended. The data with which the tool is resumed
    resumes the run.

    :param key: key of the workflow in ``Agent(workflows=...)``.
    :param workflow: the workflow.
    :param get_engine: returns the engine that executes the run.
    """

    async def run_workflow(input_data: Any, context: ToolContext) -> dict[str, Any]:
        engine = get_engine()
        run = await _open_run(engine, workflow, context)
        if run.record.status == "pending":
            await engine.start(run, dump(input_data), dict(context.request_context))
        elif run.record.status == "suspended" and context.resume_data is not None:
            data = dump(context.resume_data)
            await engine.resume(run, data, context=dict(context.request_context))
        record = await _wait(engine, run, is_durable=context.journal is not None)
        if record.status == "suspended":
            await _suspend(engine, run, context)
        if record.status != "success":
            raise _build_error(record)
        return {"result": record.result, "runId": record.run_id}

    return Tool(
        id=build_tool_id(key),
        description=workflow.description or f"Run the workflow {workflow.id}.",
        function=run_workflow,
        input=msgspec.defstruct(
            "WorkflowInput",
            [("input_data", workflow.input_type)],
            rename="camel",
            forbid_unknown_fields=True,
            kw_only=True,
        ),
        resume=_find_resume_type(workflow),
        context_names=("context",),
    )


def _find_resume_type(workflow: Workflow[Any, Any]) -> Any:
    """Return the type of the data that resumes the workflow; ``None`` if steps need other types."""
    types = [each.resume for each in workflow.iter_steps() if each.resume or each.suspends]
    return types[0] if types and all(each == types[0] for each in types) else None


async def cancel_called_runs(
    engine: Engine,
    workflows: Mapping[str, Workflow[Any, Any]],
    run_id: str,
    resource: str,
    calls: Iterable[ApprovalRequired | ToolSuspended],
) -> None:
    """Cancel the runs that the suspended calls of an agent's run wait for.

    A failure is only logged, because the run of the agent is canceled all the same.

    :param engine: the engine that executes the runs.
    :param workflows: the workflows of the agent, by key.
    :param run_id: the id of the agent's run.
    :param resource: the owner of the agent's run.
    :param calls: the calls, which may be calls of other tools, too.
    """
    known = {build_tool_id(key): workflow for key, workflow in workflows.items()}
    for call in calls:
        if call.name not in known:
            continue
        try:
            called_id = _build_run_id(run_id, call.id)
            run = await engine.get(known[call.name], called_id, resource)
            await engine.cancel((await _find_newest(engine, known[call.name], run))[0])
        except NotFound:  # the call waits for an approval, and has started no run
            continue
        except MastraError as error:
            get_logger("mastra.agents").error(
                "the workflow of the canceled run %r cannot be canceled", run_id, exc_info=error
            )


async def _open_run(engine: Engine, workflow: Workflow[Any, Any], context: ToolContext) -> Run:
    """Create the run of a call, or return the run that the call began before.

    Some models repeat the ids of calls, so a call whose run has ended gets a new run.
    """

    async def create(run_id: str) -> Run:
        return await engine.create(
            workflow,
            run_id,
            context.resource,
            caller=context.caller,
            is_confined=bool(context.resource),  # callers choose the ids of agent runs
        )

    run = await create(_build_run_id(context.run_id, context.call_id))
    if run.record.status == "pending":
        return run
    run, next_id = await _find_newest(engine, workflow, run)
    is_repeated = context.journal is not None and context.journal.is_repeated
    if not run.record.is_finished or context.resume_data is not None or is_repeated:
        return run
    return await create(next_id)


async def _find_newest(engine: Engine, workflow: Workflow[Any, Any], run: Run) -> tuple[Run, str]:
    """Return the newest run of the calls that share the id of a call, and the id of the next run.

    :param engine: the engine that executes the runs.
    :param workflow: the workflow of the runs.
    :param run: the first run.
    """
    first = run.record
    for number in itertools.count(2):
        next_id = f"{first.run_id}-{number}"
        try:
            run = await engine.get(workflow, next_id, first.resource_id)
        except NotFound:
            break
    return run, next_id


def _build_run_id(run_id: str, call_id: str) -> str:
    """Return an id that a repeated or resumed call has too; empty for a new id."""
    return f"{run_id}-{call_id}" if run_id and call_id else ""


async def _wait(engine: Engine, run: Run, *, is_durable: bool) -> RunRecord:
    """Wait for the run; if the agent's run is cancelled, cancel the run too.

    When the process of a durable agent's run stops, another process continues both runs.
    """
    try:
        return await run.wait()
    except asyncio.CancelledError:
        if not is_durable:
            await asyncio.shield(engine.cancel(run))
        raise


async def _suspend(engine: Engine, run: Run, context: ToolContext) -> None:
    record = run.record
    payloads = {path: record.steps[path].suspend_payload for path in record.suspended_steps}
    if not _build_run_id(context.run_id, context.call_id):
        await engine.cancel(run)
        raise AgentFailed(
            f"The workflow {record.workflow_id!r} waits for data, but the run of the agent has no "
            "id with which it can be resumed.",
            "Pass run_id to the run of the agent.",
        )
    context.suspend(next(iter(payloads.values())) if len(payloads) == 1 else payloads)


def _build_error(record: RunRecord) -> AgentFailed:
    if record.error is None:
        return AgentFailed(f"The run {record.run_id!r} of the workflow is {record.status}.")
    return AgentFailed(record.error.message, kind=record.error.name)
