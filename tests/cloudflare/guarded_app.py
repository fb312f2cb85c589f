"""The application of the recorded wire calls in a Worker, under the guard of requests.

A test copies this module into a project, beside ``application.py`` and ``request_guard.py``.
"""

import asyncio
import json

from application import create_application
from pyodide.webloop import PyodideTask
from request_guard import RequestGuard

from mastra_core.request_scope import enable_request_scope
from mastra_core.request_scope.mode import get_hold
from mastra_server import create_app

guard = RequestGuard()
guard.install(asyncio.get_event_loop(), PyodideTask)
keep_alive = get_hold()


def hold(awaitable):
    """Tell both the guard and the Worker that the current request goes on."""
    future = asyncio.ensure_future(awaitable)
    guard.hold(future)
    keep_alive(future)


enable_request_scope(hold)
server = create_app(create_application(storage="d1:DB"))
shared = []


async def call_server(scope, receive, send):
    """Break the rule by ``GET /shared``: every second request resolves the future of the first."""
    if scope["type"] != "http" or scope["path"] != "/shared":
        await server(scope, receive, send)
    elif shared:
        shared.pop().set_result(None)
        await respond(send, None)
    else:
        shared.append(asyncio.get_running_loop().create_future())
        await respond(send, None)


guarded_server = guard.wrap(call_server)


async def app(scope, receive, send):
    """Answer ``GET /breaches`` with what the guard has seen; pass on everything else."""
    if scope["type"] != "http" or scope["path"] != "/breaches":
        await guarded_server(scope, receive, send)
    else:
        await respond(send, {"requests": guard.requests, "breaches": guard.breaches})


async def respond(send, value):
    """Send a value as JSON."""
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
