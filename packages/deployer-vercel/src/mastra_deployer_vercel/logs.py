"""What a deployment says while it runs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError, DeployTimeout
from mastra_core.line import LogLine
from mastra_deployer_vercel.project import live_id, need_project
from mastra_deployer_vercel.records import find_deployment
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("read_logs",)

_QUIET = 5.0  # seconds without a line after which what there is has been read
_LEVELS = {"warn": "warning", "fatal": "error"}


def read_logs(
    client: httpx.Client,
    settings: VercelDeployer,
    id: str,
    since: dt.datetime | None,
    *,
    follow: bool,
) -> Iterator[LogLine]:
    """``GET /v1/projects/{id}/deployments/{id}/runtime-logs``, line by line as they come.

    Vercel ends the stream after some minutes; with ``follow`` it is opened again.
    """
    project = need_project(client, settings)
    wanted = id or live_id(project)
    if not wanted:
        raise DeployError("Nothing is live in production.", "Deploy first, or name a deployment.")
    deployment = find_deployment(client, wanted)["id"]
    path = f"/v1/projects/{project['id']}/deployments/{deployment}/runtime-logs"
    last = ""
    while True:
        for row in _rows(client, path, None if follow else _QUIET):
            if row.get("rowId") == last and last:
                continue
            last = str(row.get("rowId") or last)
            line = _line(row)
            if line and (since is None or line.time is None or line.time >= since):
                yield line
        if not follow:
            return


def _rows(client: httpx.Client, path: str, quiet: float | None) -> Iterator[dict[str, Any]]:
    query = {**dict(client.params), "format": "lines"}
    try:
        with client.stream("GET", path, params=query, timeout=quiet) as answer:
            for text in answer.iter_lines():
                row = json.loads(text) if text.strip() else {}
                if row.get("source") == "delimiter":
                    return
                yield row
    except (DeployTimeout, _read_timeout()):
        return


def _read_timeout() -> type[Exception]:
    import httpx

    return httpx.ReadTimeout


def _line(row: dict[str, Any]) -> LogLine | None:
    text = str(row.get("message") or "").rstrip("\n")
    if not text:
        if not row.get("requestPath"):
            return None
        asked = f"{row.get('requestMethod', '')} {row['requestPath']}"
        text = f"{asked} {row.get('responseStatusCode', '')}".strip()
    moment = row.get("timestampInMs")
    level = str(row.get("level") or "")
    return LogLine(
        text=text,
        time=dt.datetime.fromtimestamp(int(moment) / 1000, dt.UTC) if moment else None,
        level=_LEVELS.get(level, level),
    )
