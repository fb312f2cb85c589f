"""Vercel's own command works with deployments by mastra."""

import os
import subprocess

import pytest

from tests.sample_projects import ECHO, write_project
from tests.vercel.fake.contract.packages import get_cli_command

pytestmark = pytest.mark.slow


@pytest.fixture
def vercel_cli(vercel, tmp_path):
    """Run `vercel ARGUMENTS`, with the project's name only."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "VERCEL_TELEMETRY_DISABLED": "1"}
    options = ["--api", vercel.url, "--token", vercel.token, "--scope", "acme"]

    def command(*arguments):
        process = subprocess.run(
            [*get_cli_command(), *arguments, *options, "--global-config", str(home / "vc")],
            cwd=home,
            env={**environment, "NO_UPDATE_NOTIFIER": "1", "CI": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert process.returncode == 0, (process.stdout, process.stderr)
        return process.stdout + process.stderr

    return command


@pytest.mark.full
def test_list_inspect_rollback_and_promote(vercel, run, vercel_cli, tmp_path):
    root = write_project(tmp_path / "app", {"src/mastra/index.py": ECHO})
    options = ("-s", "project_name=shop", "--python", "3.12", "--prod", "--json")
    first, second = (
        run(root, "deploy", "vercel", *options).ok().json["deployment"]["id"] for _ in range(2)
    )
    vercel_cli("link", "--yes", "--project", "shop")
    output = vercel_cli("ls", "shop")
    urls = [deployment.url for deployment in vercel.list_deployments()]
    assert len(urls) == 2
    assert all(url in output for url in urls)
    assert second in vercel_cli("inspect", second)
    assert "rolled back" in vercel_cli("rollback", first, "--yes")
    assert vercel.find_live_deployment("production").id == first
    deployments = (
        run(root, "deployments", "vercel", *options[:2], "--json").ok().json["deployments"]
    )
    assert [item["id"] for item in deployments if item["live"]] == [first]
    assert "promoted" in vercel_cli("promote", second, "--yes")
    assert vercel.find_live_deployment("production").id == second
