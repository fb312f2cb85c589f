"""Serve the function behind a proxy that behaves like Vercel."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Bundle
from mastra_core.secret import Secret
from mastra_deployer_vercel.bundle.build_output import FUNCTION, OUTPUT

__all__ = ("preview",)


def preview(bundle: Bundle, host: str, port: int, env: Mapping[str, Secret]) -> int:
    """Serve a bundle until interrupted.

    :param bundle: the bundle to run.
    :param host: address to listen on.
    :param port: port to listen on; 0 for any free port.
    :param env: environment variables of the app.
    :returns: the exit code; 130 after an interrupt.
    :raises ConfigError: when the Python version is not installed, the port is in use, or this
        system has no Unix sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError(
            "Vercel's runtime needs Unix sockets, which Python on this system does not have.",
            "Preview under WSL, on Linux or on macOS.",
        )
    from mastra_deployer.kit import PreviewProxy, require_python
    from mastra_deployer_vercel.preview.function_runtime import FunctionRuntime
    from mastra_deployer_vercel.preview.proxy import build_rules

    python = require_python(bundle.manifest.python)
    values = {name: value.reveal() for name, value in env.items()}
    with FunctionRuntime(bundle.directory / FUNCTION, python, values, _print_log) as runtime:
        rules = build_rules(bundle.directory / OUTPUT / "static")
        server = PreviewProxy(host, port, runtime.port, rules)
        text = f"Vercel's runtime serves {bundle.manifest.entry} on {server.url}"
        print(text, file=sys.stderr)  # noqa: T201  # tells the user the address
        return server.serve_until_interrupted()


def _print_log(message: dict[str, Any]) -> None:
    if message.get("type") == "log":
        sys.stderr.write(message["payload"]["message"].rstrip("\n") + "\n")
