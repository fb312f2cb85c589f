"""Serve a bundle with a handler of HTTP events, as a function platform does."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from mastra_core.logs.escape import escape_text
from mastra_core.pipeline import Bundle
from mastra_core.secret import Secret
from mastra_deployer.kit.runtimes.child_process import ChildProcess
from mastra_deployer.kit.runtimes.find_python import require_python
from mastra_deployer.project.system_variables import read_system_variables

__all__ = ("preview_handler",)

_SERVER = Path(__file__).with_name("event_server_child.py")
_MAX_BODY = 6 * 1024 * 1024  # bytes of a request; AWS Lambda's limit
_ERRORS = {
    413: {"message": f"Request must be smaller than {_MAX_BODY} bytes"},
    502: {"message": "Internal Server Error"},
}


def preview_handler(
    bundle: Bundle,
    handler: str,
    *,
    host: str,
    port: int,
    env: Mapping[str, Secret],
    variables: Mapping[str, str] | None = None,
    max_body: int = _MAX_BODY,
) -> int:
    """Serve a handler of HTTP events until Ctrl-C, and return the exit code.

    :param bundle: the bundle to run.
    :param handler: module and function of the handler, such as ``handler.handler``.
    :param host: address to listen on.
    :param port: port to listen on; 0 for any free port.
    :param env: the app's variables.
    :param variables: variables that the platform sets, such as ``AWS_REGION``.
    :param max_body: the largest number of bytes of a request's body; a larger body gets a 413.
    :raises ConfigError: when this machine lacks the bundle's Python, or the port is in use.
    :raises DeploymentFailed: when the handler cannot be imported.
    """
    from mastra_deployer.kit.runtimes.preview_proxy import PreviewProxy, PreviewRules

    python = require_python(bundle.manifest.python)
    environment = {
        **read_system_variables(),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **(variables or {}),
        **{name: value.reveal() for name, value in env.items()},
    }
    with ChildProcess(bundle.directory) as child:
        port_file = child.temporary / "port"
        # As on a platform: no site-packages of this machine and no PYTHON* variables.
        command = [python, "-I", "-S", str(_SERVER), handler, str(port_file)]
        child.start(command, environment)
        app_port = child.wait_for_port(port_file, name="The handler")
        rules = PreviewRules(max_body=max_body, errors=_ERRORS)
        server = PreviewProxy(host, port, app_port, rules)
        sys.stderr.write(escape_text(f"Serving {handler} on {server.url}") + "\n")
        sys.stderr.flush()
        return server.serve_until_interrupted()
