"""Routes of workflows: list, details, start, resume, observe."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core import Workflow
from mastra_core.errors import Forbidden, InvalidInput
from mastra_core.workflows import Run, RunQuery, RunRecord
from mastra_core.workflows.engine.step_paths import strip_indexes
from mastra_server.descriptions.describe import describe_workflow
from mastra_server.http.callers import identify_caller
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import (
    MaybeId,
    read_body,
    read_id_param,
    read_number_param,
    require_param,
)
from mastra_server.http.request_context import build_context, restrict_to_resource
from mastra_server.http.responses import StreamResponse, json_response, object_response
from mastra_server.http.schemas import ListQuery, Message, StartQuery
from mastra_server.middleware.request_spans import get_trace_ids
from mastra_server.workflows import runs, time_travel
from mastra_server.workflows.result import build_run_result, count_runs
from mastra_server.workflows.runs import (
    build_run_context,
    get_engine,
    get_run,
    get_workflow,
)
from mastra_server.workflows.schemas import (
    ObserveQuery,
    RunCounts,
    RunCreated,
    RunIdQuery,
    WorkflowDetails,
    WorkflowResult,
)
from mastra_server.workflows.step_paths import (
    get_item_index,
    get_outer_step,
    resolve_step,
)
from mastra_server.workflows.stream import stream_invalid_input, stream_run

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_START_ERRORS = (403, 409, 429)


class _Create(msgspec.Struct, rename="camel"):
    resource_id: MaybeId = None


class _Start(msgspec.Struct, rename="camel"):
    input_data: Any = None
    initial_state: dict[str, Any] | None = None
    resource_id: MaybeId = None
    request_context: dict[str, Any] | None = None
    per_step: bool | None = None
    close_on_suspend: bool | None = None
    priority: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=1000,
            description="The run's priority among durable runs that wait for a process.",
        ),
    ] = 0


class _Resume(msgspec.Struct, rename="camel"):
    step: str | list[str] | None = None
    resume_data: Any = None
    for_each_index: int | None = None
    request_context: dict[str, Any] | None = None


@get(
    "/api/workflows",
    operation_id="workflows_list",
    query=ListQuery,
    response=dict[str, WorkflowDetails],
)
async def _list_workflows(request: _Request) -> ASGIResponse:
    """List all workflows, by registration key."""
    partial = request.query_params.get("partial") == "true"
    workflows = request.app.state.mastra.workflows
    return await object_response(
        request, workflows, lambda each: describe_workflow(each, partial=partial)
    )


@get(
    "/api/workflows/run-counts", operation_id="workflows_run_counts", response=dict[str, RunCounts]
)
async def _count_workflow_runs(request: _Request) -> ASGIResponse:
    """Count the running and suspended runs of each workflow."""
    engine, workflows = get_engine(request), request.app.state.mastra.workflows.items()
    query = RunQuery(resource_id=restrict_to_resource(request))
    return json_response(
        {key: count_runs(await engine.count(each, query)) for key, each in workflows}
    )


@get("/api/workflows/{workflow_id:str}", operation_id="workflows_details", response=WorkflowDetails)
async def _get_workflow_details(request: _Request) -> ASGIResponse:
    """Get a workflow, by its registration key or id."""
    return json_response(describe_workflow(get_workflow(request)))


@post(
    "/api/workflows/{workflow_id:str}/create-run",
    operation_id="workflows_create_run",
    query=StartQuery,
    body=_Create,
    response=RunCreated,
    errors=_START_ERRORS,
)
async def _create_run(request: _Request) -> ASGIResponse:
    """Create a run without starting it."""
    workflow = get_workflow(request)
    body = await read_body(request, _Create)
    run = await _create_owned_run(request, workflow, body.resource_id)
    return json_response({"runId": run.record.run_id})


@post(
    "/api/workflows/{workflow_id:str}/start",
    operation_id="workflows_start",
    query=RunIdQuery,
    body=_Start,
    response=Message,
    errors=_START_ERRORS,
)
async def _start_run(request: _Request) -> ASGIResponse:
    """Start a run and respond at once."""
    run = await get_run(request, require_param(request, "runId"))
    await _begin_run(request, run, await _read_start(request))
    return json_response({"message": "Workflow run started"})


@post(
    "/api/workflows/{workflow_id:str}/start-async",
    operation_id="workflows_start_async",
    query=StartQuery,
    body=_Start,
    response=WorkflowResult,
    errors=_START_ERRORS,
)
async def _start_and_wait(request: _Request) -> ASGIResponse:
    """Start a run, and respond when it has ended or is suspended."""
    workflow = get_workflow(request)
    body = await _read_start(request)
    run = await _create_owned_run(request, workflow, body.resource_id)
    await _begin_run(request, run, body)
    return json_response(build_run_result(await run.wait(), get_trace_ids(run)))


@post(
    "/api/workflows/{workflow_id:str}/stream",
    operation_id="workflows_stream",
    query=RunIdQuery,
    body=_Start,
    stream="records",
    errors=_START_ERRORS,
)
async def _start_and_stream(request: _Request) -> StreamResponse:
    """Start a run, and stream its chunks."""
    workflow = get_workflow(request)
    run_id = require_param(request, "runId")
    body = await _read_start(request)
    run = await _create_owned_run(request, workflow, body.resource_id)
    try:
        await _begin_run(request, run, body)
    except InvalidInput as error:
        return stream_invalid_input(workflow.id, run_id, error)
    return stream_run(run, past_suspension=body.close_on_suspend is False)


@post(
    "/api/workflows/{workflow_id:str}/resume",
    operation_id="workflows_resume",
    query=RunIdQuery,
    body=_Resume,
    response=Message,
    errors=(403, 409),
)
async def _resume_run(request: _Request) -> ASGIResponse:
    """Resume a suspended run and respond at once."""
    await _resume_suspended(request)
    return json_response({"message": "Workflow run resumed"})


@post(
    "/api/workflows/{workflow_id:str}/resume-async",
    operation_id="workflows_resume_async",
    query=RunIdQuery,
    body=_Resume,
    response=WorkflowResult,
    errors=(403, 409),
)
async def _resume_and_wait(request: _Request) -> ASGIResponse:
    """Resume a suspended run, and respond when it has ended or is suspended again."""
    run, _ = await _resume_suspended(request)
    return json_response(build_run_result(await run.wait(), get_trace_ids(run)))


@post(
    "/api/workflows/{workflow_id:str}/resume-no-wait",
    operation_id="workflows_resume_no_wait",
    query=RunIdQuery,
    body=_Resume,
    response=RunCreated,
    errors=(403, 409),
)
async def _resume_and_return_id(request: _Request) -> ASGIResponse:
    """Resume a suspended run, and respond at once with its id."""
    run, _ = await _resume_suspended(request)
    return json_response({"runId": run.record.run_id})


@post(
    "/api/workflows/{workflow_id:str}/resume-stream",
    operation_id="workflows_resume_stream",
    query=RunIdQuery,
    body=_Resume,
    stream="records",
    errors=(403, 409),
)
async def _resume_and_stream(request: _Request) -> StreamResponse:
    """Resume a suspended run, and stream its chunks."""
    return stream_run(*await _resume_suspended(request))


@post(
    "/api/workflows/{workflow_id:str}/observe",
    operation_id="workflows_observe",
    query=ObserveQuery,
    stream="records",
    errors=(403, 409),
)
async def _observe_run(request: _Request) -> StreamResponse:
    """Stream an existing run from its beginning; skip the first ``offset`` chunks.

    If the run has not started, the stream is empty.
    """
    run = await get_run(request, require_param(request, "runId"))
    return stream_run(run, skip=read_number_param(request, "offset") or 0)


ROUTES = (
    _list_workflows,
    _count_workflow_runs,
    _get_workflow_details,
    _create_run,
    _start_run,
    _start_and_wait,
    _start_and_stream,
    _resume_run,
    _resume_and_wait,
    _resume_and_return_id,
    _resume_and_stream,
    _observe_run,
    *runs.ROUTES,
    *time_travel.ROUTES,
)


async def _create_owned_run(request: _Request, workflow: Workflow, resource: str | None) -> Run:
    return await get_engine(request).create(
        workflow,
        read_id_param(request, "runId"),
        restrict_to_resource(request, resource or ""),
        caller=identify_caller(request.scope),
        is_confined=bool(restrict_to_resource(request)),
    )


async def _read_start(request: _Request) -> _Start:
    """Read the body of a request that starts a run; refuse a priority from a restricted caller."""
    body = await read_body(request, _Start)
    if body.priority and restrict_to_resource(request):
        raise Forbidden(
            f"The caller may not set the priority {body.priority!r}.", "Leave the priority out."
        )
    return body


async def _begin_run(request: _Request, run: Run, body: _Start) -> None:
    context = build_context(request, body.request_context)
    await get_engine(request).start(
        run,
        body.input_data,
        context,
        state=body.initial_state,
        per_step=bool(body.per_step),
        priority=body.priority,
    )


async def _resume_suspended(request: _Request) -> tuple[Run, int]:
    """Resume the run; return the run and the offset of its first new event."""
    run = await get_run(request, require_param(request, "runId"))
    body = await read_body(request, _Resume)
    engine, before = get_engine(request), run.position
    context = build_run_context(request, run, body.request_context)
    steps = _select_suspended_steps(get_workflow(request), run.record, body)
    if len(steps) == 1:
        await engine.resume(run, body.resume_data, steps[0], context)
    else:
        await engine.resume_many(run, body.resume_data, steps, context)
    return run, before


def _select_suspended_steps(workflow: Workflow, record: RunRecord, body: _Resume) -> list[str]:
    """Return the suspended steps that a client names: one step, or all items of a ``foreach``."""
    step = resolve_step(workflow, body.step, record)
    if body.for_each_index is not None:
        items = [
            path for path in record.suspended_steps if _is_item(path, step, body.for_each_index)
        ]
        return items or [f"{step}[{body.for_each_index}]"]
    items = [path for path in record.suspended_steps if path.startswith(f"{step}[")] if step else []
    return items or [step]


def _is_item(path: str, step: str, index: int) -> bool:
    """Return whether the suspended step at ``path`` is in the item ``index`` of ``step``."""
    return get_item_index(path) == index and (
        not step or strip_indexes(path) == step or get_outer_step(path) == step
    )
