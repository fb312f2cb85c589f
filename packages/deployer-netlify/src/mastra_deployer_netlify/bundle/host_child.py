"""Serve the app on the Unix socket of the handler, until the handler ends."""

import base64
import json
import os
import socket
import sys
import threading
from typing import Any

_ENVIRONMENT = b"x-mastra-environment"  # variables that Netlify sets with a request only


def watch_parent() -> None:
    """End this process as soon as the handler ends, in any way."""
    sys.stdin.buffer.read()
    os._exit(0)


def serve_app(address: str) -> None:
    """Import the app, tell the handler that the app is ready, and serve its requests.

    :param address: path of the new Unix socket.
    """
    threading.Thread(target=watch_parent, daemon=True).start()
    import app_launcher  # type: ignore[import-not-found]  # beside this file in the function

    app_launcher.app = _update_environment(app_launcher.app)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(128)
    os.write(3, b"ready\n")
    app_launcher.serve(listener)


def _update_environment(app: Any) -> Any:
    """Wrap the app, so that it sets the variables in the handler's header before each request."""

    async def wrapper(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            values = [value for name, value in scope["headers"] if name == _ENVIRONMENT]
            for value in values:
                _set_variables(json.loads(base64.b64decode(value)))
            if values:
                headers = [item for item in scope["headers"] if item[0] != _ENVIRONMENT]
                scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return wrapper


def _set_variables(changes: dict[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


if __name__ == "__main__":
    serve_app(sys.argv[1])
