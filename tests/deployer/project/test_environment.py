"""Test the variables of ``--env-file``, also from a pipe that a command of the shell writes."""

import shlex
import subprocess

import pytest

from tests.deployer.dev.dev_process import MASTRA
from tests.sample_projects import ECHO, write_project

DECLARED = '[tool.mastra.env]\nrequired = ["CITY"]\n'
VARIABLES = "CITY=Bern\nUNDECLARED=1\n"


@pytest.fixture
def root(tmp_path):
    return write_project(tmp_path / "app", {"src/mastra/index.py": ECHO}, config=DECLARED)


def run_in_shell(root, command):
    """Run a command of ``bash``, and return its exit code and errors."""
    done = subprocess.run(
        ["bash", "-c", command], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("file", ["file", "pipe", "standard input"])
def test_an_env_file_may_be_a_pipe(root, tmp_path, file):
    path = tmp_path / "own.env"
    path.write_text(VARIABLES)
    check, shown = f"{shlex.quote(str(MASTRA))} check --env-file", f"cat {shlex.quote(str(path))}"
    commands = {
        "file": f"{check} {shlex.quote(str(path))}",
        "pipe": f"{check} <({shown})",
        "standard input": f"{shown} | {check} /dev/stdin",
    }
    code, errors = run_in_shell(root, commands[file])
    assert code == 0, errors
    assert "sets UNDECLARED without a declaration" in errors


def test_a_pipe_that_is_not_utf_8_is_refused(root):
    code, errors = run_in_shell(
        root, f"{shlex.quote(str(MASTRA))} check --env-file <(printf 'A=\\377')"
    )
    assert (code, "is not UTF-8" in errors) == (2, True)
