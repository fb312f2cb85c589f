"""What requests leave to the background function, and how the function continues runs."""

import asyncio
import contextlib

import pytest

from mastra_core import DurableEngine, Workflow, as_child, step
from mastra_core.errors import StorageError
from mastra_core.freezing import collect_tasks, defer_runs, get_deferral, hold_response
from mastra_server.middleware.deferred_runs import BackgroundRuns, DeferredRuns
from mastra_server.middleware.frozen_runs import wait_for_all

HEADER = (b"x-mastra-background", b"/api/workflows/run-counts")


async def receive_nothing():
    await asyncio.Event().wait()


def send_request(build, path, app, receive=receive_nothing):
    """Send a request through a middleware; return the headers of its response."""
    return asyncio.run(request(build(app), path, receive))


async def request(app, path, receive=receive_nothing):
    headers = []

    async def send(message):
        headers.extend(message.get("headers", ()))

    await app({"type": "http", "method": "POST", "path": path}, receive, send)
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


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """Open a process with a role, on one database."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")

    @contextlib.asynccontextmanager
    async def open_process(role, *workflows, **settings):
        monkeypatch.setenv("MASTRA_BACKGROUND_ROLE", role)
        engine = DurableEngine(f"sqlite:///{tmp_path}/runs.db", name=role, **settings)
        await engine.open(workflows)
        yield engine
        await engine.close()

    return open_process


class Gate:
    """A workflow whose runs last until they are opened."""

    def __init__(self, **options):
        self.begun, self.gates = [], [asyncio.Event(), asyncio.Event()]

        @step
        async def wait(number: int) -> int:
            self.begun.append(number)
            await self.gates[number].wait()
            return number

        self.workflow = Workflow("w", **options).then(wait)

    async def wait_until_begun(self, *numbers):
        async with asyncio.timeout(10):
            while self.begun != [*numbers]:  # noqa: ASYNC110  # of several event loops
                await asyncio.sleep(0.01)


async def start(engine, workflow, number):
    run = await engine.create(workflow)
    await engine.start(run, number)
    return run


async def leave_run(engine, workflow, number):
    with defer_runs() as deferral:
        run = await start(engine, workflow, number)
    assert deferral.has_runs
    return run


def test_worker_also_completes_runs_that_arrive_meanwhile(processes):
    async def run_scenario():
        gate = Gate()
        async with (
            processes("caller", gate.workflow) as caller,
            processes("worker", gate.workflow) as worker,
        ):
            app = BackgroundRuns(TestDeferredRuns.respond_at_once, "/api", worker.continue_runs)
            await leave_run(caller, gate.workflow, 0)
            response = asyncio.create_task(request(app, "/api/workflows/run-counts"))
            await gate.wait_until_begun(0)
            late = await leave_run(caller, gate.workflow, 1)
            await gate.wait_until_begun(0, 1)
            gate.gates[0].set()
            await asyncio.sleep(0.1)
            assert not response.done(), "the process would be frozen within the second run"
            gate.gates[1].set()
            await asyncio.wait_for(response, 10)
            assert (await caller.get(gate.workflow, late.run_id)).record.status == "success"

    asyncio.run(run_scenario())


def test_caller_executes_no_runs_of_other_requests(processes):
    async def run_scenario():
        gate = Gate()
        async with processes("caller", gate.workflow) as caller:
            await start(caller, gate.workflow, 0)
            await gate.wait_until_begun(0)
            await leave_run(caller, gate.workflow, 1)
            await asyncio.sleep(0.5)  # several looks at the database
            assert gate.begun == [0]
            assert await caller.has_waiting_runs(), "of which the worker hears"

    asyncio.run(run_scenario())


@step
async def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def family():
    """A parent, and the child run that it starts."""
    child = Workflow("child", input=int).then(double)
    return Workflow("parent", input=int).then(as_child(child)), child


def test_caller_executes_the_child_runs_of_its_request(processes, family):
    async def run_scenario():
        async with processes("caller", *family) as caller:
            runs = [await start(caller, family[0], number) for number in range(4)]
            return await asyncio.wait_for(asyncio.gather(*(run.wait() for run in runs)), 10)

    assert [record.result for record in asyncio.run(run_scenario())] == [0, 2, 4, 6]


@pytest.mark.parametrize("role", ["", "worker"])
def test_child_run_is_executed_before_a_freeze(processes, family, role):
    async def run_scenario():
        async with processes(role, *family) as engine:
            for number in range(4):
                with collect_tasks() as tasks:
                    run = await start(engine, family[0], number)
                    await wait_for_all(tasks)
                run = await engine.get(family[0], run.run_id)
                assert run.record.result == 2 * number

    asyncio.run(run_scenario())


def test_caller_wakes_the_run_of_its_request(processes):
    workflow = Workflow("w", input=int).sleep(0.3).then(double)

    async def run_scenario():
        async with processes("caller", workflow, release_after=0.1) as caller:
            run = await start(caller, workflow, 4)
            return await asyncio.wait_for(run.wait(), 10)

    assert asyncio.run(run_scenario()).result == 8


def test_full_queue_needs_no_background_function(processes):
    async def run_scenario():
        gate = Gate(concurrency=1)
        async with processes("worker", gate.workflow) as worker:
            await start(worker, gate.workflow, 0)
            await gate.wait_until_begun(0)
            async with processes("caller", gate.workflow) as caller:
                await leave_run(caller, gate.workflow, 1)
                assert not await caller.has_waiting_runs(), "the worker executes it next"
                gate.gates[0].set()
                await gate.wait_until_begun(0, 1)
                gate.gates[1].set()

    asyncio.run(run_scenario())
