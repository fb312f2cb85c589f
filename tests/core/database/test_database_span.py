"""Test the spans of statements that storages and stores of durable runs send to databases."""

import json
import os
import subprocess
import sys

import pytest

from tests.repository import ROOT

SCRIPT = """
import asyncio, json, sys
from mastra_core import Telemetry, Workflow, step
from mastra_core.database import parse_database_url
from mastra_core.database.database_span import describe_database, trace_transaction
from mastra_core.database.postgres_pool import PostgresPool
from mastra_core.errors import StorageError
from mastra_core.storage.postgres import PostgresStorage
from mastra_core.telemetry import add_listener, start_span
from mastra_core.workflows.durable import DurableEngine

@step
async def double(n: int) -> int:
    return 2 * n

class Listener:
    def on_start(self, span):
        pass
    def on_annotate(self, span, attributes):
        pass
    def on_end(self, span):
        details = [span.name, span.kind.name, dict(span.attributes), span.status.status_code.name]
        print(json.dumps(details))

async def use_storage(url):
    storage = PostgresStorage(url)
    await storage.threads.get("secret-id")  # outside of a request
    with start_span("storage"):
        await storage.threads.get("secret-id")
    await storage.close()

async def run_workflow(url):
    engine = DurableEngine(url)
    workflow = Workflow("double").then(double)
    with start_span("runs"):
        run = await engine.create(workflow)
        await engine.start(run, 1)
        await asyncio.wait_for(run.wait(), 20)
    await engine.close()

async def fail(url):
    url = parse_database_url(url)
    pool = PostgresPool(url)
    with start_span("failure"):
        try:
            with trace_transaction(describe_database(url)) as texts:
                texts.append("SELECT  * FROM\\n absent")
                await pool.run(lambda connection: connection.execute(texts[0]))
        except StorageError:
            pass
    await pool.close()

async def main():
    postgres, sqlite = sys.argv[1:]
    await use_storage(postgres)
    await run_workflow(postgres)
    await run_workflow(sqlite)
    await fail(postgres)

add_listener(Listener(), Telemetry())
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def spans(postgres_server, tmp_path_factory):
    """The spans of a storage, of durable runs in two databases, and of a failure."""
    file = tmp_path_factory.mktemp("runs") / "runs.db"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, postgres_server.create_database(), f"sqlite:///{file}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def split_at(spans, name):
    """Return the spans before the named one, which ends after its children, and the rest."""
    position = [each[0] for each in spans].index(name)
    return spans[:position], spans[position + 1 :]


def test_a_storage_in_postgresql(spans):
    (statement,), _ = split_at(spans, "storage")
    name, kind, attributes, status = statement
    assert (kind, status) == ("CLIENT", "UNSET")
    assert attributes["db.system.name"] == "postgresql"
    assert attributes["server.address"] in ("127.0.0.1", "localhost")
    assert attributes["server.port"] > 0
    assert attributes["db.operation.name"].endswith("SELECT")
    assert name == f"{attributes['db.operation.name']} {attributes['db.namespace']}"
    assert "secret-id" not in json.dumps(attributes)


def test_durable_runs(spans):
    _, rest = split_at(spans, "storage")
    postgres, rest = split_at(rest, "runs")
    sqlite, _ = split_at(rest, "runs")
    for own, system in ((postgres, "postgresql"), (sqlite, "sqlite")):
        statements = [attributes for _, _, attributes, _ in own if "db.system.name" in attributes]
        assert {each["db.system.name"] for each in statements} == {system}
        assert any("INSERT" in each["db.query.text"] for each in statements)
        assert all(each["db.operation.name"] for each in statements)
        assert all("password" not in json.dumps(each) for each in statements)
    assert [each[0] for each in postgres if "db.system.name" not in each[2]] == [
        each[0] for each in sqlite if "db.system.name" not in each[2]
    ]


def test_a_statement_that_fails(spans):
    (statement,) = [each for each in spans if each[3] == "ERROR"]
    name, _, attributes, _ = statement
    assert name.startswith("SELECT ")
    assert attributes["db.query.text"] == "SELECT * FROM absent"
    assert attributes["db.response.status_code"] == attributes["error.type"] == "42P01"
