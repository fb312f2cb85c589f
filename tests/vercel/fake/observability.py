"""The past of runtime logs, page by page, as `vercel logs` 64 asks for it.

No document describes it: request and answer are what the command line sends and takes.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from tests.vercel.fake.call import Call, Refused
from tests.vercel.fake.lifecycle import Deployment
from tests.vercel.fake.routes import route

EVENTS = ("vercel.log", "vercel.proxy_response")


@route("POST", "observability/events", 1)
def events(call: Call) -> dict[str, Any]:
    """The newest first; only `vercel.log` has any here."""
    told = call.told()
    if told.get("event") not in EVENTS or told.get("scope", {}).get("ownerId") != call.scope:
        raise Refused(400, "bad_request", "Invalid request: `event` or `scope`")
    wanted = dict(re.findall(r'(\w+):"?([^"\s)]+)', told.get("filter") or ""))
    rows = _rows(call, told) if told["event"] == EVENTS[0] else []
    fitting = [row for row in rows if all(str(row.get(k)) == v for k, v in wanted.items())]
    fitting.sort(key=lambda row: row["timestamp"], reverse=told.get("order", "desc") == "desc")
    first, limit = int(told.get("cursor") or 0), int(told.get("limit") or 100)
    more = len(fitting) > first + limit
    pages = {"hasMore": more, "nextCursor": str(first + limit) if more else None}
    selected = ["timestamp", *told.get("select", [])]
    page = fitting[first : first + limit]
    shown = [{name: row[name] for name in selected if name in row} for row in page]
    return {"events": shown, "pagination": pages, "meta": {"excludedIntervals": []}}


def _rows(call: Call, told: dict[str, Any]) -> list[dict[str, Any]]:
    start, end = (_moment(told["timeRange"][name]) for name in ("start", "end"))
    projects = told["scope"].get("projectIds")
    return [
        _row(deployment, row)
        for deployment in call.world.deployments.values()
        if deployment.owner == call.scope and (not projects or deployment.project in projects)
        for row in deployment.logs
        if start <= row["timestampInMs"] <= end and row["source"] == "serverless"
    ]


def _row(deployment: Deployment, row: dict[str, Any]) -> dict[str, Any]:
    when = dt.datetime.fromtimestamp(row["timestampInMs"] / 1000, dt.UTC)
    same = ("level", "message", "source", "domain", "requestPath", "requestMethod")
    return {
        **{name: row[name] for name in same},
        "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
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


def _moment(text: str) -> float:
    """Milliseconds since 1970."""
    return dt.datetime.fromisoformat(text).timestamp() * 1000
