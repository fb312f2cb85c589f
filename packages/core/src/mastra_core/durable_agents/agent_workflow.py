"""The workflow with one step, in which a durable run of an agent is executed."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.agents.events import ApprovalRequired, ToolSuspended
from mastra_core.agents.messages import AgentInput, Decision
from mastra_core.agents.protocol import AgentLike, collect
from mastra_core.agents.suspended_runs import SuspendedRun
from mastra_core.errors import InvalidInput
from mastra_core.logs.log_fields import bind_log_fields
from mastra_core.memory.memory_agent import get_memory
from mastra_core.schema import dump
from mastra_core.workflows.durable.store.run_rows import AGENT_PREFIX
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.model.agent_step import stream_to_readers
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.step_context import StepContext
from mastra_core.workflows.model.workflow import Workflow

__all__ = (
    "build_agent_workflow",
    "dump_decisions",
    "dump_input",
    "read_input",
    "read_suspended_run",
)

_STEP = "run"
_Waiting = tuple[ApprovalRequired | ToolSuspended, ...]


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    run_input: AgentInput
    live: bool


class _Resumed(msgspec.Struct, frozen=True, kw_only=True):
    decisions: dict[str, Decision]
    live: bool


def build_agent_workflow(agent: AgentLike) -> Workflow[Any, Any]:
    """Build the workflow that runs an agent; the application does not list it among its workflows.

    :param agent: the agent.
    """

    async def run_agent(value: Any, context: StepContext) -> Any:
        run_input, live = _build_input(value, context)
        with bind_log_fields(agent=agent.id):
            output = await collect(stream_to_readers(agent, run_input, context, live=live))
        if output.reason == "suspended":
            run = SuspendedRun.from_output(agent, run_input, output)
            context.suspend({"waiting": dump(run.waiting)}, keep=run)
        if run_input.thread and get_memory(agent) is not None:  # the thread has the history
            return None
        return dump(output.history)

    call = Function(function=run_agent, input_name="value", context_name="context", awaits=True)
    step = Step(id=_STEP, call=call, kind="agent", source_id=agent.id, resume=Any, suspends=True)
    return Workflow(f"{AGENT_PREFIX}{agent.id}", durable=True).then(step)


def dump_input(run_input: AgentInput, *, live: bool) -> Any:
    """Convert the input of a run to JSON builtins, without the request context.

    :param run_input: the input.
    :param live: whether the answers of the model are streamed.
    :raises InvalidInput: when the input has code, which cannot be stored.
    """
    stored = msgspec.structs.replace(run_input, context={}, journal=None, unread_results=None)
    for name in ("output", "tools", "stop_when"):
        if getattr(stored, name):
            raise _build_error(name)
    models = stored.model if isinstance(stored.model, list | tuple) else (stored.model,)
    if not all(model is None or isinstance(model, str) for model in models):
        raise _build_error("model")
    return dump(_Stored(run_input=stored, live=live))


def dump_decisions(decisions: dict[str, Decision], *, live: bool) -> Any:
    """Convert decisions to JSON builtins.

    :param decisions: the decisions by call id.
    :param live: whether the answers of the model are streamed.
    """
    return dump(_Resumed(decisions=decisions, live=live))


def read_input(record: RunRecord) -> AgentInput:
    """Return the input of a run, without its request context.

    :param record: the record of the workflow run.
    """
    return msgspec.convert(record.input, _Stored).run_input


def read_suspended_run(agent_id: str, record: RunRecord) -> SuspendedRun:
    """Return the suspended run of an agent.

    :param agent_id: the id of the agent.
    :param record: the record of the workflow run, which is suspended.
    """
    step = record.steps[_STEP]
    return SuspendedRun(
        run_id=record.run_id,
        agent_id=agent_id,
        waiting=msgspec.convert(step.suspend_payload["waiting"], _Waiting),
        history=b"",
        run_input=read_input(record),
        suspended_at=step.suspended_at or record.updated_at,
    )


def _build_input(value: Any, context: StepContext) -> tuple[AgentInput, bool]:
    """Return the input of the agent, and whether the answers of the model are streamed."""
    request_context = dict(context.request_context)
    if context.kept is None:
        stored = msgspec.convert(value, _Stored)
        return msgspec.structs.replace(stored.run_input, context=request_context), stored.live
    resumed = msgspec.convert(context.resume_data, _Resumed)
    run = msgspec.convert(context.kept, SuspendedRun)
    return run.to_input(resumed.decisions, request_context), resumed.live


def _build_error(name: str) -> InvalidInput:
    return InvalidInput(
        f"The option {name!r} contains code, which a durable run cannot store.",
        "Pass the option to Agent(...). To set the type of one answer, pass output_schema.",
    )
