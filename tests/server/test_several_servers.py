"""Two servers on one PostgreSQL database behave as one, whichever of them gets a request."""

import asyncio
import contextlib
import inspect
import json
import threading
import time
from typing import ClassVar

import httpx
import pytest

from mastra_core import DurableEngine, Mastra, Memory, Workflow
from tests.server.agents import test_routes as agent_tests
from tests.server.conftest import run_server
from tests.server.memory import test_routes as memory_tests
from tests.server.round_robin import RoundRobin
from tests.server.sample_agents import create_application, paid
from tests.server.sample_workflows import ask
from tests.server.sample_workflows import create_sample as create_workflows
from tests.server.threads import test_routes as thread_tests
from tests.server.workflows import test_routes as workflow_tests

pytestmark = pytest.mark.slow
SLOW = {"messages": "slow for ever"}
SUITES = {
    "agents.mjs": (create_application, agent_tests),
    "threads.mjs": (
        lambda **settings: create_application(memory=Memory(), **settings),
        thread_tests,
    ),
    "memory.mjs": (memory_tests.create_memory_application, memory_tests),
    "workflows.mjs": (
        lambda storage: create_workflows(DurableEngine(storage)),
        workflow_tests,
    ),
}


@pytest.fixture(scope="module")
def url(postgres_server):
    return postgres_server.create_database()


@pytest.fixture(scope="module")
def servers(serve, url):
    """Two servers of one application, which has a memory."""

    def create():
        return create_application(memory=Memory(), storage=url)

    with serve(create()) as one, serve(create()) as two:
        yield one, two
        for server in (one, two):
            server.app.state.draining = True  # ends the streams of listeners
        for reader in Reader.started:
            reader.join(20)


@contextlib.contextmanager
def serve_round_robin(serve, create, url):
    with (
        serve(create(storage=url)) as one,
        serve(create(storage=url)) as two,
        run_server(RoundRobin([one.url, two.url])) as balancer,
    ):
        yield balancer


@pytest.mark.parametrize("script", SUITES)
def test_the_client_sees_one_server(node, serve, postgres_server, script):
    create, tests = SUITES[script]
    paid.clear()
    with serve_round_robin(serve, create, postgres_server.create_database()) as balancer:
        results = node(script, balancer.url)
    checks = [
        check
        for name, check in vars(tests).items()
        if name.startswith("test_") and [*inspect.signature(check).parameters] == ["results"]
    ]
    assert len(checks) > 3
    for check in checks:
        check(results)


async def resume_on_both(https, number, limit):
    """Start a run, resume it on both servers at once, and return the answers and the record."""
    path, query = "/api/workflows/ask", {"runId": f"run-{number}"}
    async with limit:
        started = await https[number % 2].post(
            f"{path}/start-async", params=query, json={"inputData": 100}
        )
        assert started.json()["status"] == "suspended"
        answers = await asyncio.gather(
            *(
                http.post(f"{path}/resume-async", params=query, json={"resumeData": data})
                for data, http in enumerate(https)
            )
        )
        return answers, (await https[0].get(f"{path}/runs/{query['runId']}")).json()


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.full)])
def test_a_resume_that_arrives_at_both_servers_is_taken_once(serve, postgres_server, count):
    url = postgres_server.create_database()

    def create():
        return Mastra(workflows={"ask": Workflow("ask").then(ask)}, engine=DurableEngine(url))

    async def resume_all():
        limit = asyncio.Semaphore(8)
        async with (
            httpx.AsyncClient(base_url=one.url, timeout=60, trust_env=False) as first,
            httpx.AsyncClient(base_url=two.url, timeout=60, trust_env=False) as second,
        ):
            jobs = (resume_on_both((first, second), number, limit) for number in range(count))
            return await asyncio.gather(*jobs)

    with serve(create()) as one, serve(create()) as two:
        results = asyncio.run(resume_all())
    for answers, record in results:
        codes = [answer.status_code for answer in answers]
        assert sorted(codes) == [200, 409]
        assert record["status"] == "success"
        assert record["result"] == 100 + codes.index(200)


class Reader(threading.Thread):
    """Reads a stream in the background."""

    started: ClassVar = []

    def __init__(self, server, path, body):
        super().__init__(daemon=True)
        self._server, self._path, self._body = server, path, body
        self.text = ""
        self.start()
        self.started.append(self)

    def run(self):
        with self._server.http.stream("POST", self._path, json=self._body, timeout=60) as answer:
            for text in answer.iter_text():
                self.text += text

    def wait_for(self, text, seconds=15):
        end = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < end, self.text
            time.sleep(0.02)

    def list_types(self):
        lines = [line[6:] for line in self.text.splitlines() if line.startswith("data: {")]
        return [json.loads(line)["type"] for line in lines]


def test_a_run_is_observed_and_cancelled_on_the_other_server(servers):
    one, two = servers
    started = Reader(one, "/api/agents/shop/stream", {**SLOW, "runId": "slow-1"})
    started.wait_for('"step-start"')
    observer = Reader(two, "/api/agents/shop/observe", {"runId": "slow-1"})
    observer.wait_for('"step-start"')
    late = Reader(two, "/api/agents/shop/observe", {"runId": "slow-1", "offset": 1})
    late.wait_for('"step-start"')
    cancelled = two.http.post("/api/agents/shop/runs/slow-1/cancel")
    assert cancelled.json() == {"message": "Agent run cancelled"}
    for reader in (started, observer, late):
        reader.join(10)
        assert reader.text.endswith("data: [DONE]\n\n")
    assert started.list_types() == observer.list_types() == ["start", *late.list_types()]
    assert started.list_types()[-1] == "abort"


def test_an_unknown_run_is_unknown_to_all_servers(servers):
    for server in servers:
        observed = server.http.post("/api/agents/shop/observe", json={"runId": "none"})
        assert observed.status_code == 404
        assert server.http.post("/api/agents/shop/runs/none/cancel").status_code == 404


def test_a_run_is_observed_to_its_end_with_large_frames(servers):
    one, two = servers
    words = "é" * 20_000
    one.http.post("/api/agents/shop/stream", json={"messages": words, "runId": "large"})
    observed = two.http.post("/api/agents/shop/observe", json={"runId": "large"})
    assert words in observed.text
    assert observed.text.endswith("data: [DONE]\n\n")


def test_a_call_is_approved_once_and_the_rest_is_observed_anywhere(servers):
    one, two = servers
    paid.clear()
    body = {"messages": "pay", "runId": "paid-1"}
    suspended = one.http.post("/api/agents/shop/stream", json=body)
    assert "tool-call-approval" in suspended.text
    decision = {"runId": "paid-1", "toolCallId": "pay-0"}
    approved = two.http.post("/api/agents/shop/approve-tool-call", json=decision)
    assert "paid 3" in approved.text
    again = one.http.post("/api/agents/shop/approve-tool-call", json=decision)
    assert again.status_code == 404
    assert paid == [3]
    for server in servers:
        wait_for_observation(server, "paid-1", "paid 3")


def wait_for_observation(server, run_id, text, seconds=15):
    """Observe a run until a text arrives.

    A server has the first part of the run itself. It learns from a notification that the run
    continues on another server, and then forgets its part.
    """
    end = time.monotonic() + seconds
    while text not in (
        observed := server.http.post("/api/agents/shop/observe", json={"runId": run_id}).text
    ):
        assert time.monotonic() < end, observed
        time.sleep(0.02)


def test_a_response_is_continued_and_deleted_on_the_other_server(servers):
    one, two = servers
    first = one.http.post("/api/v1/responses", json={"model": "shop", "input": "work"}).json()
    continued = {"model": "shop", "input": "hello", "previous_response_id": first["id"]}
    assert two.http.post("/api/v1/responses", json=continued).status_code == 200
    path = f"/api/v1/responses/{first['id']}"
    assert two.http.get(path).json() == first
    assert two.http.delete(path).status_code == 200
    assert one.http.get(path).status_code == 404


def test_a_listener_receives_runs_of_both_servers_once(servers):
    one, two = servers
    thread = {"resourceId": "ann", "threadId": "heard"}
    listener = Reader(two, "/api/agents/shop/threads/subscribe", thread)
    listener.wait_for(": connected")
    for number, server in enumerate((one, two, one)):
        memory = {"thread": "heard", "resource": "ann"}
        body = {"messages": f"hello {number}", "memory": memory}
        assert server.http.post("/api/agents/shop/stream", json=body).status_code == 200
        listener.wait_for('"finish"')
        end = time.monotonic() + 10
        while listener.list_types().count("finish") <= number and time.monotonic() < end:
            time.sleep(0.02)
    assert listener.list_types().count("finish") == 3
    messages = one.http.get("/api/memory/threads/heard/messages?agentId=shop").json()["messages"]
    assert len(messages) == 6


def test_the_active_run_of_a_thread_is_heard_and_aborted_on_the_other_server(servers):
    one, two = servers
    memory = {"thread": "busy", "resource": "ann"}
    started = Reader(one, "/api/agents/shop/stream", {**SLOW, "memory": memory, "runId": "busy-1"})
    started.wait_for('"step-start"')
    thread = {"resourceId": "ann", "threadId": "busy"}
    listener = Reader(two, "/api/agents/shop/threads/subscribe", thread)
    listener.wait_for('"step-start"')
    other = {**thread, "expectedRunId": "other"}
    assert two.http.post("/api/agents/shop/threads/abort", json=other).json() == {"aborted": False}
    assert two.http.post("/api/agents/shop/threads/abort", json=thread).json() == {"aborted": True}
    started.join(10)
    listener.wait_for('"abort"')
    assert started.list_types()[-1] == "abort"
