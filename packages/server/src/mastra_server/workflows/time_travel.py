"""Routes that execute runs again, from a step or from the point of their interruption."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import Conflict
from mastra_core.workflows import Run
from mastra_server.http.handlers import post
from mastra_server.http.request_body import read_body, require_param
from mastra_server.http.responses import StreamResponse, json_response
from mastra_server.http.schemas import Message
from mastra_server.middleware.request_spans import get_trace_ids
from mastra_server.workflows.result import build_run_result
from mastra_server.workflows.runs import (
    ACTIVE_STATUSES,
    build_run_context,
    get_active_runs,
    get_engine,
    get_run,
    get_workflow,
)
from mastra_server.workflows.schemas import RunIdQuery, WorkflowResult
from mastra_server.workflows.step_paths import resolve_step
from mastra_server.workflows.stream import stream_run

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]


class _Travel(msgspec.Struct, rename="camel", kw_only=True):
    step: str | list[str]
    input_data: Any = msgspec.UNSET
    resume_data: Any = None
    initial_state: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    nested_steps_context: dict[str, dict[str, Any]] | None = None
    request_context: dict[str, Any] | None = None
    per_step: bool | None = None

    @property
    def step_contexts(self) -> dict[str, Any]:
        """The states that the caller passes for steps, by path."""
        inner = {
            f"{name}.{step}": context
            for name, steps in (self.nested_steps_context or {}).items()
            for step, context in steps.items()
        }
        return {**(self.context or {}), **inner}

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs that the caller passes for earlier steps, by path."""
        return {
            path: context["output"]
            for path, context in self.step_contexts.items()
            if isinstance(context, dict) and "output" in context
        }

    def get_input(self, step: str) -> Any:
        """Return the input that the caller passes for ``step``."""
        if self.input_data is not msgspec.UNSET:
            return self.input_data
        context = self.step_contexts.get(step)
        return context.get("payload", msgspec.UNSET) if isinstance(context, dict) else msgspec.UNSET


class _Restart(msgspec.Struct, rename="camel"):
    request_context: dict[str, Any] | None = None


@post(
    "/api/workflows/{workflow_id:str}/time-travel",
    operation_id="workflow_travel_time_travel",
    query=RunIdQuery,
    body=_Travel,
    response=Message,
    errors=(403, 409),
)
async def _time_travel(request: _Request) -> ASGIResponse:
    """Execute a run again from a step, and respond at once."""
    await _begin_time_travel(request)
    return json_response({"message": "Workflow run time travel started"})


@post(
    "/api/workflows/{workflow_id:str}/time-travel-async",
    operation_id="workflow_travel_time_travel_async",
    query=RunIdQuery,
    body=_Travel,
    response=WorkflowResult,
    errors=(403, 409),
)
async def _time_travel_and_wait(request: _Request) -> ASGIResponse:
    """Execute a run again from a step, and respond when it has ended or is suspended."""
    run, _ = await _begin_time_travel(request)
    return json_response(build_run_result(await run.wait(), get_trace_ids(run)))


@post(
    "/api/workflows/{workflow_id:str}/time-travel-stream",
    operation_id="workflow_travel_time_travel_stream",
    query=RunIdQuery,
    body=_Travel,
    stream="records",
    errors=(403, 409),
)
async def _time_travel_and_stream(request: _Request) -> StreamResponse:
    """Execute a run again from a step, and stream its chunks."""
    return stream_run(*await _begin_time_travel(request))


@post(
    "/api/workflows/{workflow_id:str}/restart",
    operation_id="workflow_travel_restart",
    query=RunIdQuery,
    body=_Restart,
    response=Message,
    errors=(403, 409),
)
async def _restart_run(request: _Request) -> ASGIResponse:
    """Restart an interrupted or stuck run, and respond at once."""
    await _begin_restart(request)
    return json_response({"message": "Workflow run restarted"})


@post(
    "/api/workflows/{workflow_id:str}/restart-async",
    operation_id="workflow_travel_restart_async",
    query=RunIdQuery,
    body=_Restart,
    response=WorkflowResult,
    errors=(403, 409),
)
async def _restart_and_wait(request: _Request) -> ASGIResponse:
    """Restart an interrupted or stuck run, and respond when it has ended or is suspended."""
    run = await _begin_restart(request)
    return json_response(build_run_result(await run.wait(), get_trace_ids(run)))


@post(
    "/api/workflows/{workflow_id:str}/restart-all-active-workflow-runs",
    operation_id="workflow_travel_restart_all",
    response=Message,
)
async def _restart_all_runs(request: _Request) -> ASGIResponse:
    """Restart every unfinished run of a workflow, and respond at once."""
    await _begin_all_restarts(request)
    return json_response({"message": "All active workflow runs restarted"})


@post(
    "/api/workflows/{workflow_id:str}/restart-all-active-workflow-runs-async",
    operation_id="workflow_travel_restart_all_async",
    response=Message,
)
async def _restart_all_and_wait(request: _Request) -> ASGIResponse:
    """Restart every unfinished run of a workflow; respond when all have ended or are suspended."""
    await asyncio.gather(*(run.wait() for run in await _begin_all_restarts(request)))
    return json_response({"message": "All active workflow runs restarted"})


ROUTES = (
    _time_travel,
    _time_travel_and_wait,
    _time_travel_and_stream,
    _restart_run,
    _restart_and_wait,
    _restart_all_runs,
    _restart_all_and_wait,
)


async def _begin_time_travel(request: _Request) -> tuple[Run, int]:
    """Execute the run again; return the run and the offset of its first new event."""
    run = await get_run(request, require_param(request, "runId"))
    body = await read_body(request, _Travel)
    step = resolve_step(get_workflow(request), body.step)
    before = run.position
    await get_engine(request).time_travel(
        run,
        step,
        body.get_input(step),
        outputs=body.outputs,
        state=body.initial_state,
        resume_data=body.resume_data,
        context=build_run_context(request, run, body.request_context),
        per_step=bool(body.per_step),
    )
    return run, before


async def _begin_restart(request: _Request) -> Run:
    run = await get_run(request, require_param(request, "runId"))
    body = await read_body(request, _Restart)
    await get_engine(request).restart(run, build_run_context(request, run, body.request_context))
    return run


async def _begin_all_restarts(request: _Request) -> list[Run]:
    engine, workflow = get_engine(request), get_workflow(request)
    active = await get_active_runs(request, workflow)
    for run in active:
        try:
            await engine.restart(run, build_run_context(request, run))
        except Conflict:
            if run.record.status in ACTIVE_STATUSES:
                raise  # otherwise the run has ended or was paused meanwhile
    return active
