"""`mastra runs --url`: the runs of a server, which needs a token."""

import asyncio

import pytest

from mastra_core import DurableEngine, Mastra, Secret, Workflow
from mastra_server import ApiKeys, create_app
from tests.conftest import run_mastra
from tests.core.workflows.sample_steps import add_one, ask_too, double
from tests.server.conftest import run_server

OLD = Workflow("order").then(add_one).then(ask_too)
LONGER = OLD.then(double)
KEY = "key-of-the-operator"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of a new build, whose database has two runs that an old build has suspended."""
    url = f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db"

    async def start_runs():
        engine = DurableEngine(url)
        for run_id in ("r0", "r1"):
            run = await engine.create(OLD, run_id)
            await engine.start(run, 1)
            await run.wait()
        await engine.close()

    asyncio.run(start_runs())
    mastra = Mastra(
        workflows={"order": LONGER},
        engine=DurableEngine(url, name="web-1"),
        server={"auth": ApiKeys({"operator": Secret(KEY)}), "api_prefix": "/v9"},
    )
    with run_server(create_app(mastra)) as running_server:
        yield running_server


def test_runs_of_a_server(server, tmp_path):
    (tmp_path / ".env").write_text(f"MASTRA_SERVER_TOKEN={KEY}\n")

    def call(*arguments):
        url = f"{server.url}/v9/"
        return run_mastra("runs", *arguments, "--url", url, cwd=tmp_path)

    listed = call("list", "--workflow", "order").ok().out
    assert "2 suspended" in listed
    assert "r1  order  suspended: ask-too" in listed
    assert "web-1" in call("fingerprints", "order").ok().out
    moved = call("move", "--from", OLD.fingerprint, "--workflow", "order", "--json").ok().json
    assert moved["moved"] == ["r0", "r1"]
    assert "order  running" in call("resume", "r0", "--data", "5").ok().out
    call("cancel", "r1").ok()
    call("cancel", "r1").failed(8, "cannot be canceled")


def test_addresses_and_tokens(server, tmp_path):
    def call(url, **environment):
        return run_mastra("runs", "show", "r0", "--url", url, cwd=tmp_path, **environment)

    call(f"{server.url}/v9").failed(7, "Set MASTRA_SERVER_TOKEN")
    assert KEY not in call("http://example.com", MASTRA_SERVER_TOKEN=KEY).err
    call("http://example.com", MASTRA_SERVER_TOKEN=KEY).failed(2, "without encryption")
    for address in ("example.com", "http://[::1", "http://localhost:abc", "http://localhost:0"):
        call(address).failed(2, "is not the address of a server")
