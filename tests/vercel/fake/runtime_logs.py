"""What a deployment's functions said: a stream of lines, and the pages of the past."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.vercel.fake.call import Answer, Call
from tests.vercel.fake.deployments import find_deployment
from tests.vercel.fake.lifecycle import Deployment
from tests.vercel.fake.routes import UNVERSIONED, route
from tests.vercel.fake.world import World


def say(world: World, deployment: Deployment, text: str, **about: Any) -> None:
    """Add a row; `level`, `source` and the rest of its fields may be told."""
    now = world.now()
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
    deployment.logs.append({**row, **about})


@route("GET", "projects/{project}/deployments/{deployment}/runtime-logs", 1)
def runtime_logs(call: Call) -> Answer:
    """All rows there are, then new ones, until it is quiet for `World.log_seconds`.

    The last row is the delimiter by which the platform ends a live tail.
    """
    deployment = find_deployment(call, call["deployment"])
    lines = _tail(call.world, deployment)
    return Answer(raw=lines, headers={"content-type": "application/stream+json"})


def _tail(world: World, deployment: Deployment) -> Iterator[bytes]:
    sent, quiet_since = 0, time.monotonic()
    while not world.stopped.is_set() and time.monotonic() - quiet_since < world.log_seconds:
        for row in deployment.logs[sent:]:
            yield json.dumps(row).encode() + b"\n"
            sent, quiet_since = sent + 1, time.monotonic()
        world.stopped.wait(0.02)
    delimiter = {"rowId": "", "source": "delimiter", "level": "error", "domain": ""}
    text = {"message": "Exceeded the limit of a live tail", "messageTruncated": False}
    request = {"requestMethod": "", "requestPath": "", "responseStatusCode": 0}
    last = {**delimiter, **text, **request, "timestampInMs": world.now()}
    yield json.dumps(last).encode() + b"\n"


@route("GET", "api/logs/request-logs", UNVERSIONED)
def request_logs(call: Call) -> dict[str, Any]:
    """The past, newest first; on the platform it is another host that answers this."""
    wanted = call.asked("deploymentId")
    rows = [
        _request(deployment, row)
        for deployment in call.world.deployments.values()
        if deployment.project == call.asked("projectId") and wanted in {"", deployment.id}
        for row in deployment.logs
    ]
    since, until = call.number("startDate", 0), call.number("endDate", 0)
    shown = [
        row for row in rows if since <= row["moment"] and (not until or row["moment"] <= until)
    ]
    shown.sort(key=lambda row: row["moment"], reverse=True)
    for row in shown:
        del row["moment"]
    return {"rows": shown, "hasMoreRows": False}


def _request(deployment: Deployment, row: dict[str, Any]) -> dict[str, Any]:
    said = {"level": row["level"], "message": row["message"], "source": row["source"]}
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
        "logs": [{**said, "messageTruncated": False}],
        "events": [{"source": row["source"], "httpStatus": row["responseStatusCode"]}],
    }
