"""Serve the Worker on this machine, in Pyodide on Node."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_core.pipeline import Bundle, SilentReport
from mastra_core.secret import Secret
from mastra_deployer_cloudflare.bundle.worker_modules import read_worker_config
from mastra_deployer_cloudflare.preview.local_bindings import (
    LOCAL_STATE,
    find_wrangler,
    list_bindings,
    write_wrangler_config,
)
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("preview",)

_START = 120.0  # seconds; slow machines need 10 for the start of Pyodide


def preview(
    bundle: Bundle, settings: CloudflareDeployer, host: str, port: int, env: Mapping[str, Secret]
) -> int:
    """Serve a bundle until interrupted.

    :param bundle: the bundle to run.
    :param settings: settings of the deployer.
    :param host: address to listen on.
    :param port: port to listen on; 0 for any free port.
    :param env: environment variables of the app.
    :returns: the exit code; 130 after an interrupt.
    :raises ConfigError: when the port is in use, or there is no Node.
    """
    from mastra_deployer.kit import ChildProcess, check_port
    from mastra_deployer_cloudflare.preview.worker_process import WorkerHost, build_environment

    worker = WorkerHost.find(SilentReport())
    options: dict[str, Any] = {
        "host": host,
        "port": check_port(host, port),
        "variables": {**settings.vars, **{name: value.reveal() for name, value in env.items()}},
    }
    with ChildProcess(bundle.directory) as child:
        port_file = child.temporary / "port"
        options |= {"portFile": str(port_file), **_find_bindings(bundle, settings, child.temporary)}
        child.start(
            worker.build_command(bundle.directory, child.temporary, **options),
            build_environment(child.temporary),
        )
        used = child.wait_for_port(port_file, name="The Worker", timeout=_START)
        _print(f"Pyodide serves {bundle.manifest.entry} on http://{host}:{used}")
        return child.wait()


def _find_bindings(
    bundle: Bundle, settings: CloudflareDeployer, temporary: Path
) -> dict[str, object]:
    """Return the options that start local bindings; print which bindings the preview lacks."""
    remote = sorted({*settings.services, *([settings.ai] if settings.ai else [])})
    if remote:
        _print(
            f"The preview has no binding {', '.join(remote)}, because service and AI bindings need "
            "an account."
        )
    names = list_bindings(settings)
    package = find_wrangler(Path.cwd()) if names else None
    if names and package is None:
        _print(
            f"The preview has no binding {', '.join(names)}, because wrangler was not found.\n"
            "  Install it in the project: npm install wrangler"
        )
    if package is None:
        return {}
    file = temporary / "wrangler.json"
    write_wrangler_config(file, settings, read_worker_config(bundle.directory).compatibility_date)
    state = {"path": str(Path.cwd() / LOCAL_STATE)}
    return {
        "wrangler": str(package),
        "bindings": {"configPath": str(file), "persist": state, "remoteBindings": False},
    }


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # tells the user the address
