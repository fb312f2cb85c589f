"""Test what the commands load before they do anything."""

import json
import subprocess
import sys

COMMANDS = "canary deployments destroy doctor env logs promote rollback targets".split()
BUNDLER = "mastra_deployer.bundler"
HEAVY = (BUNDLER, "mastra_server", "httpx", "rich", "uv", "watchfiles")
SCRIPT = f"""
import importlib, json, sys
import mastra_deployer.cli.main
for name in {COMMANDS!r}:
    importlib.import_module("mastra_deployer.cli." + name)
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""


def test_commands_that_build_nothing_load_no_bundler():
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_a_command_that_sends_requests_loads_no_command_line_of_httpx():
    script = """
import contextlib, importlib.util, json, sys
from mastra_deployer.cli.main import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
    main(["targets"])
import httpx
print(json.dumps([importlib.util.find_spec("rich") is not None, "rich" in sys.modules]))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, False]
