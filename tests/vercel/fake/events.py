"""What a deployment's build said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.vercel.fake.call import Answer, Call
from tests.vercel.fake.deployments import find_deployment
from tests.vercel.fake.lifecycle import BUILDING, Deployment
from tests.vercel.fake.progress import advance
from tests.vercel.fake.routes import route


@route("GET", "deployments/{id}/events", 1, 2, 3)
def events(call: Call) -> Any:
    """A list; a stream of lines for whoever follows, which ends with the build."""
    deployment = find_deployment(call, call["id"])
    advance(call.world, deployment)
    told = _told(deployment)
    if call.asked("direction") == "backward":
        told.reverse()
    limit = call.number("limit", -1)
    told = told if limit < 0 else told[:limit]
    if call.asked("format") != "lines" and not call.on("follow"):
        return Answer(body=told)
    return Answer(raw=_lines(told), headers={"content-type": "application/stream+json"})


def _lines(told: list[dict[str, Any]]) -> Iterator[bytes]:
    for event in told:
        yield json.dumps(event).encode() + b"\n"


def _told(deployment: Deployment) -> list[dict[str, Any]]:
    lines = [("stdout", "Running build in Washington, D.C., USA (East) - iad1")]
    if deployment.step >= BUILDING:
        lines.append(("stdout", "Using prebuilt build artifacts..."))
    if deployment.ended:
        lines.append(("stderr", deployment.outcome.message))
    elif deployment.ready:
        lines.append(("stdout", "Deployment completed"))
    return [_event(deployment, number, *line) for number, line in enumerate(lines)]


def _event(deployment: Deployment, number: int, kind: str, text: str) -> dict[str, Any]:
    moment = deployment.created + number
    return {
        "type": kind,
        "created": moment,
        "date": moment,
        "deploymentId": deployment.id,
        "id": f"{moment}{number:06}",
        "serial": f"{moment}{number:06}",
        "text": text,
        "info": {"type": "build", "name": "bld_fake", "entrypoint": "."},
    }
