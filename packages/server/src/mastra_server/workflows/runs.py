"""Routes of existing runs: list, details, cancel, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, delete, get, post
from litestar.response.base import ASGIResponse

from mastra_core import Workflow
from mastra_core.errors import NotFound
from mastra_core.workflows import Engine, Run, RunRecord
from mastra_server.http.request_body import read_date_param, read_number_param
from mastra_server.http.request_context import restrict_to_resource
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import Message
from mastra_server.workflows.result import listed_run, run_details
from mastra_server.workflows.schemas import RunDetails, RunFieldsQuery, RunList, RunListQuery

__all__ = ("ROUTES", "engine_of", "owned", "run_of", "visible", "workflow_of")

_Request = Request[Any, Any, Any]


def workflow_of(request: _Request) -> Workflow:
    """Return the workflow whose key or id the path names.

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


def engine_of(request: _Request) -> Engine:
    """Return the engine that executes the runs.

    :param request: the request.
    """
    engine: Engine = request.app.state.mastra.engine
    return engine


async def run_of(request: _Request, run_id: str) -> Run:
    """Return a run of the workflow that the path names.

    :param request: the request.
    :param run_id: the id of the run.
    :raises NotFound: when there is no such run.
    :raises Forbidden: when the run belongs to another resource.
    """
    return owned(request, await engine_of(request).get(workflow_of(request), run_id))


def owned(request: _Request, run: Run) -> Run:
    """Return ``run`` if the caller may access it.

    :param request: the request.
    :param run: the run.
    :raises Forbidden: when the run belongs to another resource.
    """
    restrict_to_resource(request, run.record.resource_id)
    return run


async def visible(request: _Request, engine: Engine, workflow: Workflow) -> list[RunRecord]:
    """Return the records that the caller may see: its own, where ``auth`` identifies it.

    :param request: the request.
    :param engine: the engine.
    :param workflow: the workflow.
    """
    own = restrict_to_resource(request)
    records = await engine.list(workflow)
    return [record for record in records if not own or record.resource_id in ("", own)]


@get(
    "/api/workflows/{workflow_id:str}/runs",
    operation_id="runs_list",
    query=RunListQuery,
    response=RunList,
)
async def _list(request: _Request) -> ASGIResponse:
    """List the runs of a workflow, newest first."""
    workflow, matches = workflow_of(request), _filter(request)
    all_records = await visible(request, engine_of(request), workflow)
    records = [record for record in all_records if matches(record)]
    page = records[_window(request)]
    return json_response(
        {"runs": [listed_run(workflow, record) for record in page], "total": len(records)}
    )


@get(
    "/api/workflows/{workflow_id:str}/runs/{run_id:str}",
    operation_id="runs_details",
    query=RunFieldsQuery,
    response=RunDetails,
)
async def _details(request: _Request) -> ASGIResponse:
    """Get a run in its present state."""
    run = await run_of(request, request.path_params["run_id"])
    fields = frozenset(filter(None, request.query_params.get("fields", "").split(",")))
    nested = request.query_params.get("withNestedWorkflows", "true") != "false"
    return json_response(run_details(workflow_of(request), run.record, fields, nested=nested))


@post(
    "/api/workflows/{workflow_id:str}/runs/{run_id:str}/cancel",
    operation_id="runs_cancel",
    response=Message,
)
async def _cancel(request: _Request) -> ASGIResponse:
    """Cancel a run."""
    await engine_of(request).cancel(await run_of(request, request.path_params["run_id"]))
    return json_response({"message": "Workflow run cancelled"})


@delete(
    "/api/workflows/{workflow_id:str}/runs/{run_id:str}",
    operation_id="runs_delete",
    status_code=200,
    response=Message,
)
async def _delete(request: _Request) -> ASGIResponse:
    """Cancel a run and delete its record."""
    await engine_of(request).delete(await run_of(request, request.path_params["run_id"]))
    return json_response({"message": "Workflow run deleted"})


ROUTES = (_list, _details, _cancel, _delete)


def _filter(request: _Request) -> Callable[[RunRecord], bool]:
    status = request.query_params.get("status")
    resource = request.query_params.get("resourceId")
    since, until = read_date_param(request, "fromDate"), read_date_param(request, "toDate")

    def matches(record: RunRecord) -> bool:
        return (
            (not status or record.status == status)
            and (not resource or record.resource_id == resource)
            and (since is None or record.created_at >= since)
            and (until is None or record.created_at <= until)
        )

    return matches


def _window(request: _Request) -> slice:
    """Return the slice for ``page`` and ``perPage``, or ``limit`` and ``offset``."""
    size, page = read_number_param(request, "perPage"), read_number_param(request, "page")
    if size is None:
        limit = read_number_param(request, "limit")
        offset = read_number_param(request, "offset") or 0
        return slice(offset, None if limit is None else offset + limit)
    first = size * (page or 0)
    return slice(first, first + size)
