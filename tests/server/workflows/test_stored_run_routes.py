"""The routes of stored runs, which ``mastra runs --url`` calls."""

import asyncio
import time

import pytest

from mastra_core import Agent, DurableEngine, Mastra, Memory, StepContext, Workflow, step, tool
from tests.core.scripted_model import Script
from tests.core.scripted_model import call as call_tool
from tests.core.workflows.sample_steps import add_one, ask_too, double, fail

OLD = Workflow("order").then(add_one).then(ask_too)
LONGER = OLD.then(double)
FAILING = Workflow("failing").then(add_one).then(fail)


@step
def name_user(n: int, context: StepContext) -> str:
    """Return who resumes the run."""
    if context.resume_data is None:
        context.suspend()
    return context.request_context["user"]["name"] or "operator"


NAMING = Workflow("naming").then(name_user)
RUNS = "/api/workflow-runs"
USERS = {"key-of-ann": "ann", "key-of-bob": "bob", "key-of-operator": ""}


class Auth:
    """Confine every caller but the operator to a resource."""

    def authenticate(self, token, request):
        return {"name": USERS[token]} if token in USERS else None

    def resource(self, user):
        return user["name"]


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    """A server of a new build; the database has runs of ann that an old build has suspended."""
    url = f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db"

    async def start_runs():
        engine = DurableEngine(url)
        for number in range(3):
            run = await engine.create(OLD, f"r{number}", "ann")
            await engine.start(run, number)
            await run.wait()
        failed = await engine.create(FAILING, "f1", "ann")
        await engine.start(failed, 1)
        await failed.wait()
        await engine.close()

    asyncio.run(start_runs())
    mastra = Mastra(
        workflows={"order": LONGER, "failing": FAILING, "naming": NAMING},
        engine=DurableEngine(url, name="web-1"),
        server={"auth": Auth()},
    )
    with serve(mastra) as running_server:
        yield running_server


@pytest.fixture(scope="module")
def call(server):
    def send(path, body=None, by="operator", **params):
        method = "GET" if body is None else "POST"
        headers = {"authorization": f"Bearer key-of-{by}"}
        url = f"{RUNS}{path}"
        return server.http.request(method, url, json=body, params=params, headers=headers)

    return send


def test_lists_and_details(call):
    listed = call("", workflowId="order", limit="2").json()
    assert [run["runId"] for run in listed["runs"]] == ["r2", "r1"]
    assert (listed["counts"], listed["parked"]) == ({"suspended": 3}, [])
    assert call("", status="failed").json()["counts"] == {"failed": 1}
    details = call("/details", runId="f1").json()["run"]
    assert details["steps"]["add_one"]["status"] == "success"
    assert details["error"]["message"] == "no row 2"
    assert (details["parentRunId"], details["children"]) == (None, [])
    assert call("", limit="1001").status_code == 400
    assert call("/details", runId="unknown").status_code == 404
    assert call("/details").status_code == 400


def test_only_the_owner_sees_and_changes_a_run(call):
    body = {"runId": "r0"}
    for path in ("/cancel", "/resume", "/retry"):
        assert call(path, body, by="bob").status_code == 404
    assert call("/details", by="bob", runId="r0").status_code == 404
    assert call("", by="bob").json() == {"runs": [], "counts": {}, "parked": []}
    assert call("/details", by="ann", runId="r0").json()["run"]["status"] == "suspended"
    for by in ("ann", "bob"):
        assert call("/fingerprints", by=by, workflowId="order").status_code == 403
        assert call("/move", body, by=by).status_code == 403


@pytest.mark.parametrize(("first", "second"), [("operator", "ann"), ("ann", "operator")])
def test_a_resumed_step_sees_the_caller_that_resumes(server, call, first, second):
    run_id = f"of-{first}"
    body = {"inputData": 1, "resourceId": "ann"}
    headers = {"authorization": f"Bearer key-of-{first}"}
    path = f"/api/workflows/naming/start-async?runId={run_id}"
    started = server.http.post(path, json=body, headers=headers)
    assert started.json()["status"] == "suspended", started.text
    assert call("/resume", {"runId": run_id, "data": {}}, by=second).status_code == 200
    deadline = time.monotonic() + 20
    while (run := call("/details", runId=run_id).json()["run"])["status"] != "success":
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    assert run["steps"]["name_user"]["output"] == second


def test_changes(call):
    canceled = call("/cancel", {"runId": "r2"}, by="ann")
    assert canceled.json()["run"]["status"] == "canceled"
    assert call("/cancel", {"runId": "r2"}).status_code == 409
    retried = call("/retry", {"runId": "f1", "workflowId": "failing"})
    assert retried.json()["run"]["status"] in ("running", "failed")
    assert call("/resume", {"runId": "f1"}).status_code == 409


def test_moves(call):
    (known,) = [
        each
        for each in call("/fingerprints", workflowId="order").json()["fingerprints"]
        if each["processes"]
    ]
    assert (known["fingerprint"], known["processes"]) == (LONGER.fingerprint, ["web-1"])
    assert known["unfinished"] == 0
    assert call("/move", {}).status_code == 400
    assert call("/move", {"runId": "r2"}).status_code == 409
    body = {"source": OLD.fingerprint, "workflowId": "order"}
    moved = call("/move", body).json()
    assert (moved["to"], moved["next"]) == (LONGER.fingerprint, None)
    assert sorted(moved["moved"]) == ["r0", "r1"]
    assert call("/resume", {"runId": "r0", "data": 5}).json()["run"]["status"] == "running"
    until = time.monotonic() + 20
    while (run := call("/details", runId="r0").json()["run"])["status"] == "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert (run["status"], run["steps"]["double"]["output"]) == ("success", 10)


def test_a_cancel_reaches_the_thread_of_an_agent(serve, tmp_path):
    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    agent = Agent(name="a", model=Script([call_tool("pay")]).model, tools=[pay])
    engine = DurableEngine(f"sqlite:///{tmp_path}/runs.db")
    with serve(Mastra(agents={"a": agent}, engine=engine, memory=Memory())) as server:
        memory = {"thread": "t", "resource": "ann"}
        body = {"messages": "pay", "runId": "r", "memory": memory}
        assert server.http.post("/api/agents/a/generate", json=body).status_code == 200
        assert server.http.post(f"{RUNS}/cancel", json={"runId": "r"}).status_code == 200
        params = {"agentId": "a", "resourceId": "ann"}
        text = server.http.get("/api/memory/threads/t/messages", params=params).text
    assert "The run was canceled." in text
    assert "pendingToolApprovals" not in text


def test_a_server_without_stored_runs_has_no_such_routes(server, serve):
    with serve(Mastra(workflows={"order": OLD})) as other:
        assert other.http.get(RUNS).status_code == 404


def test_several_owners_of_a_run_id(call):
    """An operator names the owner, because each resource has its own run ids."""
    for user in ("ann", "bob"):
        started = call("/../workflows/naming/start-async", {"inputData": 1}, user, runId="same")
        assert started.json()["status"] == "suspended"
    named = {"runId": "same"}
    assert call("/details", **named).status_code == 409
    refused = call("/cancel", named)
    assert (refused.status_code, refused.json()["error"]) == (
        409,
        "Several resources have a run 'same'.",
    )
    assert call("/cancel", named | {"resourceId": "bob"}, "ann").status_code == 403
    canceled = call("/cancel", named | {"resourceId": "bob"}).json()["run"]
    assert (canceled["resourceId"], canceled["status"]) == ("bob", "canceled")
    details = call("/details", **named, resourceId="ann").json()["run"]
    assert (details["resourceId"], details["status"]) == ("ann", "suspended")
    assert call("/retry", named | {"resourceId": "bob"}).json()["run"]["resourceId"] == "bob"
    assert call("/resume", named | {"resourceId": "ann"}).json()["run"]["resourceId"] == "ann"
