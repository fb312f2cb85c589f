"""Routes of runs that exist: list, details, cancel, delete."""

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
    """The workflow whose key or id the path names.

    :raises NotFound: when there is none.
    """
    try:
        workflow: Workflow = request.app.state.mastra.get_workflow(
            request.path_params["workflow_id"]
        )
    except NotFound:
        raise NotFound("Workflow not found") from None
    return workflow


def engine_of(request: _Request) -> Engine:
    """Where the runs live."""
    engine: Engine = request.app.state.mastra.engine
    return engine


async def run_of(request: _Request, run_id: str) -> Run:
    """The run of the workflow that the path names.

    :raises NotFound: when there is none.
    :raises Forbidden: when it is another's.
    """
    return owned(request, await engine_of(request).get(workflow_of(request), run_id))


def owned(request: _Request, run: Run) -> Run:
    """``run``, if the caller may touch it.

    :raises Forbidden: when it is another's.
    """
    restrict_to_resource(request, run.record.resource_id)
    return run


async def visible(request: _Request, engine: Engine, workflow: Workflow) -> list[RunRecord]:
    """The runs that the caller may see: its own, where ``auth`` says who it is."""
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
    """Runs of a workflow, newest first."""
    workflow, wanted = workflow_of(request), _filter(request)
    known = await visible(request, engine_of(request), workflow)
    records = [record for record in known if wanted(record)]
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
    """One run as it stands."""
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
    """End a run."""
    await engine_of(request).cancel(await run_of(request, request.path_params["run_id"]))
    return json_response({"message": "Workflow run cancelled"})


@delete(
    "/api/workflows/{workflow_id:str}/runs/{run_id:str}",
    operation_id="runs_delete",
    status_code=200,
    response=Message,
)
async def _delete(request: _Request) -> ASGIResponse:
    """End a run and forget it."""
    await engine_of(request).delete(await run_of(request, request.path_params["run_id"]))
    return json_response({"message": "Workflow run deleted"})


ROUTES = (_list, _details, _cancel, _delete)


def _filter(request: _Request) -> Callable[[RunRecord], bool]:
    status = request.query_params.get("status")
    resource = request.query_params.get("resourceId")
    since, until = read_date_param(request, "fromDate"), read_date_param(request, "toDate")

    def wanted(record: RunRecord) -> bool:
        return (
            (not status or record.status == status)
            and (not resource or record.resource_id == resource)
            and (since is None or record.created_at >= since)
            and (until is None or record.created_at <= until)
        )

    return wanted


def _window(request: _Request) -> slice:
    """``page`` and ``perPage``, or the older ``limit`` and ``offset``; everything by default."""
    size, page = read_number_param(request, "perPage"), read_number_param(request, "page")
    if size is None:
        limit, offset = (
            read_number_param(request, "limit"),
            read_number_param(request, "offset") or 0,
        )
        return slice(offset, None if limit is None else offset + limit)
    first = size * (page or 0)
    return slice(first, first + size)
