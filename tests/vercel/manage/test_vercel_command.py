"""Vercel's own command works on what we deployed."""

import os
import subprocess

import pytest

from tests.sample_projects import ECHO, write_project
from tests.vercel.fake.npm import command_line

pytestmark = pytest.mark.slow


@pytest.fixture
def theirs(vercel, tmp_path):
    """`vercel ARGUMENTS`, linked to nothing of ours but the project's name."""
    home = tmp_path / "home"
    home.mkdir()
    known = {"PATH": os.environ["PATH"], "HOME": str(home), "VERCEL_TELEMETRY_DISABLED": "1"}
    place = ["--api", vercel.url, "--token", vercel.token, "--scope", "acme"]

    def command(*arguments):
        done = subprocess.run(
            [*command_line(), *arguments, *place, "--global-config", str(home / "vc")],
            cwd=home,
            env={**known, "NO_UPDATE_NOTIFIER": "1", "CI": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    return command


def test_it_lists_inspects_rolls_back_and_promotes(vercel, run, theirs, tmp_path):
    root = write_project(tmp_path / "app", {"src/mastra/index.py": ECHO})
    options = ("-s", "project_name=shop", "--python", "3.12", "--prod", "--json")
    first, second = (
        run(root, "deploy", "vercel", *options).ok().json["deployment"]["id"] for _ in range(2)
    )
    theirs("link", "--yes", "--project", "shop")
    listed = theirs("ls", "shop")
    urls = [deployment.url for deployment in vercel.deployments()]
    assert len(urls) == 2
    assert all(url in listed for url in urls)
    assert second in theirs("inspect", second)
    assert "rolled back" in theirs("rollback", first, "--yes")
    assert vercel.live_deployment("production").id == first
    found = run(root, "deployments", "vercel", *options[:2], "--json").ok().json["deployments"]
    assert [item["id"] for item in found if item["live"]] == [first]
    assert "promoted" in theirs("promote", second, "--yes")
    assert vercel.live_deployment("production").id == second
