"""What requests leave to the background function, and how the function continues runs."""

import asyncio

import pytest

from mastra_core.errors import StorageError
from mastra_core.freezing import get_deferral, hold_response
from mastra_server.middleware.deferred_runs import BackgroundRuns, DeferredRuns

HEADER = (b"x-mastra-background", b"/api/workflows/run-counts")


async def receive_nothing():
    await asyncio.Event().wait()


def send_request(build, path, app, receive=receive_nothing):
    """Send a request through a middleware; return the headers of its response."""
    headers = []

    async def send(message):
        headers.extend(message.get("headers", ()))

    scope = {"type": "http", "method": "POST", "path": path}
    asyncio.run(build(app)(scope, receive, send))
    return headers


async def respond(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


class TestDeferredRuns:
    waiting, looks, error = False, 0, None

    async def has_waiting_runs(self):
        self.looks += 1
        if self.error is not None:
            raise self.error
        return self.waiting

    def send(self, path, work=None):
        async def app(scope, receive, send):
            if work is not None:
                work()
            await respond(send)

        return send_request(lambda app: DeferredRuns(app, "/api", self.has_waiting_runs), path, app)

    @pytest.mark.parametrize(
        "call",
        [
            "workflows/w/start",
            "workflows/w/resume",
            "workflows/w/resume-no-wait",
            "workflows/w/restart",
            "workflows/w/time-travel",
            "workflow-runs/resume",
            "workflow-runs/retry",
            "workflow-runs/move",
            "schedules/wf_w/run",
        ],
    )
    def test_run_that_no_client_waits_for_is_deferred(self, call):
        def leave_run():
            get_deferral().has_runs = True

        assert self.send(f"/api/{call}", leave_run) == [HEADER]
        assert self.send(f"/api/{call}") == [], "the request has left no run"
        assert get_deferral() is None

    @pytest.mark.parametrize("call", ["start-async", "resume-stream", "stream", "observe", "runs"])
    def test_request_that_waits_executes_its_run(self, call):
        deferrals = []
        self.send(f"/api/workflows/w/{call}", lambda: deferrals.append(get_deferral()))
        assert deferrals == [None]

    def test_response_is_complete_when_the_run_of_the_request_rests(self):
        rests = []

        async def execute():
            await asyncio.sleep(0.1)
            rests.append(True)

        self.send(
            "/api/workflows/w/start-async",
            lambda: hold_response(asyncio.ensure_future(execute())),
        )
        assert rests == [True]

    def test_lost_runs_are_looked_for_with_any_request(self):
        self.waiting = True
        build = DeferredRuns(self.respond_at_once, "/api", self.has_waiting_runs)
        assert send_request(lambda _: build, "/api/workflows/run-counts", None) == [HEADER]
        assert send_request(lambda _: build, "/api/workflows/run-counts", None) == []
        assert self.looks == 1, "not at each of several requests"

    def test_database_that_fails_does_not_fail_the_request(self):
        self.error = StorageError("The database is away.", "Start it.")
        assert self.send("/api/workflows/run-counts") == []

    def test_other_routes_are_passed_on(self):
        self.waiting = True
        assert self.send("/api/agents/a/generate") == []
        assert self.looks == 0

    @staticmethod
    async def respond_at_once(scope, receive, send):
        await respond(send)


def send_to_worker(continue_runs, app, receive=receive_nothing):
    def build(app):
        return BackgroundRuns(app, "/api", continue_runs)

    return send_request(build, "/api/workflows/run-counts", app, receive)


class TestBackgroundRuns:
    def test_response_is_complete_when_the_runs_rest(self):
        order = []

        async def continue_runs():
            await asyncio.sleep(0.1)
            order.append("runs rest")

        async def app(scope, receive, send):
            await respond(send)
            order.append("response")

        assert send_to_worker(continue_runs, app) == [HEADER]
        assert order == ["runs rest", "response"]

    def test_disconnect_of_the_platform_ends_the_response(self):
        """The platform disconnects when the time of the invocation is nearly over."""

        async def continue_runs():
            await asyncio.Event().wait()

        async def receive():
            await asyncio.sleep(0.1)
            return {"type": "http.disconnect"}

        async def app(scope, receive, send):
            await respond(send)

        assert send_to_worker(continue_runs, app, receive) == [HEADER]
