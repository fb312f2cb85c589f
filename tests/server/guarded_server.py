"""A real server whose event loop is watched by the guard, with timers and tasks in the request."""

from __future__ import annotations

import asyncio
import contextlib

from mastra_core.request_scope import disable_request_scope, enable_request_scope
from mastra_server import create_app
from tests.server.conftest import RunningServer
from tests.server.request_guard import RequestGuard


class GuardedServer(RunningServer):
    """A server in a thread, as on a platform whose event loop ends with each request."""

    def __init__(self, create_mastra):
        self.guard = RequestGuard()
        enable_request_scope(self.guard.hold)
        inner_app = create_app(create_mastra())
        super().__init__(self.guard.wrap(inner_app))
        self.app = inner_app
        self.thread._target = self.run

    def run(self):
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            runner.run(self.server.serve())

    def _new_loop(self):
        self.loop = self.guard.new_loop()
        return self.loop

    def wait_for_ends(self):
        """Wait until every request so far has ended, with what it keeps alive."""
        asyncio.run_coroutine_threadsafe(self.guard.wait_for_ends(), self.loop).result(60)


@contextlib.contextmanager
def serve_guarded(create_mastra):
    """Serve what ``create_mastra`` returns; it is called after the mode is enabled."""
    server = GuardedServer(create_mastra)
    try:
        server.start()
        yield server
    finally:
        disable_request_scope()
        server.stop()
