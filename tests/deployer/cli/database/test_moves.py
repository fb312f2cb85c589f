"""`mastra runs move`: runs continue with a changed description of their workflow."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow
from mastra_core.database.url import parse_database_url
from mastra_core.workflows.durable.store.run_store_factory import create_run_store
from tests.conftest import run_mastra
from tests.core.workflows.sample_steps import add_one, ask_too, double
from tests.sample_projects import ECHO, write_project

OLD = Workflow("order").then(add_one).then(ask_too)
LONGER = OLD.then(double)
OTHER = Workflow("order").then(double).then(ask_too)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project with four suspended runs of an old build, one of them resumed and parked."""
    root = tmp_path_factory.mktemp("project")
    write_project(root, {"src/mastra/index.py": ECHO})
    url = f"sqlite:///{root}/mastra.db"

    async def start_runs():
        old = DurableEngine(url)
        for number in range(4):
            run = await old.create(OLD, f"r{number}")
            await old.start(run, number)
            await run.wait()
        await old.close()
        for workflow in (OTHER, LONGER):
            new = DurableEngine(url)
            await new.open([workflow])
            await new.close()

    asyncio.run(start_runs())
    return root


def test_move(root):
    run_mastra("runs", "move", cwd=root).failed(2, "Write either RUN_ID, or --from FINGERPRINT")
    run_mastra("runs", "move", "r0", cwd=root).failed(
        1, "No living process has the workflow 'order'"
    )
    listed = run_mastra("runs", "fingerprints", "order", "--json", cwd=root).ok().json
    known = [each["fingerprint"] for each in listed["fingerprints"]]
    assert {*known} == {OLD.fingerprint, OTHER.fingerprint, LONGER.fingerprint}
    refused = run_mastra("runs", "move", "r0", "--to", OTHER.fingerprint, cwd=root)
    refused.failed(
        1, "it has outcomes of the step add_one (function), where the other has the step"
    )
    moved = run_mastra("runs", "move", "r0", "--to", LONGER.fingerprint, "--json", cwd=root).ok()
    answer = {"to": LONGER.fingerprint, "moved": ["r0"], "refused": {}}
    assert moved.json.items() >= answer.items()
    run_mastra("runs", "move", "r0", "--to", LONGER.fingerprint, cwd=root).failed(1, "already")


def test_parked_runs_are_moved_to_what_is_alive(root):
    async def run_scenario():
        store = create_run_store(parse_database_url(f"sqlite:///{root}/mastra.db"))
        await asyncio.to_thread(run_mastra, "runs", "resume", "r1", "--data", "5", cwd=root)
        engine = DurableEngine(f"sqlite:///{root}/mastra.db", name="web-1")
        await engine.open([LONGER])
        while not (await store.measure_backlog()).parked:  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.1)
        outputs = [
            (await asyncio.to_thread(run_mastra, "runs", *arguments, cwd=root)).ok().out
            for arguments in (
                ["list"],
                ["show", "r1"],
                ["show", "r2"],
                ["fingerprints", "order"],
                ["move", "--from", OLD.fingerprint, "--workflow", "order"],
            )
        ]
        record = await (await engine.get(LONGER, "r1")).wait()
        await engine.close()
        await store.close()
        return outputs, record

    (listed, shown, suspended, fingerprints, moved), record = asyncio.run(run_scenario())
    assert "1 run of order is parked" in listed
    assert "parked, because" in shown and "mastra runs move r1" in shown
    assert "parked" not in suspended
    assert f"mastra runs move --from {OLD.fingerprint} --workflow order" in listed
    assert f"{LONGER.fingerprint}  since" in fingerprints
    lines = [line.split("  ") for line in fingerprints.splitlines()]
    facts = {line[0]: line[2:] for line in lines}
    assert facts[LONGER.fingerprint] == ["1 unfinished", "web-1"]
    assert facts[OLD.fingerprint] == ["3 unfinished", "no living process"]
    assert f"3 runs continue with the fingerprint {LONGER.fingerprint}." in moved
    assert (record.status, record.result) == ("success", 10)
