"""Routes that execute runs again: from a step, or from where they were interrupted."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, post
from litestar.response.base import ASGIResponse

from mastra_core.workflows import Run
from mastra_server.http.request_body import read_body, require_param
from mastra_server.http.request_context import build_context
from mastra_server.http.responses import StreamResponse, json_response
from mastra_server.http.schemas import Message
from mastra_server.middleware.request_spans import trace_of
from mastra_server.workflows.result import run_result
from mastra_server.workflows.runs import engine_of, run_of, visible, workflow_of
from mastra_server.workflows.schemas import RunIdQuery, WorkflowResult
from mastra_server.workflows.step_paths import named_step
from mastra_server.workflows.stream import run_stream

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
    def given(self) -> dict[str, Any]:
        """The state of steps that the caller passes, by path."""
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
            for path, context in self.given.items()
            if isinstance(context, dict) and "output" in context
        }

    def value(self, step: str) -> Any:
        """Return the input that the caller passes for ``step``."""
        if self.input_data is not msgspec.UNSET:
            return self.input_data
        context = self.given.get(step)
        return context.get("payload", msgspec.UNSET) if isinstance(context, dict) else msgspec.UNSET


class _Restart(msgspec.Struct, rename="camel"):
    request_context: dict[str, Any] | None = None


@post(
    "/api/workflows/{workflow_id:str}/time-travel",
    operation_id="workflow_travel_time_travel",
    query=RunIdQuery,
    body=_Travel,
    response=Message,
    errors=(409,),
)
async def _time_travel(request: _Request) -> ASGIResponse:
    """Execute a run again from a step and respond at once."""
    await _travelled(request)
    return json_response({"message": "Workflow run time travel started"})


@post(
    "/api/workflows/{workflow_id:str}/time-travel-async",
    operation_id="workflow_travel_time_travel_async",
    query=RunIdQuery,
    body=_Travel,
    response=WorkflowResult,
    errors=(409,),
)
async def _time_travel_async(request: _Request) -> ASGIResponse:
    """Execute a run again from a step and respond when it has ended or is suspended."""
    run, _ = await _travelled(request)
    return json_response(run_result(await run.settled(), trace_of(run)))


@post(
    "/api/workflows/{workflow_id:str}/time-travel-stream",
    operation_id="workflow_travel_time_travel_stream",
    query=RunIdQuery,
    body=_Travel,
    stream="records",
    errors=(409,),
)
async def _time_travel_stream(request: _Request) -> StreamResponse:
    """Execute a run again from a step and stream what it does."""
    return run_stream(*await _travelled(request))


@post(
    "/api/workflows/{workflow_id:str}/restart",
    operation_id="workflow_travel_restart",
    query=RunIdQuery,
    body=_Restart,
    response=Message,
    errors=(409,),
)
async def _restart(request: _Request) -> ASGIResponse:
    """Restart an interrupted or stuck run and respond at once."""
    await _restarted(request)
    return json_response({"message": "Workflow run restarted"})


@post(
    "/api/workflows/{workflow_id:str}/restart-async",
    operation_id="workflow_travel_restart_async",
    query=RunIdQuery,
    body=_Restart,
    response=WorkflowResult,
    errors=(409,),
)
async def _restart_async(request: _Request) -> ASGIResponse:
    """Restart an interrupted or stuck run and respond when it has ended or is suspended."""
    run = await _restarted(request)
    return json_response(run_result(await run.settled(), trace_of(run)))


@post(
    "/api/workflows/{workflow_id:str}/restart-all-active-workflow-runs",
    operation_id="workflow_travel_restart_all",
    response=Message,
)
async def _restart_all(request: _Request) -> ASGIResponse:
    """Restart every unfinished run of a workflow and respond at once."""
    await _all_restarted(request)
    return json_response({"message": "All active workflow runs restarted"})


@post(
    "/api/workflows/{workflow_id:str}/restart-all-active-workflow-runs-async",
    operation_id="workflow_travel_restart_all_async",
    response=Message,
)
async def _restart_all_async(request: _Request) -> ASGIResponse:
    """Restart every unfinished run of a workflow and respond when all have settled."""
    await asyncio.gather(*(run.settled() for run in await _all_restarted(request)))
    return json_response({"message": "All active workflow runs restarted"})


ROUTES = (
    _time_travel,
    _time_travel_async,
    _time_travel_stream,
    _restart,
    _restart_async,
    _restart_all,
    _restart_all_async,
)


async def _travelled(request: _Request) -> tuple[Run, int]:
    """Execute the run again; return it and the offset of its first new event."""
    run = await run_of(request, require_param(request, "runId"))
    body = await read_body(request, _Travel)
    step = named_step(workflow_of(request), body.step)
    before = run.position
    await engine_of(request).travel(
        run,
        step,
        body.value(step),
        outputs=body.outputs,
        state=body.initial_state,
        resume_data=body.resume_data,
        context=build_context(request, body.request_context),
        per_step=bool(body.per_step),
    )
    return run, before


async def _restarted(request: _Request) -> Run:
    run = await run_of(request, require_param(request, "runId"))
    body = await read_body(request, _Restart)
    await engine_of(request).restart(run, build_context(request, body.request_context))
    return run


async def _all_restarted(request: _Request) -> list[Run]:
    engine, workflow = engine_of(request), workflow_of(request)
    context = build_context(request)
    active = [
        await engine.get(workflow, record.run_id)
        for record in await visible(request, engine, workflow)
        if record.status in ("running", "waiting")
    ]
    for run in active:
        await engine.restart(run, context)
    return active
