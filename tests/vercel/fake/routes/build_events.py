"""The build log of a deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.vercel.fake.routes.deployments import find_deployment
from tests.vercel.fake.state.deployment import BUILDING, Deployment
from tests.vercel.fake.state.progress import advance
from tests.vercel.fake.transport.request import Request, Response
from tests.vercel.fake.transport.routing import route


@route("GET", "deployments/{id}/events", 1, 2, 3)
def list_build_events(request: Request) -> Any:
    """Return a list; or a stream of lines for a client that follows, until the build ends."""
    deployment = find_deployment(request, request["id"])
    advance(request.platform, deployment)
    events = _build_events(deployment)
    if request.get_query("direction") == "backward":
        events.reverse()
    limit = request.get_int("limit", -1)
    events = events if limit < 0 else events[:limit]
    if request.get_query("format") != "lines" and not request.has_flag("follow"):
        return Response(body=events)
    return Response(raw=_encode_lines(events), headers={"content-type": "application/stream+json"})


def _encode_lines(events: list[dict[str, Any]]) -> Iterator[bytes]:
    for event in events:
        yield json.dumps(event).encode() + b"\n"


def _build_events(deployment: Deployment) -> list[dict[str, Any]]:
    lines = [("stdout", "Running build in Washington, D.C., USA (East) - iad1")]
    if deployment.step >= BUILDING:
        lines.append(("stdout", "Using prebuilt build artifacts..."))
    if deployment.end_state:
        lines.append(("stderr", deployment.outcome.message))
    elif deployment.is_ready:
        lines.append(("stdout", "Deployment completed"))
    return [_build_event(deployment, number, *line) for number, line in enumerate(lines)]


def _build_event(deployment: Deployment, number: int, stream: str, text: str) -> dict[str, Any]:
    created = deployment.created + number
    return {
        "type": stream,
        "created": created,
        "date": created,
        "deploymentId": deployment.id,
        "id": f"{created}{number:06}",
        "serial": f"{created}{number:06}",
        "text": text,
        "info": {"type": "build", "name": "bld_fake", "entrypoint": "."},
    }
