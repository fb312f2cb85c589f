"""The routes of schedules."""

import time

import pytest

from mastra_core import DurableEngine, Mastra, Schedule, Workflow
from mastra_server.http.request_context import RESOURCE_KEY, request_context
from tests.core.workflows.sample_steps import add_one

YEARLY = Schedule("@yearly", "Europe/Berlin", input=1, metadata={"team": "a"}, id="y")
SECONDS = Schedule("* * * * * *", input=5, id="s")


async def set_resource(request, next):
    if user := request.headers.get("x-user"):
        request_context(request)[RESOURCE_KEY] = user
    return await next(request)


@pytest.fixture(scope="module")
def api(serve, tmp_path_factory):
    mastra = Mastra(
        workflows={
            "timed": Workflow("timed", schedule=[YEARLY, SECONDS]).then(add_one),
            "plain": Workflow("plain").then(add_one),
        },
        engine=DurableEngine(f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db"),
        server_middleware=[set_resource],
        logger=False,
    )
    with serve(mastra) as server:
        yield server.http


def wait_for(call):
    deadline = time.monotonic() + 10
    while not (found := call()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_schedules_are_listed_and_paused(api):
    listed = wait_for(lambda: api.get("/api/schedules").json()["schedules"])
    assert [each["id"] for each in listed] == ["wf_timed__s", "wf_timed__y"]
    yearly = api.get("/api/schedules/wf_timed__y").json()
    assert yearly == {
        "id": "wf_timed__y",
        "workflowId": "timed",
        "cron": "@yearly",
        "timezone": "Europe/Berlin",
        "status": "active",
        "nextFireAt": yearly["nextFireAt"],
        "inputData": 1,
        "metadata": {"team": "a"},
        "createdAt": yearly["createdAt"],
        "updatedAt": yearly["updatedAt"],
    }
    for action, status in (("pause", "paused"), ("pause", "paused"), ("resume", "active")):
        answer = api.post(f"/api/schedules/wf_timed__y/{action}")
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        query = {"status": status, "workflowId": "timed"}
        ids = [each["id"] for each in api.get("/api/schedules", params=query).json()["schedules"]]
        assert "wf_timed__y" in ids
    assert api.get("/api/schedules", params={"workflowId": "x"}).json() == {"schedules": []}
    assert api.get("/api/schedules", params={"agentId": "x"}).json() == {"schedules": []}


def test_started_runs_are_triggers(api):
    def list_ended():
        triggers = api.get("/api/schedules/wf_timed__s/triggers").json()["triggers"]
        return [each for each in triggers if each["run"]["status"] == "success"]

    trigger = wait_for(list_ended)[0]
    assert trigger["runId"] == f"sched_wf_timed__s_{trigger['scheduledFireAt']}"
    assert (trigger["triggerKind"], trigger["outcome"]) == ("schedule-fire", "published")
    assert api.get(f"/api/workflows/timed/runs/{trigger['runId']}").json()["result"] == 6
    assert api.get("/api/schedules/wf_timed__s").json()["lastRun"]["startedAt"]
    started = api.post("/api/schedules/wf_timed__y/run").json()
    assert started["claimId"] == f"sched_wf_timed__y_{started['scheduledFireAt']}"
    (manual,) = api.get("/api/schedules/wf_timed__y/triggers", params={"limit": 5}).json()[
        "triggers"
    ]
    assert (manual["runId"], manual["triggerKind"]) == (started["claimId"], "manual")


def test_schedules_belong_to_nobody(api):
    ann = {"x-user": "ann"}
    assert api.get("/api/schedules", headers=ann).json() == {"schedules": []}
    path = "/api/schedules/wf_timed__y"
    for method, url in (
        ("GET", path),
        ("POST", f"{path}/pause"),
        ("POST", f"{path}/resume"),
        ("POST", f"{path}/run"),
        ("GET", f"{path}/triggers"),
    ):
        assert api.request(method, url, headers=ann).status_code == 404
        assert api.request(method, url.replace("timed", "other")).status_code == 404
    assert api.post("/api/schedules", json={"workflowId": "timed"}).status_code == 501
    assert api.patch(path, json={}).status_code == api.delete(path).status_code == 501


@pytest.mark.parametrize("user", ["", "ann"])
def test_a_caller_cannot_use_the_run_ids_of_a_schedule(api, user):
    """A caller cannot start the next run before its time, or appear among the triggers."""
    planned = wait_for(lambda: api.get("/api/schedules/wf_timed__y").json().get("nextFireAt"))
    id_ = f"sched_wf_timed__y_{planned}"
    for action in ("create-run", "start-async", "stream"):
        answer = api.post(
            f"/api/workflows/timed/{action}", params={"runId": id_}, headers={"x-user": user}
        )
        assert answer.status_code == 400
        assert answer.json()["error"] == (
            f"The run id '{id_}' is reserved for the schedule 'wf_timed__y'."
        )
    assert api.get(f"/api/workflows/timed/runs/{id_}").status_code == 404
    other = api.post("/api/workflows/plain/create-run", params={"runId": id_})
    assert other.json() == {"runId": id_}
