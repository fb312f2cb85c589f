"""Requests for a run whose id several resources use."""

import asyncio
import queue
from typing import Any

import pytest

from mastra_core import DurableEngine, Mastra, MemoryEngine, StepContext, Workflow, step
from tests.core.workflows.sample_steps import ask_too

USERS = ("ann", "bob")


endless_starts = queue.Queue()


@step
async def endless(n: int) -> int:
    endless_starts.put(n)
    await asyncio.sleep(3600)
    return n


class Auth:
    """Confine every caller but the operator to a resource."""

    def authenticate(self, token, request):
        return {"name": token}

    def resource(self, user):
        return user["name"] if user["name"] in USERS else ""


@pytest.fixture(params=["memory", "durable"])
def call(serve, tmp_path, request):
    """Send requests as ann, bob or the operator; ann and bob have a run ``w``."""
    engines = {
        "memory": MemoryEngine,
        "durable": lambda: DurableEngine(f"sqlite:///{tmp_path}/runs.db"),
    }
    mastra = Mastra(
        workflows={
            "order": Workflow("order").then(ask_too),
            "endless": Workflow("endless").then(endless),
        },
        engine=engines[request.param](),
        server={"auth": Auth()},
        logger=False,
    )
    with serve(mastra) as server:

        def send(method, path, body=None, by="operator", **params):
            headers = {"authorization": f"Bearer {by}"}
            return server.http.request(
                method, f"/api/{path}", json=body, params=params, headers=headers
            )

        for number, user in enumerate(USERS):
            body = {"inputData": number}
            started = send("POST", "workflows/order/start-async", body, user, runId="w")
            assert started.json()["status"] == "suspended"
        yield send


AMBIGUOUS = [
    ("GET", "workflows/order/runs/w", None, {}),
    ("POST", "workflows/order/runs/w/cancel", {}, {}),
    ("DELETE", "workflows/order/runs/w", None, {}),
    ("POST", "workflows/order/resume-async", {"step": "ask-too"}, {"runId": "w"}),
    ("POST", "workflows/order/observe", None, {"runId": "w"}),
    ("POST", "workflows/order/restart-async", {}, {"runId": "w"}),
    ("POST", "workflows/order/time-travel-async", {"step": "ask-too"}, {"runId": "w"}),
]


def test_a_run_of_several_owners_is_refused(call):
    """A tenant cannot take the place of another one with the same run id."""
    for method, path, body, params in AMBIGUOUS:
        answer = call(method, path, body, **params)
        assert (answer.status_code, answer.json()["error"]) == (
            409,
            "Several resources have a run 'w'.",
        )
    for user in USERS:
        assert call("GET", "workflows/order/runs/w", by=user).json()["status"] == "suspended"


def test_the_query_names_the_owner(call):
    resumed = call(
        "POST",
        "workflows/order/resume-async",
        {"step": "ask-too", "resumeData": 5},
        runId="w",
        resourceId="bob",
    )
    assert resumed.json()["status"] == "success"
    found = {user: call("GET", "workflows/order/runs/w", resourceId=user).json() for user in USERS}
    assert {user: run["status"] for user, run in found.items()} == {
        "ann": "suspended",
        "bob": "success",
    }
    foreign = call("GET", "workflows/order/runs/w", by="ann", resourceId="bob")
    assert foreign.status_code == 403


def test_the_operators_own_run_comes_first(call):
    started = call("POST", "workflows/order/start-async", {"inputData": 7}, runId="w")
    assert started.json()["input"] == 7
    assert call("GET", "workflows/order/runs/w").json()["payload"] == 7


def test_restart_all_restarts_each_of_two_runs_with_one_id_and_owner(call):
    """An operator may start a run for a resource whose own run has the same id."""
    for number, by in enumerate(("ann", "operator")):
        body = {"inputData": number, "resourceId": "ann"}
        call("POST", "workflows/endless/create-run", body, by, runId="r")
        call("POST", "workflows/endless/start", body, by, runId="r")
    assert {endless_starts.get(timeout=20) for _ in range(2)} == {0, 1}
    assert call("POST", "workflows/endless/restart-all-active-workflow-runs").status_code == 200
    assert {endless_starts.get(timeout=20) for _ in range(2)} == {0, 1}
    assert endless_starts.empty()


@step
def show_context(n: int, context: StepContext) -> dict[str, Any]:
    if context.resume_data is None:
        context.suspend()
    names = ("plan", "mastra__resourceId")
    shown = {name: context.request_context.get(name) for name in names}
    return {**shown, "user": context.request_context["user"]["name"]}


@pytest.mark.parametrize("engine", ["memory", "durable"])
def test_the_context_of_a_run_that_an_operator_continues(serve, tmp_path, engine):
    """The steps after an approval still belong to the tenant that has started the run."""
    engines = {
        "memory": MemoryEngine,
        "durable": lambda: DurableEngine(f"sqlite:///{tmp_path}/runs.db"),
    }
    mastra = Mastra(
        workflows={"order": Workflow("order").then(show_context)},
        engine=engines[engine](),
        server={"auth": Auth()},
        logger=False,
    )
    tenant = {"plan": "gold", "mastra__resourceId": "ann"}
    with serve(mastra) as server:

        def send(action, by, **body):
            url = f"/api/workflows/order/{action}?runId=r"
            headers = {"authorization": f"Bearer {by}"}
            return server.http.post(url, json=body, headers=headers).json()

        send("start-async", "ann", inputData=1, requestContext={"plan": "gold"})
        resumed = send("resume-async", "operator", resumeData=1)
        assert resumed["result"] == {**tenant, "user": "operator"}
        travelled = send("time-travel-async", "operator", step="show_context", resumeData=1)
        assert travelled["result"] == {**tenant, "user": "operator"}
        own = send("time-travel-async", "ann", step="show_context", resumeData=1)
        assert own["result"] == {**tenant, "plan": None, "user": "ann"}
