"""The stores of durable runs pass the suite."""

import pytest

from mastra_core.testing import RunStoreSuite
from mastra_core.workflows.durable import SqliteRunStore
from mastra_core.workflows.durable.store.postgres_run_store import PostgresRunStore


class TestSqliteRunStore(RunStoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        return SqliteRunStore(tmp_path / "runs.db")


class TestPostgresRunStore(RunStoreSuite):
    @pytest.fixture
    def store(self, run_database):
        return PostgresRunStore(run_database())
