"""A server whose database cannot be used does not start, and names the cause."""

import contextlib
import os
import resource
import sqlite3
import subprocess
import sys

import pytest

from tests.server.conftest import LAUNCHED

APPLICATION = """
from mastra_core import Mastra, Workflow

mastra = Mastra(workflows={"w": Workflow("w").map(lambda n: n)}, engine="durable")
"""


def start_server(directory, url, max_file_bytes=resource.RLIM_INFINITY):
    """Start a server that must end by itself; return its exit code and what it wrote."""
    (directory / "app.py").write_text(APPLICATION)

    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))

    done = subprocess.run(
        [sys.executable, "-c", LAUNCHED],
        cwd=directory,
        env={**os.environ, "MASTRA_DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit_files,  # the limit is for the new process only
        check=False,
    )
    return done.returncode, done.stderr


def check_refusal(result, *words):
    code, text = result
    assert code == 3, text
    for word in words:
        assert word in text
    assert "Traceback" not in text
    assert "secret" not in text


def test_tables_of_a_newer_version(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
        connection.execute("CREATE TABLE mastra_run_schema (version INTEGER)")
        connection.execute("INSERT INTO mastra_run_schema VALUES (99)")
    result = start_server(tmp_path, f"sqlite:///{tmp_path}/runs.db")
    check_refusal(result, "newer version of mastra", "99", "Update mastra-core")


@pytest.mark.full
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:secret@127.0.0.1:1/db", "Start the server, or correct the host"),
        ("sqlite:////missing/runs.db", "Create the directory"),
    ],
)
def test_url_of_no_database(tmp_path, url, words):
    check_refusal(start_server(tmp_path, url), words)


@pytest.mark.full
def test_wrong_password(tmp_path, postgres_server):
    url = postgres_server.get_url("postgres", password="secret")
    check_refusal(start_server(tmp_path, url), "has refused the user or the password")


@pytest.mark.full
def test_disk_without_space(tmp_path):
    result = start_server(tmp_path, f"sqlite:///{tmp_path}/runs.db", max_file_bytes=512)
    check_refusal(result, "runs.db", "cannot be read or written")
