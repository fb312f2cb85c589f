"""Read the runtime logs of a deployment."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import LogLine
from mastra_deployer.kit import (
    follow_logs,
    iter_lines,
    iter_pages,
    quote_segment,
    read_object,
    require_deployed,
)
from mastra_deployer_vercel.resources.deployments import get_deployment
from mastra_deployer_vercel.resources.project import get_live_id, get_project
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("read_logs",)

_PAGE = 100
_LEVELS = {"warn": "warning", "fatal": "error"}


def read_logs(
    client: httpx.Client,
    settings: VercelDeployer,
    id: str,
    since: dt.datetime | None,
    *,
    follow: bool,
) -> Iterator[LogLine]:
    """Yield past log lines of a deployment; with ``follow``, also yield new lines.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :param id: id of the deployment; empty for the live one.
    :param since: time of the first line; one hour ago when ``None``. How long Vercel keeps lines
        depends on the plan.
    :param follow: whether to wait for further lines.
    :returns: the lines, oldest first.
    :raises DeployError: when there is no such deployment.
    """
    project = get_project(client, settings)
    deployment_id = require_deployed(
        id or get_live_id(project),
        "No deployment is live in production.",
        "Deploy first, or pass the id of a deployment.",
    )
    deployment = str(get_deployment(client, project, deployment_id)["id"])
    start = last = since or dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    for line in _iter_past_lines(client, project, deployment, start):
        last = line.time or last
        yield line
    if follow:
        own = quote_segment(project["id"]), quote_segment(deployment)
        path = "/v1/projects/{}/deployments/{}/runtime-logs".format(*own)
        # Vercel ends a stream after some minutes, and the next one repeats lines.
        yield from follow_logs(lambda: _stream_lines(client, path), after=last)


def _iter_past_lines(
    client: httpx.Client, project: dict[str, Any], deployment: str, since: dt.datetime
) -> Iterator[LogLine]:
    """Yield past lines, oldest first, in pages: ``POST /v1/observability/events``.

    The endpoint is undocumented, but Vercel's own command uses it.
    """
    body: dict[str, Any] = {
        "event": "vercel.log",
        "scope": {"ownerId": project["accountId"], "projectIds": [project["id"]]},
        "timeRange": {"start": _format_time(since), "end": _format_time(dt.datetime.now(dt.UTC))},
        "filter": f'deploymentId:"{deployment}"',
        "select": ["level", "message"],
        "order": "asc",
        "limit": _PAGE,
    }

    def fetch(cursor: str) -> tuple[list[dict[str, Any]], str]:
        response = read_object(
            client.post(
                "/v1/observability/events",
                json={**body, "cursor": cursor} if cursor else body,
                extensions={"mastra_idempotent": True},
            )
        )
        following = (response.get("pagination") or {}).get("nextCursor")
        return response.get("events") or [], str(following or "")

    for rows in iter_pages(fetch, "", description="the log", hint="Pass a later --since."):
        for row in rows:
            time = dt.datetime.fromisoformat(row["timestamp"])
            yield _build_log_line(str(row.get("message") or ""), time, str(row.get("level") or ""))


def _stream_lines(client: httpx.Client, path: str) -> Iterator[tuple[str, LogLine]]:
    """Yield the lines of one stream, with their ids: ``GET .../runtime-logs``."""
    for row in _stream_rows(client, path):
        if (line := _to_log_line(row)) is not None:
            yield str(row.get("rowId") or ""), line


def _stream_rows(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    query = {**dict(client.params), "format": "lines"}
    endless = {"mastra_max_size": None, "mastra_max_seconds": None}
    with client.stream(
        "GET", path, params=query, timeout=None, extensions=endless
    ) as response:  # idle streams are normal
        for text in iter_lines(response):
            row = json.loads(text) if text.strip() else {}
            if row.get("source") == "delimiter":
                return
            yield row


def _to_log_line(row: dict[str, Any]) -> LogLine | None:
    text = str(row.get("message") or "").rstrip("\n")
    if not text:
        if not row.get("requestPath"):
            return None
        request = f"{row.get('requestMethod', '')} {row['requestPath']}"
        text = f"{request} {row.get('responseStatusCode', '')}".strip()
    milliseconds = row.get("timestampInMs")
    time = dt.datetime.fromtimestamp(int(milliseconds) / 1000, dt.UTC) if milliseconds else None
    return _build_log_line(text, time, str(row.get("level") or ""))


def _build_log_line(text: str, time: dt.datetime | None, level: str) -> LogLine:
    return LogLine(text=text.rstrip("\n"), time=time, level=_LEVELS.get(level, level))


def _format_time(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
