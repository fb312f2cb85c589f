"""Two servers with one database behave as one: each knows the runs of the other."""

import contextlib
import re
import threading
import time

import pytest

from mastra_core.workflows.durable import DurableEngine
from mastra_server.workflows import runs
from tests.server.sample_workflows import create_sample


@pytest.fixture(scope="module")
def open_servers(serve, tmp_path_factory):
    """A function that starts servers with engines of their own on the same file."""
    url = f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db"

    @contextlib.contextmanager
    def start(*concurrencies):
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(serve(create_sample(DurableEngine(url, max_concurrency=each))))
                for each in concurrencies
            ]

    return start


@pytest.fixture(scope="module")
def servers(open_servers):
    """The first server executes no run itself, so each run is executed by the other server."""
    with open_servers(0, 100) as servers:
        yield [server.http for server in servers]


def start(http, workflow, value):
    run_id = http.post(f"/api/workflows/{workflow}/create-run", json={}).json()["runId"]
    path, query = f"/api/workflows/{workflow}", {"runId": run_id}
    answer = http.post(f"{path}/start", params=query, json={"inputData": value})
    assert answer.status_code == 200
    return run_id, path, query


def wait_for_status(http, path, run_id, status):
    deadline = time.monotonic() + 10
    while (run := http.get(f"{path}/runs/{run_id}").json())["status"] != status:
        assert time.monotonic() < deadline, run
        time.sleep(0.02)
    return run


def test_run_is_started_here_and_executed_there(servers):
    here, there = servers
    body = {"inputData": 4}
    answer = here.post("/api/workflows/line/start-async", params={"runId": "r1"}, json=body)
    assert answer.json()["result"] == 9
    assert there.get("/api/workflows/line/runs/r1").json()["result"] == 9
    again = there.post("/api/workflows/line/start", params={"runId": "r1"}, json=body)
    assert again.status_code == 409  # the id of a run is an idempotency key


def test_resume_and_observe_from_the_other_server(servers):
    here, there = servers
    run_id, path, query = start(there, "nested", 3)
    wait_for_status(here, path, run_id, "suspended")
    body = {"step": "inner.confirm", "resumeData": 5}
    assert here.post(f"{path}/resume-async", params=query, json=body).json()["result"] == 17
    repeated = there.post(f"{path}/resume", params=query, json=body)
    assert repeated.status_code == 409
    streams = [http.post(f"{path}/observe", params=query).text for http in (here, there)]
    assert streams[0] == streams[1]
    kinds = re.findall(r'"type":"(workflow-[a-z-]+)"', streams[0])
    assert kinds.count("workflow-step-suspended") == 1
    rest = there.post(f"{path}/observe", params={**query, "offset": 2}).text
    assert rest.split("\x1e") == streams[0].split("\x1e")[2:], "also the ids of calls"
    calls = re.findall(r'"workflow-step-start".*?"stepCallId":"([^"]+)"', streams[0])
    assert len(set(calls)) == len(calls), "a resumed step has another call"


def test_stream_of_a_run_that_the_other_server_executes(servers):
    here, _ = servers
    answer = here.post(
        "/api/workflows/line/stream", params={"runId": "streamed"}, json={"inputData": 1}
    )
    chunks = answer.text.split("\x1e")
    assert '"workflow-start"' in chunks[0]
    assert '"workflow-finish"' in chunks[-2]


def test_cancel_from_the_other_server(servers):
    here, there = servers
    run_id, path, query = start(there, "endless", 1)
    observed = []
    reader = threading.Thread(
        target=lambda: observed.append(there.post(f"{path}/observe", params=query).text)
    )
    wait_for_status(there, path, run_id, "running")
    reader.start()
    assert here.post(f"{path}/runs/{run_id}/cancel").status_code == 200
    assert here.get(f"{path}/runs/{run_id}").json()["status"] == "canceled"
    reader.join(20)
    assert '"canceled"' in observed[0]


def test_lists_and_counts_are_those_of_all_servers(servers, monkeypatch):
    here, there = servers
    ids = [start(there, "each", [number])[0] for number in range(3)]
    for run_id in ids:
        wait_for_status(here, "/api/workflows/each", run_id, "suspended")
    query = {"status": "suspended", "perPage": 2, "page": 1}
    for http in servers:
        page = http.get("/api/workflows/each/runs", params=query).json()
        assert (page["total"], [run["runId"] for run in page["runs"]]) == (3, [ids[0]])
        assert http.get("/api/workflows/run-counts").json()["each"]["suspended"] == 3
    monkeypatch.setattr(runs, "_MAX_RUNS", 2)  # a response has a maximum, whatever is asked for
    for query in ({}, {"perPage": 9}, {"limit": 9}):
        page = here.get("/api/workflows/each/runs", params=query).json()
        assert (page["total"], len(page["runs"])) == (3, 2)
    monkeypatch.setattr(runs, "_MAX_RUNS", 100)
    monkeypatch.setattr(runs, "_READ_SIZE", 1)  # one query for each run
    for query, expected in (({}, ids[::-1]), ({"offset": 1, "limit": 2}, ids[1::-1])):
        page = there.get("/api/workflows/each/runs", params=query).json()
        assert (page["total"], [run["runId"] for run in page["runs"]]) == (3, expected)
    assert here.delete(f"/api/workflows/each/runs/{ids[0]}").status_code == 200
    assert there.get(f"/api/workflows/each/runs/{ids[0]}").status_code == 404


def test_listed_runs_have_their_outer_steps(servers):
    here, there = servers
    run_id, path, query = start(here, "nested", 3)
    wait_for_status(there, path, run_id, "suspended")
    (listed,) = here.get(f"{path}/runs", params={"status": "suspended"}).json()["runs"]
    assert listed["snapshot"]["context"]["inner"]["status"] == "suspended"
    body = {"step": "inner.confirm", "resumeData": 5}
    here.post(f"{path}/resume-async", params=query, json=body)
    details = here.get(f"{path}/runs/{run_id}", params={"withNestedWorkflows": "false"}).json()
    snapshot = here.get(f"{path}/runs", params={"limit": 1}).json()["runs"][0]["snapshot"]
    assert snapshot["context"] == {"input": 3, **details["steps"]}
    assert (snapshot["status"], snapshot["result"]) == ("success", 17)


def test_runs_outlive_the_server(open_servers):
    with open_servers(100) as (first,):
        suspended, path, query = start(first.http, "nested", 3)
        wait_for_status(first.http, path, suspended, "suspended")
        running, endless, _ = start(first.http, "endless", 1)
        wait_for_status(first.http, endless, running, "running")
    with open_servers(100) as (second,):
        assert second.http.get(f"{endless}/runs/{running}").json()["status"] == "running"
        body = {"step": "inner.confirm", "resumeData": 5}
        result = second.http.post(f"{path}/resume-async", params=query, json=body).json()
        assert (result["status"], result["result"]) == ("success", 17)
        second.http.post(f"{endless}/runs/{running}/cancel")


def test_priority_is_stored_and_bounded(servers):
    here, there = servers
    for path in ("start-async", "stream"):
        answer = here.post(
            f"/api/workflows/line/{path}",
            params={"runId": f"priority-{path}"},
            json={"inputData": 4, "priority": 7},
        )
        assert answer.status_code == 200
    for priority in (-1, 1001, "high", None):
        body = {"inputData": 4, "priority": priority}
        answer = here.post("/api/workflows/line/start-async", params={"runId": "p"}, json=body)
        assert answer.status_code == 400
        assert there.get("/api/workflows/line/runs/p").status_code == 404
