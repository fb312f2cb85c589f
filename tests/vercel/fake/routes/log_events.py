"""Past runtime logs, page by page, as `vercel logs` 64 queries them.

The endpoint is undocumented: request and response are what the command line sends and accepts.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from tests.vercel.fake.state.deployment import Deployment
from tests.vercel.fake.transport.request import ApiError, Request
from tests.vercel.fake.transport.routing import route

EVENTS = ("vercel.log", "vercel.proxy_response")


@route("POST", "observability/events", 1)
def list_log_events(request: Request) -> dict[str, Any]:
    """List events, newest first; only `vercel.log` has events here."""
    body = request.parse_object()
    if body.get("event") not in EVENTS or body.get("scope", {}).get("ownerId") != request.scope:
        raise ApiError(400, "bad_request", "Invalid request: `event` or `scope`")
    conditions = dict(re.findall(r'(\w+):"?([^"\s)]+)', body.get("filter") or ""))
    rows = _select_rows(request, body) if body["event"] == EVENTS[0] else []
    matching = [row for row in rows if all(str(row.get(k)) == v for k, v in conditions.items())]
    matching.sort(key=lambda row: row["timestamp"], reverse=body.get("order", "desc") == "desc")
    first, limit = int(body.get("cursor") or 0), int(body.get("limit") or 100)
    more = len(matching) > first + limit
    pages = {"hasMore": more, "nextCursor": str(first + limit) if more else None}
    fields = ["timestamp", *body.get("select", [])]
    page = matching[first : first + limit]
    events = [{name: row[name] for name in fields if name in row} for row in page]
    return {"events": events, "pagination": pages, "meta": {"excludedIntervals": []}}


def _select_rows(request: Request, body: dict[str, Any]) -> list[dict[str, Any]]:
    start, end = (_parse_milliseconds(body["timeRange"][name]) for name in ("start", "end"))
    projects = body["scope"].get("projectIds")
    return [
        _render_row(deployment, row)
        for deployment in request.platform.deployments.values()
        if deployment.owner == request.scope and (not projects or deployment.project in projects)
        for row in deployment.logs
        if start <= row["timestampInMs"] <= end and row["source"] == "serverless"
    ]


def _render_row(deployment: Deployment, row: dict[str, Any]) -> dict[str, Any]:
    time = dt.datetime.fromtimestamp(row["timestampInMs"] / 1000, dt.UTC)
    copied = ("level", "message", "source", "domain", "requestPath", "requestMethod")
    return {
        **{name: row[name] for name in copied},
        "timestamp": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "projectId": deployment.project,
        "deploymentId": deployment.id,
        "environment": deployment.target or "preview",
        "requestId": row["rowId"],
        "runtime": "python",
        "region": "iad1",
        "stream": "stderr" if row["level"] == "error" else "stdout",
        "isSystemLog": False,
        "truncated": row["messageTruncated"],
    }


def _parse_milliseconds(text: str) -> float:
    """Return milliseconds since 1970."""
    return dt.datetime.fromisoformat(text).timestamp() * 1000
