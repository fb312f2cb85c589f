"""Routes of the stored runs of all workflows, which ``mastra runs --url`` calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import Forbidden
from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.run_operations import RunOperations
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import (
    Id,
    InvalidQuery,
    MaybeId,
    read_body,
    read_id_param,
    read_number_param,
    require_param,
)
from mastra_server.http.request_context import (
    build_context,
    restrict_to_resource,
    restrict_to_thread,
)
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import ContextQuery

if TYPE_CHECKING:
    from mastra_core.durable_agents import DurableAgent

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_DEFAULT_SIZE = 20
_MAX_SIZE = 1_000  # runs of one response


class _ListQuery(ContextQuery):
    """The filters and the size of a list of stored runs."""

    workflow_id: str = ""
    status: str = ""
    limit: Annotated[int, msgspec.Meta(ge=0, le=_MAX_SIZE)] = _DEFAULT_SIZE


class _RunQuery(ContextQuery, kw_only=True):
    """The run of an operation; its workflow or owner is required if its id is not unique."""

    run_id: Annotated[str, msgspec.Meta(min_length=1)]
    workflow_id: str = ""
    resource_id: str = ""


class _WorkflowQuery(ContextQuery, kw_only=True):
    """A workflow."""

    workflow_id: Annotated[str, msgspec.Meta(min_length=1)]


class _Selected(msgspec.Struct, rename="camel"):
    run_id: Id
    workflow_id: MaybeId = None
    resource_id: MaybeId = None


class _Resumed(_Selected, rename="camel"):
    step: str = ""
    data: Any = None


class _Moved(msgspec.Struct, rename="camel"):
    run_id: MaybeId = None
    workflow_id: MaybeId = None
    resource_id: MaybeId = None
    source: MaybeId = None
    target: MaybeId = None
    after: Annotated[int, msgspec.Meta(ge=0)] = 0


class _StoredRun(TypedDict):
    """A run, and the process that executes it."""

    runId: str
    workflowId: str
    resourceId: str
    status: str
    suspendedSteps: list[str]
    createdAt: int
    updatedAt: int
    attempt: int
    holder: str
    fingerprint: str
    priority: int
    error: dict[str, Any] | None
    parentRunId: NotRequired[str | None]
    children: NotRequired[list[dict[str, str]]]
    steps: NotRequired[dict[str, Any]]


class _Runs(TypedDict):
    """The newest runs, the number of runs by status, and the runs that no process can execute."""

    runs: list[_StoredRun]
    counts: dict[str, int]
    parked: list[dict[str, Any]]


class _OneRun(TypedDict):
    """A run."""

    run: _StoredRun


class _Fingerprint(TypedDict):
    """A fingerprint of a workflow, the live processes that have it, and its unfinished runs."""

    fingerprint: str
    createdAt: int
    processes: list[str]
    unfinished: int


class _Fingerprints(TypedDict):
    """The fingerprints of a workflow, newest first."""

    fingerprints: list[_Fingerprint]


class _Moves(TypedDict):
    """The moved runs; to continue, the next call passes the value of ``next`` as ``after``."""

    to: str
    moved: list[str]
    refused: dict[str, str]
    next: int | None


@get("/api/workflow-runs", operation_id="stored_runs_list", query=_ListQuery, response=_Runs)
async def _list_runs(request: _Request) -> ASGIResponse:
    """List the newest runs of all workflows."""
    size = read_number_param(request, "limit")
    if size is not None and size > _MAX_SIZE:
        raise InvalidQuery("limit", f"Expected at most {_MAX_SIZE}")
    operations = await _get_operations(request)
    workflow, status = read_id_param(request, "workflowId"), read_id_param(request, "status")
    return json_response(
        await operations.list_runs(workflow, status, _DEFAULT_SIZE if size is None else size)
    )


@get(
    "/api/workflow-runs/details",
    operation_id="stored_runs_details",
    query=_RunQuery,
    response=_OneRun,
    errors=(403, 409),
)
async def _show_run(request: _Request) -> ASGIResponse:
    """Get a run, its steps, and the runs that it has started."""
    run_id, workflow = require_param(request, "runId"), read_id_param(request, "workflowId")
    owner = restrict_to_resource(request, read_id_param(request, "resourceId"))
    operations = await _get_operations(request)
    return json_response(await operations.show_run(run_id, workflow, owner))


@get(
    "/api/workflow-runs/fingerprints",
    operation_id="stored_runs_fingerprints",
    query=_WorkflowQuery,
    response=_Fingerprints,
    errors=(403,),
)
async def _list_fingerprints(request: _Request) -> ASGIResponse:
    """List the fingerprints of a workflow, and the live processes that have each fingerprint."""
    workflow = require_param(request, "workflowId")
    operations = await _get_operations(request, of_all=True)
    return json_response(await operations.list_fingerprints(workflow))


@post(
    "/api/workflow-runs/cancel",
    operation_id="stored_runs_cancel",
    body=_Selected,
    response=_OneRun,
    errors=(403, 409),
)
async def _cancel_run(request: _Request) -> ASGIResponse:
    """Cancel a run."""
    body = await read_body(request, _Selected)
    operations = await _get_operations(request)
    owner = restrict_to_resource(request, body.resource_id or "")
    changed = await operations.cancel_run(body.run_id, body.workflow_id or "", owner)
    durable_agents: Mapping[str, DurableAgent] = request.app.state.mastra.durable_agents
    for agent in durable_agents.values():  # the thread shows the end of the run
        if agent.workflow.id == changed["run"]["workflowId"]:
            await agent.store_canceled_run(changed["run"]["runId"], changed["run"]["resourceId"])
    return json_response(changed)


@post(
    "/api/workflow-runs/resume",
    operation_id="stored_runs_resume",
    body=_Resumed,
    response=_OneRun,
    errors=(403, 409),
)
async def _resume_run(request: _Request) -> ASGIResponse:
    """Resume a suspended run; respond at once, before the step checks the data."""
    body = await read_body(request, _Resumed)
    operations = await _get_operations(request)
    owner = restrict_to_resource(request, body.resource_id or "")
    changed = await operations.resume_run(
        body.run_id, body.workflow_id or "", body.step, body.data, owner
    )
    return await _respond_and_look(request, changed)


@post(
    "/api/workflow-runs/retry",
    operation_id="stored_runs_retry",
    body=_Selected,
    response=_OneRun,
    errors=(403, 409),
)
async def _retry_run(request: _Request) -> ASGIResponse:
    """Continue a failed run and respond at once; finished steps are not executed again."""
    body = await read_body(request, _Selected)
    operations = await _get_operations(request)
    owner = restrict_to_resource(request, body.resource_id or "")
    changed = await operations.retry_run(body.run_id, body.workflow_id or "", owner)
    return await _respond_and_look(request, changed)


@post(
    "/api/workflow-runs/move",
    operation_id="stored_runs_move",
    body=_Moved,
    response=_Moves,
    errors=(403, 409),
)
async def _move_runs(request: _Request) -> ASGIResponse:
    """Let at most 500 runs continue with a changed description of their workflow."""
    body = await read_body(request, _Moved)
    operations = await _get_operations(request, of_all=True)
    moves = await operations.move_runs(
        body.run_id or "",
        body.workflow_id or "",
        body.source or "",
        body.target or "",
        body.after,
        body.resource_id or "",
    )
    return await _respond_and_look(request, moves)


ROUTES = (
    _list_runs,
    _show_run,
    _list_fingerprints,
    _cancel_run,
    _resume_run,
    _retry_run,
    _move_runs,
)


async def _get_operations(request: _Request, *, of_all: bool = False) -> RunOperations:
    """Return the operations on the runs that the caller may see.

    :param of_all: whether the operation reads or changes the runs of all callers.
    :raises Forbidden: when the caller may not use the operation.
    """
    own = restrict_to_resource(request)
    if restrict_to_thread(request) or (of_all and own):
        raise Forbidden("Access denied")
    manager = await _get_engine(request).manage()
    return RunOperations(manager, own, build_context(request))


async def _respond_and_look(request: _Request, body: dict[str, Any]) -> ASGIResponse:
    await _get_engine(request).look_soon()
    return json_response(body)


def _get_engine(request: _Request) -> DurableEngine:
    engine: DurableEngine = request.app.state.mastra.durable_engine
    return engine
