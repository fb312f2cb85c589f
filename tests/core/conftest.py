"""Both storages, for tests that must pass on each, and the log of the framework."""

import asyncio
import logging

import pytest

from mastra_core.storage import MemoryStorage, SqliteStorage


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path):
    return MemoryStorage() if request.param == "memory" else SqliteStorage(tmp_path / "app.db")


@pytest.fixture
def run(storage):
    """Run a coroutine against the storage, and let go of it at the end."""
    with asyncio.Runner() as runner:
        yield runner.run
        runner.run(storage.close())


@pytest.fixture
def logs(caplog, monkeypatch):
    """The log of the framework, also after another test has replaced its handlers."""
    monkeypatch.setattr(logging.getLogger("mastra"), "propagate", True)
    caplog.set_level("WARNING", logger="mastra")
    return caplog
