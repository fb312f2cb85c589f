"""Durable runs where each request owns its tasks: servers that share a real local D1.

Each server stands for an isolate of a Worker. The guard reports what breaks the rule.
"""

import asyncio
import contextlib
import time
import uuid

import pytest

from mastra_core import DurableEngine, Mastra, StepContext, Workflow, step
from mastra_core.request_scope import enter_request
from mastra_core.workflows.durable import durable_run
from mastra_core.workflows.durable.store.d1_run_store import D1RunStore
from tests.core.storage.d1.local import Binding, Statement
from tests.server.guarded_server import serve_guarded
from tests.server.sample_workflows import create_sample

pytestmark = pytest.mark.slow
EFFECTS = []


@step
async def prepare(number: int, context: StepContext) -> int:
    EFFECTS.append(context.run_id)
    return number + 1


@step(resume=bool)
async def approve(number: int, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"number": number})
    return f"{number} {'approved' if context.resume_data else 'refused'}"


@step
async def wait(number: int) -> int:
    await asyncio.sleep(number)
    return number


def create_application(binding, **options):
    engine = DurableEngine(D1RunStore(binding), lease=1, release_after=0.5, **options)
    order = Workflow("order", timeout=2).then(prepare).then(approve)
    pause = Workflow("pause").sleep(1).then(prepare)
    workflows = {"order": order, "slow": Workflow("slow").then(wait), "pause": pause}
    return Mastra(workflows=workflows, engine=engine, logger=False)


class FailingBinding(Binding):
    """Fails as D1 does, as often as ``failures`` says."""

    failures = 0

    async def batch(self, statements):
        if self.failures:
            self.failures -= 1
            raise RuntimeError("D1_ERROR: Network connection lost.")
        return await super().batch(statements)


@pytest.fixture(scope="module")
def binding(d1_port):
    return FailingBinding(d1_port)


@pytest.fixture(scope="module")
def isolates(binding):
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(serve_guarded(lambda: create_application(binding)))
            for _ in range(2)
        ]
        yield servers
        for server in servers:
            server.wait_for_ends()
            assert server.guard.breaches == []


@pytest.fixture(scope="module")
def new_isolate(binding, isolates):
    """An isolate with another version of the app."""

    def create_new_version():
        order = Workflow("order").then(approve)
        return Mastra(workflows={"order": order}, engine=DurableEngine(D1RunStore(binding)))

    with serve_guarded(create_new_version) as server:
        yield server
        server.wait_for_ends()
        assert server.guard.breaches == []


def post(server, path, run_id, **body):
    response = server.http.post(f"/api/workflows/{path}?runId={run_id}", json=body)
    assert response.is_success, response.text
    return response.json()


def read(server, workflow, run_id):
    return server.http.get(f"/api/workflows/{workflow}/runs/{run_id}").json()


def wait_for_status(server, workflow, run_id, status, seconds=10):
    until = time.monotonic() + seconds
    while (found := read(server, workflow, run_id))["status"] != status:
        assert time.monotonic() < until, found
        time.sleep(0.1)
    return found


def test_run_moves_between_isolates(isolates):
    first, second = isolates
    run_id = str(uuid.uuid4())
    started = post(first, "order/start-async", run_id, inputData=1)
    assert started["status"] == "suspended"
    assert read(second, "order", run_id)["status"] == "suspended"
    resumed = post(second, "order/resume-async", run_id, step="approve", resumeData=True)
    assert (resumed["status"], resumed["result"]) == ("success", "2 approved")
    assert read(first, "order", run_id)["result"] == "2 approved"
    assert EFFECTS.count(run_id) == 1
    again = second.http.post(
        f"/api/workflows/order/resume-async?runId={run_id}", json={"resumeData": True}
    )
    assert again.status_code == 409


def test_wait_for_a_run_of_another_version_ends(isolates, new_isolate, monkeypatch):
    """An isolate of the earlier version continues the run with the data of the request."""
    monkeypatch.setattr(durable_run, "_PARKED_WAIT", 0.5)
    run_id, first = str(uuid.uuid4()), isolates[0]
    post(first, "order/start-async", run_id, inputData=1)

    path = f"/api/workflows/order/resume-async?runId={run_id}"
    answer = new_isolate.http.post(path, json={"step": "approve", "resumeData": True})
    assert answer.status_code == 409
    assert "has the version" in answer.json()["error"]
    new_isolate.wait_for_ends()
    assert wait_for_status(first, "order", run_id, "success")["result"] == "2 approved"


def test_another_isolate_observes_and_cancels(isolates):
    first, second = isolates
    run_id = str(uuid.uuid4())
    post(first, "slow/create-run", run_id)
    post(first, "slow/start", run_id, inputData=3600)
    with second.http.stream("POST", f"/api/workflows/slow/observe?runId={run_id}") as response:
        lines = response.iter_lines()
        assert "workflow-start" in next(line for line in lines if line)
        post(second, f"slow/runs/{run_id}/cancel", run_id)
        assert "canceled" in "".join(lines)  # before the step would end by itself
    assert read(first, "slow", run_id)["status"] == "canceled"
    first.wait_for_ends()  # the step has ended, too


def test_waiting_request_learns_what_another_isolate_did(isolates):
    """A client waits at one isolate for a run that another isolate resumes."""
    first, second = isolates
    run_id = str(uuid.uuid4())
    post(first, "order/start-async", run_id, inputData=4)
    path = f"/api/workflows/order/observe?runId={run_id}"
    post(second, "order/resume", run_id, step="approve", resumeData=False)
    with first.http.stream("POST", path) as response:
        assert "5 refused" in response.read().decode()


def test_sleeping_run_is_continued_by_a_later_request(isolates):
    first, second = isolates
    run_id = str(uuid.uuid4())
    post(first, "pause/create-run", run_id)
    post(first, "pause/start", run_id, inputData=1)
    first.wait_for_ends()
    assert read(second, "pause", run_id)["status"] == "waiting"
    time.sleep(1.2)
    assert wait_for_status(second, "pause", run_id, "success")["result"] == 2


def test_trigger_continues_runs(isolates, binding):
    """What a cron trigger calls returns when the runs rest, also if the database fails first."""
    first, second = isolates
    run_id = str(uuid.uuid4())
    post(first, "pause/create-run", run_id)
    post(first, "pause/start", run_id, inputData=3)
    first.wait_for_ends()
    time.sleep(1.2)
    engine = second.app.state.mastra.engine

    async def trigger():
        async with second.guard.enter("trigger"):
            with enter_request():
                await engine.continue_runs()

    binding.failures = 1
    asyncio.run_coroutine_threadsafe(trigger(), second.loop).result(20)
    second.wait_for_ends()
    assert read(first, "pause", run_id)["result"] == 4
    assert EFFECTS.count(run_id) == 1


def test_suspended_run_ends_by_its_timeout(isolates):
    first, second = isolates
    run_id = str(uuid.uuid4())
    assert post(first, "order/start-async", run_id, inputData=1)["status"] == "suspended"
    time.sleep(2.2)
    failed = wait_for_status(second, "order", run_id, "failed")
    assert "longer than 2 s" in failed["error"]["message"]


def test_run_of_a_dead_isolate_is_taken_up(isolates, binding):
    """A request that never reports again has died with its isolate."""
    first, second = isolates
    run_id = str(uuid.uuid4())
    post(first, "order/start-async", run_id, inputData=1)
    hold = "UPDATE mastra_runs SET holder = 'dead', attempt = attempt + 1 WHERE run_id = ?"
    binding.send([Statement(hold, (run_id,))])
    time.sleep(1.1)  # seconds between two looks for such runs
    read(second, "order", run_id)
    second.wait_for_ends()
    (result,) = binding.send(
        [Statement("SELECT holder, takeovers FROM mastra_runs WHERE run_id = ?", (run_id,))]
    )
    assert result["results"] == [{"holder": "", "takeovers": 1}]
    assert EFFECTS.count(run_id) == 1
    assert post(first, "order/resume-async", run_id, resumeData=True)["status"] == "success"


@pytest.mark.full
def test_client(node, binding):
    """The suite of the JavaScript client, on D1 and in request mode."""
    with serve_guarded(lambda: create_sample(DurableEngine(D1RunStore(binding)))) as server:
        node("workflows.mjs", server.url)
        server.wait_for_ends()
        assert server.guard.breaches == []
