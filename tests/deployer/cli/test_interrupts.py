"""Ctrl-C and signals: during the imports, during a build, and after the command has ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mastra_deployer.project.termination import Termination, find_interrupt
from tests.sample_projects import ECHO, write_project

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows sends no signals")

MASTRA = str(Path(sys.executable).with_name("mastra"))
# A module in place of one that the command line imports first.
INTERRUPT = "import os\nos.kill(os.getpid(), {})\n"
WAIT = """\
import os, signal, threading, time

def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.{})
    time.sleep(30)

threading.Thread(target=interrupt).start()
raise KeyboardInterrupt
"""
COMMANDS = [
    pytest.param([MASTRA], id="mastra"),
    pytest.param([sys.executable, "-m", "mastra_deployer"], id="python -m"),
]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
SLOW_APP = """\
import os, time
from pathlib import Path

Path({!r}).write_text(str(os.getpid()))
time.sleep(60)
"""


def run_with_module(command, name, source, directory, **options):
    (directory / f"{name}.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    return subprocess.run(
        [*command, "targets"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        **options,
    )


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", COMMANDS)
def test_during_the_imports(command, tmp_path, number):
    done = run_with_module(command, "click", INTERRUPT.format(int(number)), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_during_the_first_import(command, tmp_path):
    done = run_with_module(command, "signal", INTERRUPT.format(2), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", COMMANDS)
def test_while_a_thread_is_awaited_at_the_end(command, tmp_path, number):
    done = run_with_module(command, "click", WAIT.format(number.name), tmp_path)
    assert (done.returncode, done.stderr) == (-number, "")


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path):
    """`nohup` starts a command that survives the end of its terminal."""
    source = INTERRUPT.format(int(signal.SIGHUP)) + "raise ImportError('it continues')\n"
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731  # as nohup does
    done = run_with_module([MASTRA], "click", source, tmp_path, preexec_fn=ignore)
    assert "ImportError: it continues" in done.stderr


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), Termination(143)])
def test_an_interrupt_during_the_definition_of_a_class_is_found(interrupt):
    """Python 3.11 converts it to a RuntimeError."""

    class Name:
        def __set_name__(self, owner, name):
            raise interrupt

    with pytest.raises(BaseException) as raised:  # noqa: PT011  # newer versions raise it unchanged
        type("Owner", (), {"name": Name()})
    assert find_interrupt(raised.value) is interrupt
    assert find_interrupt(RuntimeError()) is None


def test_errors_that_refer_to_one_another_end():
    first, second = RuntimeError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert find_interrupt(first) is None


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_an_ended_build_leaves_nothing(tmp_path, number):
    temporary, report = tmp_path / "tmp", tmp_path / "report"
    temporary.mkdir()
    source = SLOW_APP.format(str(report)) + ECHO
    root = write_project(tmp_path / "app", {"src/mastra/index.py": source})
    process = subprocess.Popen(
        [MASTRA, "build"],
        cwd=root,
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not report.exists() or not report.read_text():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in stderr and "error" not in stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(report.read_text()), 0)
    assert list(temporary.iterdir()) == []
    assert not list((root / ".mastra-local").glob("*tmp*"))
    assert not (root / ".mastra").exists()
