"""Serve the function behind a proxy that behaves like Netlify."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from mastra_core.errors import BundleError, ConfigError
from mastra_core.pipeline import Bundle
from mastra_core.secret import Secret
from mastra_deployer_netlify.bundle.function_limits import BACKGROUND_SECONDS
from mastra_deployer_netlify.bundle.output import STATIC, FunctionConfig, read_functions
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("preview",)

_NODE = 22  # the oldest major version that runs Netlify's bootstrap
_PREFIX = "mastra-netlify-preview-"  # of the directory with the unpacked function


def preview(
    bundle: Bundle, settings: NetlifyDeployer, host: str, port: int, env: Mapping[str, Secret]
) -> int:
    """Serve a bundle until interrupted.

    :param bundle: the bundle to run.
    :param settings: settings of the deployer.
    :param host: address to listen on.
    :param port: port to listen on; 0 for any free port.
    :param env: environment variables of the app.
    :returns: the exit code; 130 after an interrupt.
    :raises BundleError: when the bundle has no function.
    :raises ConfigError: when the port is in use.
    """
    from mastra_deployer.kit import PreviewProxy, temporary_directory
    from mastra_deployer_netlify.preview.function_instance import run_instance
    from mastra_deployer_netlify.preview.rules import build_rules
    from mastra_deployer_netlify.preview.unpack_function import unpack_function

    values = {name: value.reveal() for name, value in env.items()}
    node = _find_node()
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(temporary_directory(prefix=_PREFIX))

        def run(function: FunctionConfig, **options: Any) -> int:
            directory = temporary / function.name
            unpack_function(bundle.directory / function.path, directory)
            environment = {**_build_environment(function, settings), **values}
            return stack.enter_context(run_instance(directory, environment, node, **options))

        function, *others = _read_functions(bundle)
        background = run(others[0], timeout=BACKGROUND_SECONDS) if others and node else None
        app_port = run(function, background=background)
        server = PreviewProxy(host, port, app_port, build_rules(bundle.directory / STATIC))
        runtime = "Netlify's bootstrap" if node else "Its Python"
        _print(f"{runtime} serves {bundle.manifest.entry} on {server.url}")
        return server.serve_until_interrupted()


def _read_functions(bundle: Bundle) -> tuple[FunctionConfig, ...]:
    functions = read_functions(bundle.directory)
    if not functions:
        raise BundleError("The bundle has no function.", "Bundle again: mastra bundle netlify.")
    return functions


def _build_environment(function: FunctionConfig, settings: NetlifyDeployer) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "NETLIFY_LOCAL": "true",
        "SITE_NAME": settings.project_name,
        "TZ": ":UTC",
    }


def _find_node() -> str | None:
    """Return the path of Node; without Node, print what is missing in the preview."""
    from mastra_deployer.kit import find_node

    try:
        return find_node(_NODE)
    except ConfigError as error:
        _print(
            f"{error.message} The Python side of the function runs alone, without Netlify's "
            f"bootstrap and its limits for responses.\n  {error.hint}"
        )
        return None


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # tells the user the address
