"""Routes of schedules: list, details, pause, resume, run, and the started runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import NotFound
from mastra_core.workflows import RunRecord
from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.schedules.schedule_manager import ScheduleManager, StoredSchedule
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import read_number_param
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import ContextQuery

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_MAX_TRIGGERS = 1_000  # in one response
_Status = Literal["active", "paused"]


class _ListQuery(ContextQuery):
    """The filter of a list of schedules."""

    workflow_id: str = ""
    status: _Status = "active"


class _TriggersQuery(ContextQuery):
    """The page of a list of triggers."""

    limit: Annotated[int, msgspec.Meta(ge=0)] = 50


class _RunSummary(TypedDict):
    """The state of a run."""

    status: str
    startedAt: int
    completedAt: NotRequired[int]
    durationMs: NotRequired[int]
    error: NotRequired[str]


class _Schedule(TypedDict):
    """A schedule of a workflow."""

    id: str
    workflowId: str
    cron: str
    timezone: str
    status: _Status
    nextFireAt: int
    lastFireAt: NotRequired[int]
    lastRunId: NotRequired[str]
    lastRun: NotRequired[_RunSummary]
    inputData: NotRequired[Any]
    initialState: NotRequired[Any]
    requestContext: NotRequired[dict[str, Any]]
    metadata: NotRequired[dict[str, Any]]
    createdAt: int
    updatedAt: int


class _Schedules(TypedDict):
    """A list of schedules."""

    schedules: list[_Schedule]


class _Trigger(TypedDict):
    """A start of a run by a schedule."""

    id: str
    scheduleId: str
    runId: str
    scheduledFireAt: int
    actualFireAt: int
    outcome: Literal["published"]
    triggerKind: Literal["schedule-fire", "manual"]
    run: _RunSummary


class _Triggers(TypedDict):
    """The starts of runs, newest first."""

    triggers: list[_Trigger]


class _StartedRun(TypedDict):
    """A run that a request started for a schedule."""

    scheduleId: str
    claimId: str
    scheduledFireAt: int


@get("/api/schedules", operation_id="schedules_list", query=_ListQuery, response=_Schedules)
async def _list_schedules(request: _Request) -> ASGIResponse:
    """List the schedules of all workflows."""
    query = request.query_params
    workflow, status = query.get("workflowId"), query.get("status")
    of_agents = any(query.get(name) for name in ("agentId", "threadId", "resourceId", "name"))
    if of_agents or _is_restricted(request):
        return json_response({"schedules": []})
    manager = _get_manager(request)
    found = [
        stored
        for stored in await manager.list()
        if workflow in (None, "", stored.workflow.id) and status in (None, "", stored.row.status)
    ]
    return json_response({"schedules": [await _build_schedule(manager, each) for each in found]})


@get("/api/schedules/{schedule_id:str}", operation_id="schedules_details", response=_Schedule)
async def _get_schedule(request: _Request) -> ASGIResponse:
    """Get a schedule."""
    manager = _get_manager(request)
    return json_response(await _build_schedule(manager, await manager.get(_read_id(request))))


@post("/api/schedules/{schedule_id:str}/pause", operation_id="schedules_pause", response=_Schedule)
async def _pause_schedule(request: _Request) -> ASGIResponse:
    """Pause a schedule; it starts no more runs, even after the server restarts."""
    manager = _get_manager(request)
    return json_response(await _build_schedule(manager, await manager.pause(_read_id(request))))


@post(
    "/api/schedules/{schedule_id:str}/resume", operation_id="schedules_resume", response=_Schedule
)
async def _resume_schedule(request: _Request) -> ASGIResponse:
    """Resume a schedule; its next run starts at the schedule's next time."""
    manager = _get_manager(request)
    return json_response(await _build_schedule(manager, await manager.resume(_read_id(request))))


@post("/api/schedules/{schedule_id:str}/run", operation_id="schedules_run", response=_StartedRun)
async def _run_schedule(request: _Request) -> ASGIResponse:
    """Start a run of a schedule now; this does not change the time of the schedule's next run."""
    id_ = _read_id(request)
    run_id = (await _get_manager(request).run(id_)).record.run_id
    started = {"scheduleId": id_, "claimId": run_id, "scheduledFireAt": _parse_moment(run_id)}
    return json_response(started)


@get(
    "/api/schedules/{schedule_id:str}/triggers",
    operation_id="schedules_triggers",
    query=_TriggersQuery,
    response=_Triggers,
)
async def _list_triggers(request: _Request) -> ASGIResponse:
    """List the runs that a schedule has started, newest first."""
    id_, limit = _read_id(request), read_number_param(request, "limit")
    size = min(50 if limit is None else limit, _MAX_TRIGGERS)
    records = await _get_manager(request).list_runs(id_, size, with_steps=False)
    return json_response({"triggers": [_build_trigger(id_, record) for record in records]})


ROUTES = (
    _list_schedules,
    _get_schedule,
    _pause_schedule,
    _resume_schedule,
    _run_schedule,
    _list_triggers,
)


def _get_manager(request: _Request) -> ScheduleManager:
    engine: DurableEngine = request.app.state.mastra.durable_engine
    return engine.schedules


def _is_restricted(request: _Request) -> bool:
    """Return whether the caller is restricted to a resource or a thread; schedules have neither."""
    return bool(restrict_to_resource(request) or restrict_to_thread(request))


def _read_id(request: _Request) -> str:
    """Return the id in the path; a restricted caller sees no schedules."""
    id_: str = request.path_params["schedule_id"]
    if _is_restricted(request):
        raise NotFound(f"There is no schedule {id_!r}.", "List the schedules.")
    return id_


async def _build_schedule(manager: ScheduleManager, entry: StoredSchedule) -> dict[str, Any]:
    row, schedule = entry.row, entry.schedule
    fields = {
        "id": row.id,
        "workflowId": entry.workflow.id,
        "cron": row.cron,
        "timezone": row.timezone,
        "status": row.status,
        "nextFireAt": row.next_at,
        "lastFireAt": row.last_at,
        "lastRunId": row.last_run or None,
        "inputData": schedule.input,
        "initialState": schedule.state,
        "requestContext": schedule.context,
        "metadata": schedule.metadata,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
    if row.last_run and (record := await manager.find_run(entry, with_steps=False)) is not None:
        fields["lastRun"] = _summarize_run(record)
    return {key: value for key, value in fields.items() if value is not None}


def _build_trigger(schedule: str, record: RunRecord) -> dict[str, Any]:
    moment = _parse_moment(record.run_id)
    return {
        "id": record.run_id,
        "scheduleId": schedule,
        "runId": record.run_id,
        "scheduledFireAt": moment,
        "actualFireAt": record.created_at,
        "outcome": "published",
        "triggerKind": "manual" if moment % 1000 else "schedule-fire",
        "run": _summarize_run(record),
    }


def _summarize_run(record: RunRecord) -> dict[str, Any]:
    summary: dict[str, Any] = {"status": record.status, "startedAt": record.created_at}
    if record.is_finished:
        summary["completedAt"] = record.updated_at
        summary["durationMs"] = record.updated_at - record.created_at
    if record.error is not None:
        summary["error"] = record.error.message
    return summary


def _parse_moment(run_id: str) -> int:
    """Return the time at the end of a scheduled run's id."""
    text = run_id.rpartition("_")[2]
    return int(text) if text.isascii() and text.isdigit() else 0
