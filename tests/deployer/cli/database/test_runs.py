"""`mastra runs`: durable runs in a database, without a server."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow
from tests.conftest import run_mastra
from tests.core.workflows.sample_steps import add_one, ask, fail
from tests.sample_projects import ECHO, write_project

ASKING = Workflow("asking").then(add_one).then(ask)
FAILING = Workflow("failing").then(add_one).then(fail)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project whose database has a suspended, a failed and a running run."""
    root = tmp_path_factory.mktemp("project")
    write_project(root, {"src/mastra/index.py": ECHO})

    async def start_runs():
        engine = DurableEngine(f"sqlite:///{root}/mastra.db")
        for workflow, run_id in ((ASKING, "s1"), (ASKING, "s2"), (FAILING, "f1")):
            run = await engine.create(workflow, run_id)
            await engine.start(run, 1, priority=3 if run_id == "f1" else 0)
            await run.wait()
        await engine.close()

    asyncio.run(start_runs())
    return root


def test_list_and_show(root):
    listed = run_mastra("runs", "list", "--json", cwd=root).ok().json
    assert [run["runId"] for run in listed["runs"]] == ["f1", "s2", "s1"]
    assert listed["counts"] == {"suspended": 2, "failed": 1}
    filtered = run_mastra("runs", "list", "--status", "failed", cwd=root).ok()
    assert "f1  failing  failed" in filtered.out
    assert "1 failed" in filtered.out
    shown = run_mastra("runs", "show", "f1", cwd=root).ok()
    assert "add_one: success" in shown.out
    assert "LookupError: no row 2" in shown.out
    assert "priority 3" in shown.out
    assert "priority" not in run_mastra("runs", "show", "s1", cwd=root).ok().out
    run_mastra("runs", "show", "missing", cwd=root).failed(1, "no run 'missing'")


def test_resume_cancel_and_retry(root):
    run_mastra("runs", "resume", "s1", "--data", "{", cwd=root).failed(1, "is not JSON")
    resumed = run_mastra("runs", "resume", "s1", "--data", '{"go": true}', "--json", cwd=root).ok()
    assert resumed.json["run"]["status"] == "running"
    run_mastra("runs", "resume", "s1", cwd=root).failed(1, "is running")
    assert "s2  asking  canceled" in run_mastra("runs", "cancel", "s2", cwd=root).ok().out
    run_mastra("runs", "cancel", "s2", cwd=root).failed(1, "is canceled")
    run_mastra("runs", "retry", "f1", cwd=root).ok()

    async def execute_runs():
        engine = DurableEngine(f"sqlite:///{root}/mastra.db")
        await engine.open([ASKING, FAILING])
        asking, failing = await engine.get(ASKING, "s1"), await engine.get(FAILING, "f1")
        results = (await asking.wait(), await failing.wait())
        await engine.close()
        return results

    asking, failing = asyncio.run(execute_runs())
    assert (asking.status, asking.result) == ("success", "yes")
    assert failing.status == "failed"
    assert failing.path.count("fail") == 2
    assert failing.path.count("add_one") == 1
