"""The suite for storages, on the storages of this repository that need no other program."""

import pytest

from mastra_core.agents import MemorySuspendedRuns
from mastra_core.storage import MemoryStorage, SqliteStorage
from mastra_core.storage.postgres import PostgresStorage
from mastra_core.testing import StorageSuite


class TestMemoryStorage(StorageSuite):
    random_examples = 1  # it is compared with itself

    @pytest.fixture
    def storage(self):
        return MemoryStorage()

    @pytest.fixture
    def bounded_storage(self):
        storage = MemoryStorage()
        storage.suspended_runs = MemorySuspendedRuns(limit=10)
        return storage


class TestSqliteStorage(StorageSuite):
    random_examples = 400

    @pytest.fixture
    def storage(self, tmp_path):
        return SqliteStorage(tmp_path / "app.db")

    @pytest.fixture
    def bounded_storage(self, tmp_path):
        return SqliteStorage(tmp_path / "app.db", max_suspended_runs=10)


class TestPostgresStorage(StorageSuite):
    random_examples = 60
    concurrent_changes = 20

    @pytest.fixture
    def storage(self, postgres_url):
        return PostgresStorage(postgres_url)

    @pytest.fixture
    def bounded_storage(self, postgres_url):
        return PostgresStorage(postgres_url, max_suspended_runs=10)
