"""Ctrl-C ends the child processes that threads have started, and starts no further ones."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mastra_deployer.project.child_processes import child_process, interruptible_pool
from tests.sample_projects import write_project

WAIT = """\
import os, pathlib, time

draft = pathlib.Path({marker!r} + ".draft")
draft.write_text(str(os.getpid()))
draft.rename({marker!r})
time.sleep(600)
"""
# The process goes on after SIGINT, as an app does that catches it.
APP = """\
import pathlib, signal, time

signal.signal(signal.SIGINT, signal.SIG_IGN)
pathlib.Path({marker!r}).write_text("")
time.sleep(600)
"""


def run(command):
    with child_process(command) as process:
        return process.wait()


def leave_pool(futures, error, *commands, until=lambda: True):
    """Run commands in a pool, and leave its block with an error."""
    with interruptible_pool(1) as pool:
        futures += [pool.submit(run, command) for command in commands]
        while not until():
            time.sleep(0.01)
        raise error


def test_a_running_child_is_ended(tmp_path):
    marker, futures = tmp_path / "started", []
    command = [sys.executable, "-c", WAIT.format(marker=str(marker))]
    with pytest.raises(KeyboardInterrupt):
        leave_pool(futures, KeyboardInterrupt, command, until=marker.exists)
    assert isinstance(futures[0].exception(), KeyboardInterrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def test_no_child_is_started_after_the_interrupt(tmp_path):
    futures, markers = [], [tmp_path / str(number) for number in range(3)]
    commands = [[sys.executable, "-c", WAIT.format(marker=str(marker))] for marker in markers]
    with pytest.raises(KeyboardInterrupt):
        leave_pool(futures, KeyboardInterrupt, *commands, until=markers[0].exists)
    assert [each.cancelled() for each in futures] == [False, True, True]
    assert [each.exists() for each in markers] == [True, False, False]


def test_children_start_after_an_interrupted_block():
    with pytest.raises(KeyboardInterrupt):
        leave_pool([], KeyboardInterrupt)
    assert run([sys.executable, "-c", ""]) == 0


def test_an_error_does_not_end_children():
    futures = []
    with pytest.raises(ValueError, match="stop"):
        leave_pool(futures, ValueError("stop"), [sys.executable, "-c", ""])
    assert futures[0].result() == 0


@pytest.mark.skipif(os.name != "posix", reason="Windows sends no signals")
@pytest.mark.slow
def test_a_build_ends_while_it_waits_for_the_app(tmp_path):
    marker = tmp_path / "imported"
    root = write_project(tmp_path / "app", {"main.py": APP.format(marker=str(marker))})
    build = subprocess.Popen(
        [sys.executable, "-m", "mastra_deployer", "build", "--app", "main:app"],
        cwd=root,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not marker.exists() and build.poll() is None:
        time.sleep(0.05)
    os.killpg(build.pid, signal.SIGINT)
    _, errors = build.communicate(timeout=30)
    assert build.returncode == 130, errors
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(build.pid, 0)
