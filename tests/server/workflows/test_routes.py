"""Test every workflow call of Mastra's client, success and failure."""

import json

import pytest

from mastra_core import Mastra
from mastra_core.workflows.durable import DurableEngine
from mastra_server.http.request_context import RESOURCE_KEY, request_context
from tests.server import sample_workflows as workflow_sample


@pytest.fixture(scope="module", params=["memory", pytest.param("durable", marks=pytest.mark.full)])
def results(request, node, serve, tmp_path_factory):
    """The results of the client; a durable engine gives the same ones."""
    engine = None
    if request.param == "durable":
        engine = DurableEngine(f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db")
    with serve(workflow_sample.create_sample(engine)) as server:
        yield node("workflows.mjs", server.url)


def list_kinds(chunks):
    return [chunk["type"].removeprefix("workflow-") for chunk in chunks]


def list_ids(chunks, kind):
    return [each["payload"]["id"] for each in chunks if each["type"] == f"workflow-{kind}"]


def test_lists_and_details(results):
    assert list(results["listed"]) == list(workflow_sample.workflows())
    assert results["partial"]["nested"]["stepCount"] == 2
    assert results["partial"]["nested"]["stepGraph"] == results["nested"]["stepGraph"]
    nested = results["nested"]
    assert nested == results["listed"]["nested"]
    assert list(nested["steps"]) == ["first", "inner"]
    assert nested["steps"]["inner"]["component"] == "WORKFLOW"
    assert list(nested["allSteps"]) == ["first", "inner", "inner.double", "inner.confirm"]
    assert nested["allSteps"]["inner"]["isWorkflow"] is True
    assert nested["allSteps"]["inner.confirm"]["isWorkflow"] is False
    assert json.loads(nested["allSteps"]["inner.confirm"]["resumeSchema"]) == {
        "json": {"type": "integer"}
    }
    state = json.loads(results["listed"]["line"]["stateSchema"])["json"]
    assert state["properties"]["count"]["type"] == "integer"
    assert results["schema"]["inputSchema"] == {"type": "integer"}


def test_graph(results):
    graphs = {name: each["stepGraph"] for name, each in results["listed"].items()}
    assert [each["type"] for each in graphs["asking"]] == ["parallel", "mapping"]
    assert graphs["nested"][1]["type"] == "workflow"
    inner = graphs["nested"][1]["serializedStepFlow"]
    assert inner[1] == {"type": "step", "step": {"id": "confirm", "canSuspend": True}}
    assert graphs["each"][0]["opts"] == {"concurrency": 2}
    assert graphs["sleepy"][0] == {"type": "sleep", "id": "sleep_1", "duration": 50}
    assert graphs["loops"][0]["loopType"] == "dowhile"
    assert [each["type"] for each in graphs["made"]] == [
        "agent",
        "mapping",
        "tool",
        "conditional",
    ]
    assert graphs["made"][0]["agentId"] == "shout"
    assert graphs["made"][2]["toolId"] == "count_letters"


def test_state(results):
    assert results["state"]["result"] == 7
    assert results["stateRun"]["initialState"] == {"count": 41}
    assert results["stateRun"]["resourceId"] == "ann"
    for failed, words in (
        ("badState", "Invalid initial state"),
        ("badStart", "Invalid input data"),
    ):
        assert results[failed]["status"] == 400
        assert words in results[failed]["message"]


def test_invalid_input_of_a_stream(results):
    begun, ended = results["badStream"]
    assert begun["type"] == "workflow-start"
    assert ended["payload"]["workflowStatus"] == "failed"
    error = ended["payload"]["metadata"]["error"]
    assert error["code"] == "WORKFLOW_SCHEMA_VALIDATION_FAILED"


def test_stream(results):
    chunks = results["lineStream"]
    assert list_kinds(chunks) == [
        "start",
        "step-start",
        "step-result",
        "step-start",
        "step-output",
        "step-result",
        "finish",
    ]
    assert chunks[0]["payload"] == {"workflowId": "line"}
    begun, ended = chunks[1]["payload"], chunks[2]["payload"]
    assert begun["stepCallId"] == ended["stepCallId"]
    assert (begun["status"], ended["status"], ended["output"]) == ("running", "success", 2)
    assert chunks[4]["from"] == "USER"
    assert chunks[4]["payload"] == {
        "stepName": "increase",
        "output": {"at": 2},
        "runId": chunks[0]["runId"],
    }
    assert chunks[-1]["payload"]["finalWorkflowResult"] == 3
    assert chunks[-1]["payload"]["output"]["usage"]["totalTokens"] == 0


def test_observe(results):
    assert list_kinds(results["observed"]) == list_kinds(results["lineStream"])
    assert list_kinds(results["observedRest"]) == list_kinds(results["lineStream"])[3:]
    assert "Workflow run not found" in results["observedMissing"]["message"]
    assert results["observedMissing"]["status"] == 404


def test_time_travel(results):
    result = results["travelled"]
    assert (result["status"], result["result"], result["input"]) == ("success", 11, 1)
    assert result["stepExecutionPath"] == ["double", "increase", "increase"]
    assert result["steps"]["double"]["output"] == 10
    assert result["steps"]["increase"]["output"] == 11
    assert results["travelledAs"]["result"] == 51
    assert results["travelledAs"]["steps"]["double"]["output"] == 50
    assert list_kinds(results["travelStream"]) == list_kinds(results["lineStream"])
    assert results["travelStarted"] == {"message": "Workflow run time travel started"}
    assert (results["travelEnded"]["result"], results["travelEnded"]["status"]) == (8, "success")
    assert results["travelNowhere"]["status"] == 400
    assert "The workflow has no step 'nothing'" in results["travelNowhere"]["message"]
    assert results["tooSoon"]["status"] == 409


def test_step_by_step(results):
    assert (results["perStep"]["status"], list(results["perStep"]["steps"])) == (
        "paused",
        ["input", "double"],
    )
    assert (results["perStepOn"]["status"], results["perStepOn"]["result"]) == ("success", 7)
    assert list_kinds(results["perStepStream"])[-2:] == ["paused", "finish"]
    assert results["perStepStream"][-1]["payload"]["workflowStatus"] == "paused"


def test_two_suspended_steps(results):
    result = results["asking"]
    assert result["suspended"] == [["ask"], ["ask2"]]
    assert result["suspendPayload"] == {"ask": {"n": 1}, "ask2": {"n": 1}}
    run = results["askingRun"]
    assert run["suspendedPaths"] == {"ask": [0, 0], "ask2": [0, 1]}
    assert run["resumeLabels"] == {"label-1": {"stepId": "ask2"}}
    assert results["counts"]["asking"] == {"running": 0, "suspended": 1}
    assert list(results["counts"]) == list(results["listed"])
    for name, status in (
        ("unnamed", 400),
        ("badResume", 400),
        ("wrongStep", 400),
        ("notSuspended", 409),
    ):
        assert results[name]["status"] == status, results[name]
    assert "Several steps are suspended: ask, ask2" in results["unnamed"]["message"]
    assert "Invalid resume data" in results["badResume"]["message"]
    assert "This workflow run was not suspended" in results["notSuspended"]["message"]
    assert (results["resumedOne"]["status"], results["resumedOne"]["suspended"]) == (
        "suspended",
        [["ask"]],
    )
    assert results["noWait"] == {"runId": run["runId"]}
    assert results["noWaitEnded"]["result"] == {"ask": 7, "ask2": 6}


def test_stream_through_a_suspension(results):
    chunks = results["openStream"]
    ends = [each["payload"] for each in chunks if each["type"] == "workflow-finish"]
    assert [each["workflowStatus"] for each in ends] == ["suspended", "suspended", "success"]
    assert ends[-1]["finalWorkflowResult"] == {"ask": 2, "ask2": 3}


def test_nested_workflow(results):
    chunks = results["nestedStream"]
    assert list_ids(chunks, "step-start") == ["first", "inner", "inner.double", "inner.confirm"]
    assert list_ids(chunks, "step-suspended") == ["inner.confirm"]
    assert chunks[-1]["payload"]["workflowStatus"] == "suspended"
    run = results["nestedRun"]
    assert list(run["steps"]) == ["first", "inner", "inner.double", "inner.confirm"]
    assert run["steps"]["inner"]["status"] == "suspended"
    assert run["steps"]["inner"]["suspendPayload"] == {"n": 4}
    assert run["suspendedPaths"] == {"inner": [1]}
    assert list(results["nestedShort"]["steps"]) == ["first", "inner"]
    assert "serializedStepGraph" not in results["nestedShort"]
    assert (results["nestedResumed"]["status"], results["nestedResumed"]["result"]) == (
        "success",
        5,
    )
    assert results["nestedTravel"]["result"] == 101


def test_foreach(results):
    chunks = results["eachStream"]
    progress = [each["payload"] for each in chunks if each["type"] == "workflow-step-progress"]
    assert [each["iterationStatus"] for each in progress] == ["suspended", "suspended"]
    assert [(each["completedCount"], each["totalCount"]) for each in progress] == [(0, 2)] * 2
    assert list_ids(chunks, "step-suspended") == ["ask", "ask"]
    run = results["eachRun"]
    assert list(run["steps"]) == ["ask"]
    assert run["steps"]["ask"]["status"] == "suspended"
    assert run["resumeLabels"] == {
        "label-1": {"stepId": "ask", "foreachIndex": 0},
        "label-2": {"stepId": "ask", "foreachIndex": 1},
    }
    assert (results["eachOne"]["status"], results["eachOne"]["suspended"]) == (
        "suspended",
        [["ask"]],
    )
    assert results["eachRest"]["result"] == [21, 12]
    finished = results["eachAll"][-1]["payload"]
    assert (finished["workflowStatus"], finished["finalWorkflowResult"]) == ("success", [2, 3])
    done = [
        each["payload"] for each in results["eachAll"] if each["type"] == "workflow-step-progress"
    ]
    assert [(each["completedCount"], each["iterationOutput"]) for each in done] == [
        (1, 2),
        (2, 3),
    ]
    assert results["eachAgain"]["status"] == 409


def test_sleep(results):
    assert results["sleeping"]["status"] == "waiting"
    assert results["sleeping"]["waitingPaths"] == {"sleep_1": [0]}
    assert list_kinds(results["sleepyStream"])[:4] == [
        "start",
        "step-start",
        "step-waiting",
        "step-result",
    ]
    assert results["sleepyStream"][-1]["payload"]["finalWorkflowResult"] == 8


def test_loops_agents_tools_and_branches(results):
    assert results["loops"]["result"] == 16
    assert results["loops"]["stepExecutionPath"] == ["double"] * 4
    assert results["made"]["result"] == {"double": 6}
    assert results["made"]["steps"]["shout"]["output"] == {"text": "ABC"}


def test_bailing_step_succeeds_except_in_its_chunk(results):
    assert (results["bailed"]["status"], results["bailed"]["result"]) == ("success", -4)
    for steps in (results["bailed"]["steps"], results["bailedRun"]["steps"]):
        assert (steps["bail"]["status"], steps["bail"]["output"]) == ("success", -4)
    (chunk,) = [each for each in results["bailedStream"] if each["type"] == "workflow-step-result"]
    assert chunk["payload"]["status"] == "bailed"


def test_cancel_and_restart(results):
    assert results["endless"]["activeStepsPath"] == {"endless": [0]}
    assert results["cancelled"] == {"message": "Workflow run cancelled"}
    assert list_kinds(results["cancelledStream"])[-2:] == ["canceled", "finish"]
    assert results["cancelledStream"][-1]["payload"]["workflowStatus"] == "canceled"
    assert results["restarted"] == {"message": "Workflow run restarted"}
    assert results["restartedRun"]["status"] == "running"
    assert results["picky"]["status"] == results["pickyAgain"]["status"] == "failed"
    assert results["pickyAgain"]["stepExecutionPath"] == ["double", "picky", "picky"]
    assert results["restartDone"]["status"] == 409


def test_pages_of_runs(results):
    assert len(results["page"]["runs"]) == 2
    everything = results["page"]["total"]
    assert everything == results["page2"]["total"] == results["limit"]["total"] >= 5
    assert results["limit"]["runs"][0] == results["page"]["runs"][1]
    assert {run["runId"] for run in results["page"]["runs"]}.isdisjoint(
        run["runId"] for run in results["page2"]["runs"]
    )
    assert [run["resourceId"] for run in results["ann"]["runs"]] == ["ann"]
    assert [run["snapshot"]["status"] for run in results["failedRuns"]["runs"]] == ["failed"]
    assert results["failedRuns"]["runs"][0]["snapshot"]["activePaths"] == [1]
    assert results["future"] == {"runs": [], "total": 0}


def test_restart_all(serve):
    with serve(workflow_sample.create_sample()) as server:
        api = server.http
        for number in (1, 2):
            api.post("/api/workflows/endless/create-run", params={"runId": f"r{number}"}, json={})
            api.post(
                "/api/workflows/endless/start",
                params={"runId": f"r{number}"},
                json={"inputData": 1},
            )
        answer = api.post("/api/workflows/endless/restart-all-active-workflow-runs")
        assert answer.json() == {"message": "All active workflow runs restarted"}
        runs = api.get("/api/workflows/endless/runs").json()["runs"]
        assert [run["snapshot"]["stepExecutionPath"] for run in runs] == [["endless"] * 2] * 2
        answer = api.post("/api/workflows/line/restart-all-active-workflow-runs-async")
        assert answer.status_code == 200


async def set_resource(request, next):
    if user := request.headers.get("x-user"):
        request_context(request)[RESOURCE_KEY] = user
    return await next(request)


def test_runs_of_other_resources(serve):
    mastra = Mastra(
        workflows=workflow_sample.workflows(), logger=False, server_middleware=[set_resource]
    )
    with serve(mastra) as server:
        api, ann, bob = server.http, {"x-user": "ann"}, {"x-user": "bob"}
        url = "/api/workflows/asking"
        made = {"params": {"runId": "r1"}, "headers": ann}
        assert api.post(f"{url}/start-async", json={"inputData": 1}, **made).is_success
        assert api.get(f"{url}/runs", headers=ann).json()["total"] == 1
        assert api.get(f"{url}/runs", headers=bob).json() == {"runs": [], "total": 0}
        counts = api.get("/api/workflows/run-counts", headers=bob).json()
        assert counts["asking"]["suspended"] == 0
        theirs = {"params": {"runId": "r1"}, "headers": bob}
        answer = api.get(f"{url}/runs/r2", headers=bob)
        absent = (answer.status_code, answer.json())
        assert absent == (404, {"error": "Workflow run not found"})
        for answer in (
            api.get(f"{url}/runs/r1", headers=bob),
            api.delete(f"{url}/runs/r1", headers=bob),
            api.post(f"{url}/runs/r1/cancel", headers=bob),
            api.post(f"{url}/start", json={"inputData": 1}, **theirs),
            api.post(f"{url}/observe", **theirs),
            api.post(f"{url}/resume", json={"step": "ask", "resumeData": 1}, **theirs),
            api.post(f"{url}/time-travel", json={"step": "ask", "inputData": 1}, **theirs),
            api.post(f"{url}/restart", json={}, **theirs),
        ):
            assert (answer.status_code, answer.json()) == absent
        assert api.get(f"{url}/runs/r1", headers=ann).json()["status"] == "suspended"
        for path, headers, status in (
            ("start-async", ann, 403),
            ("stream", ann, 403),
            ("start-async", {}, 200),
        ):
            answer = api.post(
                f"{url}/{path}",
                json={"inputData": 1, "priority": 1},
                params={"runId": "r9"},
                headers=headers,
            )
            assert answer.status_code == status
            found = api.get(f"{url}/runs/r9").status_code
            assert found == (200 if status == 200 else 404), "no pending run is left behind"


def test_callers_of_two_resources_choose_the_same_run_id(serve):
    mastra = Mastra(
        workflows=workflow_sample.workflows(), logger=False, server_middleware=[set_resource]
    )
    with serve(mastra) as server:
        api, url, named = server.http, "/api/workflows/asking", {"params": {"runId": "r1"}}
        ann, bob, operator = {"x-user": "ann"}, {"x-user": "bob"}, {}

        def start(headers, **body):
            body = {"inputData": 1, **body}
            return api.post(f"{url}/start-async", json=body, headers=headers, **named).json()

        def get_owner(headers):
            return api.get(f"{url}/runs/r1", headers=headers).json()["resourceId"]

        assert api.post(f"{url}/create-run", json={}, headers=bob, **named).is_success
        assert start(ann)["status"] == "suspended"
        assert start(bob)["status"] == "suspended"
        assert (get_owner(ann), get_owner(bob)) == ("ann", "bob")
        assert api.get(f"{url}/runs/r1").status_code == 409
        assert start(operator, resourceId="carl")["status"] == "suspended"
        assert get_owner(operator) == get_owner({"x-user": "carl"}) == "carl"
        assert start({"x-user": "carl"})["error"] == "The run 'r1' was started before."
        assert api.delete(f"{url}/runs/r1", headers=bob).is_success
        assert api.get(f"{url}/runs/r1", headers=bob).status_code == 404
        assert (get_owner(ann), get_owner(operator)) == ("ann", "carl")
        assert api.get(f"{url}/runs").json()["total"] == 2


def test_observe_a_pending_run(serve):
    with serve(workflow_sample.create_sample()) as server:
        made = {"params": {"runId": "r1"}}
        server.http.post("/api/workflows/line/create-run", json={}, **made)
        assert server.http.post("/api/workflows/line/observe", **made).content == b""
