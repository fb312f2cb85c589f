"""The log: a query for past lines, and tails for new ones."""

from __future__ import annotations

import uuid
from typing import Any

from tests.cloudflare.fake.routing import Request, route
from tests.cloudflare.fake.state import LogRow

_TAILS = "/accounts/{account}/workers/scripts/{name}/tails"


@route("POST", "/accounts/{account}/workers/observability/telemetry/query", "observability")
def query_log(request: Request) -> Any:
    body = request.json
    wanted = {item["key"]: item["value"] for item in body["parameters"]["filters"]}
    frame = body["timeframe"]
    request.platform.log_starts.append(frame["from"])
    rows = [
        (index, row)
        for index, row in enumerate(request.platform.logs)
        if frame["from"] <= row.milliseconds <= frame["to"]
        and row.worker == wanted.get("$workers.scriptName", row.worker)
        and wanted.get("$workers.scriptVersion.id", row.version) == row.version
    ]
    rows.reverse()  # the newest first
    offset = body.get("offset")
    start = next((at + 1 for at, (index, _) in enumerate(rows) if str(index) == offset), 0)
    events = [_describe(index, row) for index, row in rows[start : start + body["limit"]]]
    return {"run": {}, "events": {"events": events, "count": len(events)}}


@route("GET", _TAILS, "tail")
def list_tails(request: Request) -> Any:
    return [{"id": key} for key in request.worker.tails]


@route("POST", _TAILS, "tail")
def create_tail(request: Request) -> Any:
    key = uuid.uuid4().hex
    request.worker.tails[key] = len(request.platform.logs)
    url = f"ws://{request.headers['host']}/tails/{request.worker.name}/{key}"
    return {"id": key, "url": url, "expires_at": "2999-01-01T00:00:00Z"}


@route("DELETE", f"{_TAILS}/{{tail}}", "tail")
def delete_tail(request: Request) -> Any:
    request.worker.tails.pop(request["tail"], None)


def _describe(index: int, row: LogRow) -> dict[str, Any]:
    text = row.message
    return {
        "timestamp": row.milliseconds,
        "dataset": "cloudflare-workers",
        "source": {"message": text, "level": row.level},
        "$metadata": {"id": str(index), "service": row.worker, "message": text, "level": row.level},
        "$workers": {
            "scriptName": row.worker,
            "scriptVersion": {"id": row.version},
            "outcome": row.outcome,
        },
    }
