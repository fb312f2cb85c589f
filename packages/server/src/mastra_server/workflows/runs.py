"""Routes of existing runs: list, details, cancel, delete."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core import Workflow
from mastra_core.errors import NotFound
from mastra_core.workflows import Engine, Run, RunQuery, RunRecord
from mastra_server.http.dates import read_date_param
from mastra_server.http.handlers import delete, get, post
from mastra_server.http.request_body import read_id_param, read_number_param
from mastra_server.http.request_context import build_context, restrict_to_resource
from mastra_server.http.responses import json_response, list_response
from mastra_server.http.schemas import Message
from mastra_server.workflows.result import build_listed_run, build_run_details
from mastra_server.workflows.schemas import (
    RunDetails,
    RunFieldsQuery,
    RunList,
    RunListQuery,
    RunOwnerQuery,
)

__all__ = (
    "ACTIVE_STATUSES",
    "ROUTES",
    "build_run_context",
    "get_active_runs",
    "get_engine",
    "get_run",
    "get_workflow",
)

ACTIVE_STATUSES = ("running", "waiting")
_Request = Request[Any, Any, Any]
_MAX_RUNS = 1_000  # in one response
_READ_SIZE = 100  # runs that are in memory at a time


def get_workflow(request: _Request) -> Workflow:
    """Return the workflow with the key or id in the path.

    :param request: the request.
    :raises NotFound: when there is no such workflow.
    """
    try:
        workflow: Workflow = request.app.state.mastra.get_workflow(
            request.path_params["workflow_id"]
        )
    except NotFound:
        raise NotFound("Workflow not found") from None
    return workflow


def get_engine(request: _Request) -> Engine:
    """Return the engine that executes the runs.

    :param request: the request.
    """
    engine: Engine = request.app.state.mastra.engine
    return engine


async def get_run(request: _Request, run_id: str) -> Run:
    """Return a run of the workflow in the path.

    :param request: the request, whose parameter ``resourceId`` may name the owner of the run.
    :param run_id: the id of the run.
    :raises NotFound: when there is no such run that the caller may see.
    :raises Forbidden: when the caller names another resource than its own.
    :raises Conflict: when the caller names no resource, and several resources have such a run.
    """
    owner = restrict_to_resource(request, read_id_param(request, "resourceId"))
    return await get_engine(request).get(get_workflow(request), run_id, owner)


def build_run_context(
    request: _Request, run: Run, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Build the request context with which an existing run continues.

    A run keeps its values, such as its tenant, unless an operator's request replaces them. If the
    caller is confined to a resource, the context has only the caller's own values.

    :param request: the request.
    :param run: the run.
    :param body: the ``requestContext`` of the request body.
    """
    context = build_context(request, body)
    return context if restrict_to_resource(request) else {**run.context, **context}


async def get_active_runs(request: _Request, workflow: Workflow) -> list[Run]:
    """Return the running and waiting runs that the caller may see.

    :param request: the request.
    :param workflow: the workflow.
    """
    # With a query for each status, a run that changes meanwhile would be found twice or not at all.
    query = RunQuery(
        status=ACTIVE_STATUSES, resource_id=restrict_to_resource(request), last_events=0
    )
    return [*await get_engine(request).get_many(workflow, query)]


@get(
    "/api/workflows/{workflow_id:str}/runs",
    operation_id="runs_list",
    query=RunListQuery,
    response=RunList,
)
async def _list_runs(request: _Request) -> ASGIResponse:
    """List the runs of a workflow, newest first."""
    workflow, engine, query = get_workflow(request), get_engine(request), _build_query(request)
    if query is None:
        return json_response({"runs": [], "total": 0})
    total = sum((await engine.count(workflow, query)).values())
    build = partial(build_listed_run, workflow, workflow.build_graph())
    page = _iter_records(engine, workflow, query)
    return await list_response(request, "runs", page, build, {"total": total})


@get(
    "/api/workflows/{workflow_id:str}/runs/{run_id:str}",
    operation_id="runs_details",
    query=RunFieldsQuery,
    response=RunDetails,
    errors=(403, 409),
)
async def _get_run_details(request: _Request) -> ASGIResponse:
    """Get a run in its present state."""
    run = await get_run(request, request.path_params["run_id"])
    fields = frozenset(filter(None, request.query_params.get("fields", "").split(",")))
    nested = request.query_params.get("withNestedWorkflows", "true") != "false"
    # The graph of a run that an earlier description of the workflow has executed.
    workflow = getattr(run, "workflow", None) or get_workflow(request)
    return json_response(build_run_details(workflow, run.record, fields, include_nested=nested))


@post(
    "/api/workflows/{workflow_id:str}/runs/{run_id:str}/cancel",
    operation_id="runs_cancel",
    query=RunOwnerQuery,
    response=Message,
    errors=(403, 409),
)
async def _cancel_run(request: _Request) -> ASGIResponse:
    """Cancel a run."""
    await get_engine(request).cancel(await get_run(request, request.path_params["run_id"]))
    return json_response({"message": "Workflow run cancelled"})


@delete(
    "/api/workflows/{workflow_id:str}/runs/{run_id:str}",
    operation_id="runs_delete",
    status_code=200,
    query=RunOwnerQuery,
    response=Message,
    errors=(403, 409),
)
async def _delete_run(request: _Request) -> ASGIResponse:
    """Cancel a run, and delete its record."""
    await get_engine(request).delete(await get_run(request, request.path_params["run_id"]))
    return json_response({"message": "Workflow run deleted"})


ROUTES = (_list_runs, _get_run_details, _cancel_run, _delete_run)


async def _iter_records(
    engine: Engine, workflow: Workflow, query: RunQuery
) -> AsyncGenerator[RunRecord]:
    """Yield the records of runs, reading a few runs at a time.

    A caller whose response becomes too large can stop before the remaining runs are read.
    """
    remaining, part = query.limit or 0, query
    while remaining > 0:
        part = msgspec.structs.replace(part, limit=min(_READ_SIZE, remaining))
        records, cursor = await engine.list_page(workflow, part)
        for record in records:
            yield record
        if cursor is None:
            return
        remaining -= len(records)
        part = msgspec.structs.replace(part, after=cursor, offset=0)


def _build_query(request: _Request) -> RunQuery | None:
    """Build the query for the requested runs; ``None`` if the caller may see none of them."""
    own = restrict_to_resource(request)
    resource = request.query_params.get("resourceId") or ""
    if own and resource not in ("", own):
        return None
    offset, limit = _read_page(request)
    return RunQuery(
        status=request.query_params.get("status") or "",
        resource_id=own or resource,
        since=read_date_param(request, "fromDate"),
        until=read_date_param(request, "toDate"),
        offset=offset,
        limit=limit,
        finished_steps="outer",
    )


def _read_page(request: _Request) -> tuple[int, int]:
    """Return the offset and the limit of a request; convert ``page`` and ``perPage`` to them.

    The limit has a maximum, because a database may contain the runs of a month.
    """
    size, page = read_number_param(request, "perPage"), read_number_param(request, "page")
    if size is None:
        offset, limit = read_number_param(request, "offset"), read_number_param(request, "limit")
        return offset or 0, _MAX_RUNS if limit is None else min(limit, _MAX_RUNS)
    size = min(size, _MAX_RUNS)
    return size * (page or 0), size
