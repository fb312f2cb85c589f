"""Serve the app on the Unix socket of the function's handler, until the handler ends."""

from __future__ import annotations

import atexit
import base64
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Headers of the handler, which clients cannot send.
_PREFIX = b"x-mastra-"
_ENVIRONMENT = b"x-mastra-environment"  # variables that Netlify sets with a request only
_WARM_UP = b"x-mastra-warm-up"  # the request only loads the code of both sides
_GRACE = 3.0  # seconds for the shutdown of the app
_BACKLOG = 4096
_FOREVER = 10**9  # seconds; the handler closes its connections


def main(address: str) -> None:
    """Serve on a Unix socket; write to descriptor 3 when requests may be sent.

    :param address: path of the new socket, in a directory that the process removes at its end.
    """
    directory = str(Path(address).parent)
    atexit.register(_end_processes, directory)
    threading.Thread(target=_watch_parent, args=(directory,), daemon=True).start()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    serve_app(listener, lambda: os.write(3, b"ready\n"))


def serve_app(listener: socket.socket, announce: Callable[[], object]) -> None:
    """Import the app and its agents' modules, and serve requests until SIGTERM.

    :param listener: a bound socket.
    :param announce: a function to call when the app has started, or has failed to start.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again
    import netlify_app_launcher  # type: ignore[import-not-found]  # beside this file in the function

    netlify_app_launcher.preload()
    netlify_app_launcher.app = _wrap_app(netlify_app_launcher.app, announce)
    listener.listen(_BACKLOG)
    options = {"timeout_keep_alive": _FOREVER, "forwarded_allow_ips": "*"}
    netlify_app_launcher.serve(listener, _GRACE / 2, **options)


def _watch_parent(directory: str) -> None:
    """Shut down the app as soon as the handler ends, for whatever reason."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    _end_processes(directory)


def _end_processes(directory: str) -> None:
    """Remove all temporary files of the app, and end all its processes.

    :param directory: the directory of the socket.
    """
    if "mastra_venv" in sys.modules:
        sys.modules["mastra_venv"].deactivate()
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # this process too; the handler made it the leader of the group


def _wrap_app(app: Any, announce: Callable[[], object]) -> Any:
    """Wrap the app to handle the Node handler's headers for variables and for a warm-up."""

    async def announce_start(message: Any, send: Any) -> None:
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            announce()

    async def wrapper(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, lambda message: announce_start(message, send))
            return
        own = {name: value for name, value in scope["headers"] if name.startswith(_PREFIX)}
        if _ENVIRONMENT in own:
            _set_variables(json.loads(base64.b64decode(own[_ENVIRONMENT])))
            headers = [item for item in scope["headers"] if item[0] != _ENVIRONMENT]
            scope = {**scope, "headers": headers}
        if _WARM_UP in own:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ready"})
        else:
            await app(scope, receive, send)

    return wrapper


def _set_variables(changes: dict[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


if __name__ == "__main__":
    main(sys.argv[1])
