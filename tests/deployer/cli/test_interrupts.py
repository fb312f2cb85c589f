"""Ctrl-C before the command line is imported, and after the command has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows sends no signals")

# A module in place of click, which the command line imports first.
INTERRUPT = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
WAIT = """\
import os, signal, threading, time

def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)

threading.Thread(target=interrupt).start()
raise KeyboardInterrupt
"""
COMMANDS = [
    pytest.param([str(Path(sys.executable).with_name("mastra"))], id="mastra"),
    pytest.param([sys.executable, "-m", "mastra_deployer"], id="python -m"),
]


def run_with_click(command, source, directory):
    (directory / "click.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    return subprocess.run(
        [*command, "targets"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_during_the_imports(command, tmp_path):
    done = run_with_click(command, INTERRUPT, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_while_a_thread_is_awaited_at_the_end(command, tmp_path):
    done = run_with_click(command, WAIT, tmp_path)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
