"""A user without a home directory, as in a container that runs under any user's number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_projects import write_project

MASTRA = str(Path(sys.executable).with_name("mastra"))
# Outside of the namespace, the user is the same one, and may read and write the same files.
STRANGER = ["unshare", "--user", "--map-user=54321", "--map-group=54321"]


@pytest.fixture
def run(tmp_path, echo):
    """Run `mastra` without HOME, as a user who is not in the table of users."""
    probe = [*STRANGER, sys.executable, "-c", "import os; print(os.getuid())"]
    try:
        done = subprocess.run(probe, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if done.stdout != b"54321\n":
        pytest.skip("user namespaces are not allowed here")
    root = write_project(tmp_path / "app", {"src/mastra/index.py": echo})
    removed = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MASTRA_CACHE_DIR")
    base = {name: value for name, value in os.environ.items() if name not in removed}

    def run_command(*arguments, **environment):
        return subprocess.run(
            [*STRANGER, MASTRA, *arguments],
            cwd=root,
            env={**base, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run_command


def test_a_command_that_stores_nothing_needs_no_home(run):
    done = run("targets")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message", "variable"),
    [
        (("check",), "There is no directory for the cache.", "MASTRA_CACHE_DIR"),
        (("trust", "x.example"), "There is no directory for the conf", "MASTRA_CONFIG_DIR"),
    ],
)
def test_a_directory_that_has_no_place_is_named(run, arguments, message, variable):
    done = run(*arguments)
    assert done.returncode == 2
    assert f"error: {message}" in done.stderr and "HOME is not set" in done.stderr
    assert f"  Set {variable} to a writable directory" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("python", ["", "3.12"])
def test_with_a_cache_a_build_needs_no_home(run, tmp_path, python):
    variables = {"MASTRA_CACHE_DIR": str(tmp_path / "cache"), "UV_CACHE_DIR": str(tmp_path / "uv")}
    options = ("--python", python) if python else ()
    done = run("build", *options, **variables)
    assert done.returncode == 0, done.stderr


def test_the_trust_of_a_user_without_a_home_is_empty(run, tmp_path):
    """A directory `~` of the project must not count as the home."""
    hostile = tmp_path / "app/~/.config/mastra"
    hostile.mkdir(parents=True)
    (hostile / "trust.json").write_text('{"hosts": ["registry.evil.example"], "files": {}}')
    listed = run("trust", "--json")
    assert listed.returncode == 0
    assert "evil" not in listed.stdout
