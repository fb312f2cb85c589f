"""The processes that start an app: their variables, and their end."""

import sys

import pytest

from mastra_core.errors import BuildError
from mastra_deployer.bundler.verify.boot import boot_source
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.interpreters import probe_interpreter
from tests.sample_projects import write_project

# Python 3.11 on Windows knows the kind of its machine from a variable only.
APP = """
import os
assert os.environ["PROCESSOR_ARCHITECTURE"] == "AMD64"
assert os.environ["USERPROFILE"].startswith("C:")
assert "AWS_SECRET_ACCESS_KEY" not in os.environ

async def app(scope, receive, send):
    pass
"""


def test_variables_of_the_system_are_passed(tmp_path, monkeypatch):
    monkeypatch.setenv("PROCESSOR_ARCHITECTURE", "AMD64")
    monkeypatch.setenv("USERPROFILE", "C:\\Users\\ada")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    project = find_project(write_project(tmp_path, {"main.py": APP}), "main:app")
    found = boot_source(project, probe_interpreter(sys.executable))
    assert found["kind"] == "asgi"


def test_an_import_that_does_not_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("mastra_deployer.bundler.verify.boot._TIMEOUT", 1)
    root = write_project(tmp_path, {"main.py": "import time\ntime.sleep(600)\n"})
    with pytest.raises(BuildError, match="did not finish in 1 seconds"):
        boot_source(find_project(root, "main:app"), probe_interpreter(sys.executable))
