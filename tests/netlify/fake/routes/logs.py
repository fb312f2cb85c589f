"""The history of the log; the live log is a WebSocket of its own."""

from __future__ import annotations

from typing import Any

from tests.netlify.fake.routing import ApiError, Request, route

_PAGE = 2


@route("GET", "/v2/sites/{site}/function_logs/{name}")
def read_log(request: Request) -> Any:
    request.find_site(request["site"])
    deploy = request.get_query("deploy_id")
    if not deploy:
        raise ApiError(400, "deploy_id is missing")
    start, end = int(request.get_query("from")), int(request.get_query("to"))
    rows = [
        {"ts": row.milliseconds, "level": row.level, "message": row.message}
        for row in request.platform.logs
        if (row.deploy, row.function) == (deploy, request["name"])
        and start <= row.milliseconds <= end
    ]
    first = int(request.get_query("cursor") or 0)
    following = {"next": str(first + _PAGE)} if first + _PAGE < len(rows) else {}
    return {"logs": rows[first : first + _PAGE], "pagination": following}
