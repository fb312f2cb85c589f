"""Arranges a build as Vercel's Build Output API, version 3, wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, lay_out
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("FUNCTION", "OUTPUT", "write_output")

OUTPUT = ".vercel/output"
FUNCTION = f"{OUTPUT}/functions/index.func"
_HANDLER = "vc__handler__python"  # Vercel's own name for it
_ENTRY = "mastra_vercel_app"
# The runtime reads these names; they are its contract with its builder. A leading underscore is
# not allowed in a function's configured environment, so they are set here.
_LAUNCHER_TEMPLATE = '''\
"""Made by mastra: hands the app to Vercel's Python runtime."""

import os
import site
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
os.environ.update(
    {{
        "__VC_PY_BOOT_START_MS": str(int(time.monotonic() * 1000)),
        "__VC_HANDLER_MODULE_NAME": "{entry}",
        "__VC_HANDLER_ENTRYPOINT": "{entry}.py",
        "__VC_HANDLER_ENTRYPOINT_ABS": os.path.join(here, "{entry}.py"),
        "__VC_HANDLER_VENDOR_DIR": "{vendor}",
        "__VC_HANDLER_VARIABLE_NAME": "app",
    }}
)
paths = [os.path.join(here, path) for path in {paths!r}]
site.addsitedir(paths[-1])
sys.path[:] = [here, *paths, *(path for path in sys.path if path not in (here, *paths))]

from vercel_runtime.vc_init import vc_handler
'''
# A function, so that the runtime, which looks at the signature, always sees ASGI.
_APP_TEMPLATE = '''\
"""Made by mastra: the app of this function."""

from {module} import {head} as user


async def app(scope, receive, send):
    await {user}(scope, receive, send)
'''


def write_output(build: Build, directory: Path, settings: VercelDeployer) -> None:
    """Write ``.vercel/output`` into ``directory``.

    :raises BundleError: when the folder of static files is not in the build.
    """
    function = directory / FUNCTION
    lay_out(build.directory / "app", function / "app")
    lay_out(build.directory / "vendor", function / "vendor")
    _copy_static(build, directory, settings)
    _write_launcher(build, function)
    _write_json(function / ".vc-config.json", _build_function_config(build, settings))
    _write_json(directory / OUTPUT / "config.json", _build_output_config(settings))


def _write_launcher(build: Build, function: Path) -> None:
    paths = build.manifest.paths
    module, _, attribute = build.app.partition(":")
    launcher = _LAUNCHER_TEMPLATE.format(entry=_ENTRY, vendor=paths[-1], paths=list(paths))
    (function / f"{_HANDLER}.py").write_text(launcher)
    name, dot, rest = attribute.partition(".")
    app = _APP_TEMPLATE.format(module=module, head=name, user=f"user{dot}{rest}")
    (function / f"{_ENTRY}.py").write_text(app)


def _build_function_config(build: Build, settings: VercelDeployer) -> dict[str, Any]:
    machine = build.platform.wheels.partition("-")[0]
    optional = {
        "memory": settings.memory,
        "maxDuration": settings.max_duration,
        "regions": list(settings.regions),
    }
    return {
        "runtime": f"python{build.platform.python}",
        "handler": f"{_HANDLER}.vc_handler",
        "architecture": "arm64" if machine == "aarch64" else "x86_64",
        "supportsResponseStreaming": True,
        "environment": {"PYTHONDONTWRITEBYTECODE": "1"},
        **{name: value for name, value in optional.items() if value},
    }


def _build_output_config(settings: VercelDeployer) -> dict[str, Any]:
    """Files of the CDN first, then the app, which sees the path as it was asked for."""
    return {
        "version": 3,
        "routes": [{"handle": "filesystem"}, {"src": "/(.*)", "dest": "/index"}],
        "crons": [dict(item) for item in settings.crons],
    }


def _copy_static(build: Build, directory: Path, settings: VercelDeployer) -> None:
    if not settings.static:
        return
    source = build.directory / "app" / settings.static
    if not source.is_dir():
        raise BundleError(
            f"The folder of static files {settings.static!r} is not in the build.",
            f'Add it: [tool.mastra.build] include = ["{settings.static}/**/*"].',
        )
    lay_out(source, directory / OUTPUT / "static")


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
