"""`mastra runs`: durable runs in a database, without a server."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow, as_child
from mastra_core.workflows.durable.store import run_schema
from mastra_core.workflows.durable.store.run_schema import SQLITE_SCHEMA
from mastra_deployer.cli.main import main
from tests.conftest import run_mastra
from tests.core.workflows.sample_steps import add_one, ask, fail
from tests.sample_projects import ECHO, write_project

ASKING = Workflow("asking").then(add_one).then(ask)
PARENT = Workflow("parent").then(as_child(ASKING))
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


def test_show_parent_and_child(tmp_path):
    write_project(tmp_path, {"src/mastra/index.py": ECHO})

    async def start_parent():
        engine = DurableEngine(f"sqlite:///{tmp_path}/mastra.db")
        run = await engine.create(PARENT, "p1")
        await engine.start(run, 1)
        async with asyncio.timeout(10):
            async for event in run.iter_events():
                if child := getattr(event, "run_id", ""):
                    break
        await (await engine.get(ASKING, child)).wait()
        await engine.close()
        return child

    child = asyncio.run(start_parent())
    shown = run_mastra("runs", "show", "p1", cwd=tmp_path).ok().out
    assert f"started run {child}: asking suspended" in shown
    details = run_mastra("runs", "show", child, "--json", cwd=tmp_path).ok().json["run"]
    assert (details["parentRunId"], details["children"]) == ("p1", [])
    run_mastra("runs", "cancel", "p1", cwd=tmp_path).ok()
    assert "asking  canceled" in run_mastra("runs", "show", child, cwd=tmp_path).ok().out


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


@pytest.mark.parametrize("command", [["list"], ["cancel", "s1"], ["fingerprints", "asking"]])
def test_no_command_creates_a_database(tmp_path, command):
    write_project(tmp_path, {"src/mastra/index.py": ECHO})
    failed = run_mastra("runs", *command, cwd=tmp_path)
    failed.failed(2, f"'{tmp_path}/mastra.db' does not exist", "MASTRA_DATABASE_URL")
    assert not (tmp_path / "mastra.db").exists()


def test_no_command_migrates_a_database(root, monkeypatch, capsys):
    newer = SQLITE_SCHEMA._replace(versions=(*SQLITE_SCHEMA.versions, ("SELECT 1",)))
    monkeypatch.setattr(run_schema, "SQLITE_SCHEMA", newer)  # as if mastra were newer
    with pytest.raises(SystemExit):
        main(["runs", "list", "--dir", str(root)])
    expected = f"the version {SQLITE_SCHEMA.newest}, but this mastra needs {newer.newest}"
    assert expected in capsys.readouterr().err
    monkeypatch.undo()
    run_mastra("runs", "list", cwd=root).ok()


def test_a_move_needs_a_living_process(root):
    failed = run_mastra("runs", "move", "f1", cwd=root)
    failed.failed(1, "No living process has the workflow 'failing'", "--to FINGERPRINT")


def test_resume_cancel_and_retry(root):
    for text in ("{", "NaN", "1e999"):
        run_mastra("runs", "resume", "s1", "--data", text, cwd=root).failed(2, "is not JSON")
    resumed = run_mastra("runs", "resume", "s1", "--data", '{"go": true}', "--json", cwd=root).ok()
    assert resumed.json["run"]["status"] == "running"
    run_mastra("runs", "resume", "s1", cwd=root).failed(
        1, "cannot be resumed: its status was 'running'"
    )
    assert "s2  asking  canceled" in run_mastra("runs", "cancel", "s2", cwd=root).ok().out
    run_mastra("runs", "cancel", "s2", cwd=root).failed(1, "cannot be canceled")
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


def test_the_owner_of_a_run(tmp_path):
    """Each resource has its own run ids, so a run id alone may name several runs."""
    write_project(tmp_path, {"src/mastra/index.py": ECHO})

    async def start_runs():
        engine = DurableEngine(f"sqlite:///{tmp_path}/mastra.db")
        for owner in ("ann", "bob"):
            run = await engine.create(ASKING, "same", owner, is_confined=True)
            await engine.start(run, 1)
            await run.wait()
        await engine.close()

    asyncio.run(start_runs())
    failed = run_mastra("runs", "cancel", "same", cwd=tmp_path)
    failed.failed(1, "Several resources have a run 'same'.", "--resource")
    command = ("runs", "cancel", "same", "--resource", "bob", "--json")
    canceled = run_mastra(*command, cwd=tmp_path).ok().json["run"]
    assert (canceled["resourceId"], canceled["status"]) == ("bob", "canceled")
    shown = run_mastra("runs", "show", "same", "--resource", "ann", cwd=tmp_path).ok()
    assert "asking  suspended" in shown.out


def test_the_run_of_an_owner_and_the_run_for_the_owner(tmp_path):
    """Without an owner, the run that an operator has created is meant; with it, the owner's own."""
    write_project(tmp_path, {"src/mastra/index.py": ECHO})

    async def start_runs():
        engine = DurableEngine(f"sqlite:///{tmp_path}/mastra.db")
        for number, is_confined in ((1, True), (2, False)):
            run = await engine.create(ASKING, "same", "ann", is_confined=is_confined)
            await engine.start(run, number)
            await run.wait()
        found = await engine.get(ASKING, "same", "ann")
        assert found.record.input == 1
        await engine.cancel(found)
        await engine.close()

    asyncio.run(start_runs())
    shown = run_mastra("runs", "show", "same", "--json", cwd=tmp_path).ok().json["run"]
    assert shown["status"] == "suspended"
    command = ("runs", "show", "same", "--resource", "ann", "--json")
    shown = run_mastra(*command, cwd=tmp_path).ok().json["run"]
    assert shown["status"] == "canceled"
