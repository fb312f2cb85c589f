"""What two instances of ``frozen_app.py`` on one PostgreSQL must do together."""

import threading
import time
import uuid


def check_shared_runs(first, second):
    """Start, suspend, resume, observe and cancel runs, with alternating HTTP clients."""
    check_suspended_run(first, second)
    check_start_without_waiting(second, first)
    check_cancellation(first, second)


def check_suspended_run(here, there):
    run_id = str(uuid.uuid4())
    assert post(here, "order/start-async", run_id, inputData=1).json()["status"] == "suspended"
    assert read(there, "order", run_id)["status"] == "suspended"
    assert '"workflow-step-suspended"' in post(there, "order/observe", run_id).text
    resumed = post(there, "order/resume-async", run_id, resumeData=True).json()
    assert resumed["result"] == "2 approved"
    assert read(here, "order", run_id)["result"] == "2 approved"


def check_start_without_waiting(here, there):
    """The response is complete when the run rests, because the process is frozen then."""
    run_id = str(uuid.uuid4())
    post(here, "line/create-run", run_id)
    post(here, "line/start", run_id, inputData=1)
    assert read(there, "line", run_id)["result"] == 3


def check_cancellation(here, there):
    run_id = str(uuid.uuid4())
    post(here, "idle/create-run", run_id)
    sender = threading.Thread(target=lambda: post(here, "idle/start", run_id, inputData=1))
    sender.start()
    until = time.monotonic() + 20
    while read(there, "idle", run_id)["status"] != "running":
        assert time.monotonic() < until
    post(there, f"idle/runs/{run_id}/cancel", run_id)
    sender.join(10)
    assert not sender.is_alive(), "the response is complete when the run has ended"
    assert read(here, "idle", run_id)["status"] == "canceled"


def post(client, path, run_id, **body):
    response = client.post(f"/api/workflows/{path}?runId={run_id}", json=body)
    assert response.is_success, response.text
    return response


def read(client, workflow, run_id):
    return client.get(f"/api/workflows/{workflow}/runs/{run_id}").json()
