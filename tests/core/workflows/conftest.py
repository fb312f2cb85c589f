"""The engines; every test of behaviour runs on each of them."""

import asyncio
import itertools

import pytest

from mastra_core import MemoryEngine
from mastra_core.request_scope import disable_request_scope, enable_request_scope
from mastra_core.workflows.durable import DurableEngine

# SQLite and PostgreSQL share the SQL, and tests/core/workflows/durable runs on both every time.
ENGINES = [
    "memory",
    pytest.param("request-scoped", marks=pytest.mark.full),
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.full),
]
EXAMPLES = 5  # random examples for each engine with a database, unless the whole is tested


@pytest.fixture(scope="session")
def run_database(postgres_server):
    """A function that returns the URL of a PostgreSQL database without runs."""
    url = postgres_server.create_database()
    name = url.rpartition("/")[2]

    def empty_database():
        tables = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'mastra_run%'"
        names = {row[0] for row in postgres_server.execute(tables, name)} - {"mastra_run_schema"}
        if names:
            postgres_server.execute(f"TRUNCATE {', '.join(sorted(names))}", name)
        return url

    return empty_database


@pytest.fixture(params=ENGINES)
def make_engine(request, tmp_path):
    """A function that creates an engine; each durable engine has an empty database.

    For random tests, the function returns ``None`` after enough engines with a database.
    """
    engines, numbers = [], itertools.count()
    limit = EXAMPLES if "not full" in request.config.option.markexpr else 100

    def limit_engines(make):
        return lambda: make() if len(engines) < limit else None

    def make_sqlite():
        engines.append(DurableEngine(f"sqlite:///{tmp_path}/runs-{next(numbers)}.db"))
        return engines[-1]

    def make_postgres():
        engines.append(DurableEngine(request.getfixturevalue("run_database")()))
        return engines[-1]

    if (
        request.param == "request-scoped"
    ):  # requests own their tasks, and suspended runs have no task
        enable_request_scope(asyncio.ensure_future)
    makers = {"sqlite": limit_engines(make_sqlite), "postgres": limit_engines(make_postgres)}
    yield makers.get(request.param, MemoryEngine)
    disable_request_scope()
    for engine in engines:
        asyncio.run(engine.close())


@pytest.fixture
def engine(make_engine):
    return make_engine()
