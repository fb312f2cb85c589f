"""Every call that Mastra's own client has for workflows, success and failure."""

import json

import pytest

from mastra_core import Mastra
from mastra_server.http.request_context import RESOURCE_KEY, request_context
from tests.server import sample_workflows as workflow_sample


@pytest.fixture(scope="module")
def got(node, serve):
    with serve(workflow_sample.sample()) as server:
        yield node("workflows.mjs", server.url)


def kinds(chunks):
    return [chunk["type"].removeprefix("workflow-") for chunk in chunks]


def ids(chunks, kind):
    return [each["payload"]["id"] for each in chunks if each["type"] == f"workflow-{kind}"]


def test_lists_and_details(got):
    assert list(got["listed"]) == list(workflow_sample.workflows())
    assert got["partial"]["nested"]["stepCount"] == 2
    assert got["partial"]["nested"]["stepGraph"] == got["nested"]["stepGraph"]
    nested = got["nested"]
    assert nested == got["listed"]["nested"]
    assert list(nested["steps"]) == ["first", "inner"]
    assert nested["steps"]["inner"]["component"] == "WORKFLOW"
    assert list(nested["allSteps"]) == ["first", "inner", "inner.double", "inner.confirm"]
    assert nested["allSteps"]["inner"]["isWorkflow"] is True
    assert nested["allSteps"]["inner.confirm"]["isWorkflow"] is False
    assert json.loads(nested["allSteps"]["inner.confirm"]["resumeSchema"]) == {
        "json": {"type": "integer"}
    }
    state = json.loads(got["listed"]["line"]["stateSchema"])["json"]
    assert state["properties"]["count"]["type"] == "integer"
    assert got["schema"]["inputSchema"] == {"type": "integer"}


def test_the_graph_of_each_kind_of_node(got):
    graphs = {name: each["stepGraph"] for name, each in got["listed"].items()}
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


def test_state(got):
    assert got["state"]["result"] == 7
    assert got["stateRun"]["initialState"] == {"count": 41}
    assert got["stateRun"]["resourceId"] == "ann"
    for failed, words in (
        ("badState", "Invalid initial state"),
        ("badStart", "Invalid input data"),
    ):
        assert got[failed]["status"] == 400
        assert words in got[failed]["message"]


def test_input_that_does_not_fit_a_stream(got):
    begun, ended = got["badStream"]
    assert begun["type"] == "workflow-start"
    assert ended["payload"]["workflowStatus"] == "failed"
    error = ended["payload"]["metadata"]["error"]
    assert error["code"] == "WORKFLOW_SCHEMA_VALIDATION_FAILED"


def test_stream(got):
    chunks = got["lineStream"]
    assert kinds(chunks) == [
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


def test_observe(got):
    assert kinds(got["observed"]) == kinds(got["lineStream"])
    assert kinds(got["observedRest"]) == kinds(got["lineStream"])[3:]
    assert "Workflow run not found" in got["observedMissing"]["message"]
    assert got["observedMissing"]["status"] == 404


def test_time_travel(got):
    result = got["travelled"]
    assert (result["status"], result["result"], result["input"]) == ("success", 11, 1)
    assert result["stepExecutionPath"] == ["double", "increase", "increase"]
    assert result["steps"]["double"]["output"] == 10
    assert result["steps"]["increase"]["output"] == 11
    assert got["travelledAs"]["result"] == 51
    assert got["travelledAs"]["steps"]["double"]["output"] == 50
    assert kinds(got["travelStream"]) == kinds(got["lineStream"])
    assert got["travelStarted"] == {"message": "Workflow run time travel started"}
    assert (got["travelEnded"]["result"], got["travelEnded"]["status"]) == (8, "success")
    assert got["travelNowhere"]["status"] == 400
    assert "The workflow has no step 'nothing'" in got["travelNowhere"]["message"]
    assert got["tooSoon"]["status"] == 409


def test_step_by_step(got):
    assert (got["perStep"]["status"], list(got["perStep"]["steps"])) == (
        "paused",
        ["input", "double"],
    )
    assert (got["perStepOn"]["status"], got["perStepOn"]["result"]) == ("success", 7)
    assert kinds(got["perStepStream"])[-2:] == ["paused", "finish"]
    assert got["perStepStream"][-1]["payload"]["workflowStatus"] == "paused"


def test_two_suspended_steps(got):
    result = got["asking"]
    assert result["suspended"] == [["ask"], ["ask2"]]
    assert result["suspendPayload"] == {"ask": {"n": 1}, "ask2": {"n": 1}}
    run = got["askingRun"]
    assert run["suspendedPaths"] == {"ask": [0, 0], "ask2": [0, 1]}
    assert run["resumeLabels"] == {"label-1": {"stepId": "ask2"}}
    assert got["counts"]["asking"] == {"running": 0, "suspended": 1}
    assert list(got["counts"]) == list(got["listed"])
    for name, status in (
        ("unnamed", 400),
        ("badResume", 400),
        ("wrongStep", 400),
        ("notSuspended", 409),
    ):
        assert got[name]["status"] == status, got[name]
    assert "Several steps are suspended: ask, ask2" in got["unnamed"]["message"]
    assert "Invalid resume data" in got["badResume"]["message"]
    assert "This workflow run was not suspended" in got["notSuspended"]["message"]
    assert (got["resumedOne"]["status"], got["resumedOne"]["suspended"]) == ("suspended", [["ask"]])
    assert got["noWait"] == {"runId": run["runId"]}
    assert got["noWaitEnded"]["result"] == {"ask": 7, "ask2": 6}


def test_a_stream_that_stays_open_while_a_run_waits(got):
    chunks = got["openStream"]
    ends = [each["payload"] for each in chunks if each["type"] == "workflow-finish"]
    assert [each["workflowStatus"] for each in ends] == ["suspended", "suspended", "success"]
    assert ends[-1]["finalWorkflowResult"] == {"ask": 2, "ask2": 3}


def test_a_nested_workflow(got):
    chunks = got["nestedStream"]
    assert ids(chunks, "step-start") == ["first", "inner", "inner.double", "inner.confirm"]
    assert ids(chunks, "step-suspended") == ["inner.confirm"]
    assert chunks[-1]["payload"]["workflowStatus"] == "suspended"
    run = got["nestedRun"]
    assert list(run["steps"]) == ["first", "inner", "inner.double", "inner.confirm"]
    assert run["steps"]["inner"]["status"] == "suspended"
    assert run["steps"]["inner"]["suspendPayload"] == {"n": 4}
    assert run["suspendedPaths"] == {"inner": [1]}
    assert list(got["nestedShort"]["steps"]) == ["first", "inner"]
    assert "serializedStepGraph" not in got["nestedShort"]
    assert (got["nestedResumed"]["status"], got["nestedResumed"]["result"]) == ("success", 5)
    assert got["nestedTravel"]["result"] == 101


def test_each_item_of_a_list(got):
    chunks = got["eachStream"]
    progress = [each["payload"] for each in chunks if each["type"] == "workflow-step-progress"]
    assert [each["iterationStatus"] for each in progress] == ["suspended", "suspended"]
    assert [(each["completedCount"], each["totalCount"]) for each in progress] == [(0, 2)] * 2
    assert ids(chunks, "step-suspended") == ["ask", "ask"]
    run = got["eachRun"]
    assert list(run["steps"]) == ["ask"]
    assert run["steps"]["ask"]["status"] == "suspended"
    assert run["resumeLabels"] == {
        "label-1": {"stepId": "ask", "foreachIndex": 0},
        "label-2": {"stepId": "ask", "foreachIndex": 1},
    }
    assert (got["eachOne"]["status"], got["eachOne"]["suspended"]) == ("suspended", [["ask"]])
    assert got["eachRest"]["result"] == [21, 12]
    finished = got["eachAll"][-1]["payload"]
    assert (finished["workflowStatus"], finished["finalWorkflowResult"]) == ("success", [2, 3])
    done = [each["payload"] for each in got["eachAll"] if each["type"] == "workflow-step-progress"]
    assert [(each["completedCount"], each["iterationOutput"]) for each in done] == [
        (1, 2),
        (2, 3),
    ]
    assert got["eachAgain"]["status"] == 409


def test_sleep(got):
    assert got["sleeping"]["status"] == "waiting"
    assert got["sleeping"]["waitingPaths"] == {"sleep_1": [0]}
    assert kinds(got["sleepyStream"])[:4] == ["start", "step-start", "step-waiting", "step-result"]
    assert got["sleepyStream"][-1]["payload"]["finalWorkflowResult"] == 8


def test_loops_agents_tools_and_branches(got):
    assert got["loops"]["result"] == 16
    assert got["loops"]["stepExecutionPath"] == ["double"] * 4
    assert got["made"]["result"] == {"double": 6}
    assert got["made"]["steps"]["shout"]["output"] == {"text": "ABC"}


def test_cancel_and_restart(got):
    assert got["endless"]["activeStepsPath"] == {"endless": [0]}
    assert got["cancelled"] == {"message": "Workflow run cancelled"}
    assert kinds(got["cancelledStream"])[-2:] == ["canceled", "finish"]
    assert got["cancelledStream"][-1]["payload"]["workflowStatus"] == "canceled"
    assert got["restarted"] == {"message": "Workflow run restarted"}
    assert got["restartedRun"]["status"] == "running"
    assert got["picky"]["status"] == got["pickyAgain"]["status"] == "failed"
    assert got["pickyAgain"]["stepExecutionPath"] == ["double", "picky", "picky"]
    assert got["restartDone"]["status"] == 409


def test_pages_of_runs(got):
    assert len(got["page"]["runs"]) == 2
    everything = got["page"]["total"]
    assert everything == got["page2"]["total"] == got["limit"]["total"] >= 5
    assert got["limit"]["runs"][0] == got["page"]["runs"][1]
    assert {run["runId"] for run in got["page"]["runs"]}.isdisjoint(
        run["runId"] for run in got["page2"]["runs"]
    )
    assert [run["resourceId"] for run in got["ann"]["runs"]] == ["ann"]
    assert [run["snapshot"]["status"] for run in got["failedRuns"]["runs"]] == ["failed"]
    assert got["failedRuns"]["runs"][0]["snapshot"]["activePaths"] == [1]
    assert got["future"] == {"runs": [], "total": 0}


def test_every_run_under_way_is_restarted(serve):
    with serve(workflow_sample.sample()) as server:
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


def test_runs_of_others_are_not_seen(serve):
    async def known(request, next):
        if user := request.headers.get("x-user"):
            request_context(request)[RESOURCE_KEY] = user
        return await next(request)

    mastra = Mastra(workflows=workflow_sample.workflows(), logger=False, server_middleware=[known])
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
        for answer in (
            api.get(f"{url}/runs/r1", headers=bob),
            api.delete(f"{url}/runs/r1", headers=bob),
            api.post(f"{url}/runs/r1/cancel", headers=bob),
            api.post(f"{url}/create-run", json={}, **theirs),
            api.post(f"{url}/observe", **theirs),
            api.post(f"{url}/resume", json={"step": "ask", "resumeData": 1}, **theirs),
            api.post(f"{url}/time-travel", json={"step": "ask", "inputData": 1}, **theirs),
            api.post(f"{url}/restart", json={}, **theirs),
        ):
            assert (answer.status_code, answer.json()) == (403, {"error": "Access denied"})
        assert api.get(f"{url}/runs/r1", headers=ann).json()["status"] == "suspended"


def test_a_run_that_has_not_started_has_nothing_to_watch(serve):
    with serve(workflow_sample.sample()) as server:
        made = {"params": {"runId": "r1"}}
        server.http.post("/api/workflows/line/create-run", json={}, **made)
        assert server.http.post("/api/workflows/line/observe", **made).content == b""
