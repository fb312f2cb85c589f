"""Runtime logs of a deployment: a live stream, and pages of past rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.vercel.fake.routes.deployments import find_deployment
from tests.vercel.fake.state.deployment import Deployment
from tests.vercel.fake.state.platform_state import PlatformState
from tests.vercel.fake.transport.request import Request, Response
from tests.vercel.fake.transport.routing import UNVERSIONED, route


def add_log_row(platform: PlatformState, deployment: Deployment, text: str, **fields: Any) -> None:
    """Add a row; `fields` override its defaults, such as `level` and `source`."""
    now = platform.now()
    row = {
        "rowId": f"{now}{len(deployment.logs):06}",
        "level": "info",
        "message": text,
        "messageTruncated": False,
        "source": "serverless",
        "timestampInMs": now,
        "domain": deployment.url,
        "requestMethod": "GET",
        "requestPath": "/",
        "responseStatusCode": 200,
    }
    deployment.logs.append({**row, **fields})


@route("GET", "projects/{project}/deployments/{deployment}/runtime-logs", 1)
def stream_runtime_logs(request: Request) -> Response:
    """Send all rows, then new ones, until none arrives for `PlatformState.log_seconds`.

    The last row is the delimiter by which the platform ends a live tail.
    """
    deployment = find_deployment(request, request["deployment"])
    lines = _follow_rows(request.platform, deployment)
    return Response(raw=lines, headers={"content-type": "application/stream+json"})


def _follow_rows(platform: PlatformState, deployment: Deployment) -> Iterator[bytes]:
    position, idle_since = 0, time.monotonic()
    while not platform.stop_event.is_set() and time.monotonic() - idle_since < platform.log_seconds:
        for row in deployment.logs[position:]:
            yield json.dumps(row).encode() + b"\n"
            position, idle_since = position + 1, time.monotonic()
        platform.stop_event.wait(0.02)
    delimiter = {"rowId": "", "source": "delimiter", "level": "error", "domain": ""}
    text = {"message": "Exceeded the limit of a live tail", "messageTruncated": False}
    request = {"requestMethod": "", "requestPath": "", "responseStatusCode": 0}
    last = {**delimiter, **text, **request, "timestampInMs": platform.now()}
    yield json.dumps(last).encode() + b"\n"


@route("GET", "api/logs/request-logs", UNVERSIONED)
def list_request_logs(request: Request) -> dict[str, Any]:
    """List past rows, newest first; on the platform another host serves this path."""
    deployment_id = request.get_query("deploymentId")
    rows = [
        _render_request(deployment, row)
        for deployment in request.platform.deployments.values()
        if deployment.project == request.get_query("projectId")
        and deployment_id in {"", deployment.id}
        for row in deployment.logs
    ]
    since, until = request.get_int("startDate", 0), request.get_int("endDate", 0)
    matching = [
        row for row in rows if since <= row["moment"] and (not until or row["moment"] <= until)
    ]
    matching.sort(key=lambda row: row["moment"], reverse=True)
    for row in matching:
        del row["moment"]
    return {"rows": matching, "hasMoreRows": False}


def _render_request(deployment: Deployment, row: dict[str, Any]) -> dict[str, Any]:
    entry = {"level": row["level"], "message": row["message"], "source": row["source"]}
    return {
        "requestId": row["rowId"],
        "moment": row["timestampInMs"],
        "timestamp": row["timestampInMs"],
        "deploymentId": deployment.id,
        "environment": deployment.target or "preview",
        "domain": row["domain"],
        "requestMethod": row["requestMethod"],
        "requestPath": row["requestPath"],
        "statusCode": row["responseStatusCode"],
        "logs": [{**entry, "messageTruncated": False}],
        "events": [{"source": row["source"], "httpStatus": row["responseStatusCode"]}],
    }
