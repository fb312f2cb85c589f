"""Databases of durable runs, and real processes that execute the runs."""

import pytest

from tests.core.workflows.durable.worker_processes import Workers


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "postgres":
        return request.getfixturevalue("run_database")()
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def workers(database_url, tmp_path):
    """Processes on the database."""
    effects = tmp_path / "effects"
    effects.touch()
    workers = Workers(database_url, effects)
    yield workers
    workers.stop()
