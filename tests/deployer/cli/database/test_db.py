"""`mastra db`: migration and versions of a file and of a real PostgreSQL server."""

import sqlite3

import pytest

from tests.conftest import run_mastra
from tests.sample_projects import ECHO, write_project

STORAGE, RUNS = "storage", "workflow runs"


@pytest.fixture
def root(tmp_path):
    write_project(tmp_path, {"src/mastra/index.py": ECHO})
    return tmp_path


def test_a_file_in_the_project_is_migrated(root):
    status = run_mastra("db", "status", cwd=root).ok()
    assert "sqlite:///mastra.db" in status.out
    assert "no tables. Run: mastra db migrate" in status.out
    assert not (root / "mastra.db").exists()
    migrated = run_mastra("db", "migrate", "--json", cwd=root).ok().json["migrated"]
    assert [each["name"] for each in migrated] == [STORAGE, RUNS]
    assert "newest version" in run_mastra("db", "migrate", "--dir", root).ok().out
    tables = run_mastra("db", "status", "--json", cwd=root).ok().json["tables"]
    assert [each["version"] for each in tables] == [each["newest"] for each in tables]
    assert (root / "mastra.db").exists()


def test_tables_of_a_newer_mastra_are_refused(root):
    run_mastra("db", "migrate", cwd=root).ok()
    with sqlite3.connect(root / "mastra.db") as connection:
        connection.execute("UPDATE mastra_schema SET version = 99")
    connection.close()
    run_mastra("db", "migrate", cwd=root).failed(1, "newer version of mastra", "99")
    assert "version 99 of a newer mastra" in run_mastra("db", "status", cwd=root).ok().out


def test_a_server_is_migrated_by_the_url_of_a_file(root, postgres_url, postgres_server):
    (root / ".env").write_text(f"MASTRA_DATABASE_URL={postgres_url}\n")
    migrated = run_mastra("db", "migrate", cwd=root).ok()
    assert f"{STORAGE}: created in version" in migrated.out
    status = run_mastra("db", "status", "--json", cwd=root).ok()
    tables = status.json["tables"]
    assert [each["version"] for each in tables] == [each["newest"] for each in tables]
    assert postgres_server.password not in migrated.out + migrated.err + status.out + status.err


def test_what_is_wrong_with_a_url_is_named_without_its_password(root, postgres_server):
    right = postgres_server.get_url("postgres")
    wrong = {
        right.replace(f":{postgres_server.port}/", ":1/"): (1, "cannot be reached"),
        postgres_server.get_url("postgres", password="wr0ng"): (1, "user or the password"),
        postgres_server.get_url("absent"): (1, "does not exist"),
        "mysql://ann:wr0ng@db/app": (2, "unknown kind"),
    }
    for url, (code, words) in wrong.items():
        done = run_mastra("db", "status", cwd=root, MASTRA_DATABASE_URL=url)
        done.failed(code, words)
        assert "wr0ng" not in done.err
        assert postgres_server.password not in done.err
