"""A server of a new build shows and resumes the runs of the old one, which it cannot execute."""

import asyncio

import pytest

from mastra_core import DurableEngine, Mastra, Workflow
from mastra_core.workflows.durable import durable_run
from tests.core.workflows.sample_steps import add_one, ask_too, double

OLD = Workflow("order").then(add_one).then(ask_too)
NEW = Workflow("order").then(double)


@pytest.fixture
def url(tmp_path):
    """A database with a suspended run of the old build."""
    url = f"sqlite:///{tmp_path}/runs.db"

    async def suspend():
        engine = DurableEngine(url)
        run = await engine.create(OLD, "r1")
        await engine.start(run, 1)
        await run.wait()
        await engine.close()

    asyncio.run(suspend())
    return url


def test_run_of_the_old_build(serve, url):
    runs = "/api/workflows/order/runs"
    with serve(Mastra(workflows={"order": NEW}, engine=DurableEngine(url))) as server:
        assert server.http.get(f"{runs}/r1").json()["status"] == "suspended"
        assert [run["runId"] for run in server.http.get(runs).json()["runs"]] == ["r1"]
        resume = "/api/workflows/order/resume?runId=r1"
        refused = server.http.post(resume, json={"step": "other", "resumeData": 7})
        assert refused.status_code == 400
        answer = server.http.post(resume, json={"step": "ask-too", "resumeData": 7})
        assert answer.status_code == 200, answer.text
        fresh = server.http.post("/api/workflows/order/start-async", json={"inputData": 4})
        assert fresh.json()["result"] == 8
        assert server.http.get(f"{runs}/r1").json()["status"] == "running"

    assert finish_old_run(url).result == 7


def finish_old_run(url):
    async def finish():
        engine = DurableEngine(url)
        await engine.open([OLD])
        record = await (await engine.get(OLD, "r1")).wait()
        await engine.close()
        return record

    return asyncio.run(finish())


def test_wait_for_a_parked_run_ends(serve, url, monkeypatch):
    """The answer says why the run does not go on; the run keeps the data of the request."""
    monkeypatch.setattr(durable_run, "_PARKED_WAIT", 0.5)
    resume = "/api/workflows/order/resume-async?runId=r1"
    with serve(Mastra(workflows={"order": NEW}, engine=DurableEngine(url))) as server:
        answer = server.http.post(resume, json={"step": "ask-too", "resumeData": 7})
    assert answer.status_code == 409, answer.text
    assert answer.json()["error"] == (
        f"The run 'r1' is parked, because no living process has the version {OLD.fingerprint!r} "
        "of the workflow 'order'."
    )
    assert finish_old_run(url).result == 7
