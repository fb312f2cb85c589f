"""Create the class that the Worker's main module exports.

Only a Worker can import this module, because the module imports the Worker's SDK.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from workers import WorkerEntrypoint

from mastra_deployer_cloudflare.worker.entropy import allow_entropy
from mastra_deployer_cloudflare.worker.handle_requests import (
    handle_request,
    handle_scheduled,
    keep_alive,
)
from mastra_deployer_cloudflare.worker.httpx2_fetch import patch_httpx2_fetch
from mastra_deployer_cloudflare.worker.httpx_fetch import use_fetch_for_httpx
from mastra_deployer_cloudflare.worker.isolate_app import IsolateApp
from mastra_deployer_cloudflare.worker.options import Options
from mastra_deployer_cloudflare.worker.timers import accept_past_times

ROOT = "/session/metadata"


def create_entrypoint(**options: Any) -> type:
    """Import the app now if the options require it, and return the class of the Worker.

    :param options: the fields of ``Options``, by name.
    """
    isolate = IsolateApp(Options(**options))
    paths = [f"{ROOT}/{path}" for path in isolate.options.paths]
    sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
    allow_entropy()
    accept_past_times()
    _run_threads_inline()
    _enable_request_scope()
    patch_httpx2_fetch()
    use_fetch_for_httpx()
    if isolate.options.build_app == "import":
        isolate.load()

    class Default(WorkerEntrypoint):  # type: ignore[misc]  # it has no types
        async def fetch(self, request: Any) -> Any:
            return await handle_request(isolate, request, self.env, self.ctx)

    if not isolate.options.crons:
        return Default

    async def run_trigger(_: Any, controller: Any, env: Any, context: Any) -> None:
        await handle_scheduled(isolate, controller, env, context)

    # The runtime looks for a method with this name: without crons there must be none.
    return type("Default", (Default,), {"scheduled": run_trigger})


def _run_threads_inline() -> None:
    """Import ``anyio.to_thread`` before the first request, because the SDK patches it on import."""
    if importlib.util.find_spec("anyio"):
        importlib.import_module("anyio.to_thread")


def _enable_request_scope() -> None:
    """Keep each timer and task of mastra within the request that created it."""
    if importlib.util.find_spec("mastra_core"):
        from mastra_core.request_scope import enable_request_scope

        enable_request_scope(keep_alive)
