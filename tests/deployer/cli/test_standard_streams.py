"""Standard output and standard error that are full, closed or no longer read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_projects import write_project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a file of Linux")

MASTRA = str(Path(sys.executable).with_name("mastra"))
LISTS = ("targets", "targets --json", "--help", "--version", "deploy --help")
buffering = pytest.mark.parametrize("unbuffered", ["", "1"])


def run(arguments, cwd, *, unbuffered="", **streams):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(
        [MASTRA, *arguments.split()], cwd=cwd, env=environment, text=True, check=False, **streams
    )


@pytest.fixture
def full():
    with Path("/dev/full").open("wb") as file:
        yield file


@pytest.fixture
def closed():
    """A pipe whose reader has ended."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@buffering
@pytest.mark.parametrize("arguments", LISTS)
def test_a_result_that_cannot_be_written_is_an_error(arguments, tmp_path, full, unbuffered):
    done = run(arguments, tmp_path, stdout=full, unbuffered=unbuffered)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: Standard output cannot be written: No space left on device.",
        "  Free some space, or redirect the output to another file.",
    ]


@buffering
@pytest.mark.parametrize("arguments", [*LISTS, "build --json"])
def test_a_result_that_nobody_reads_ends_the_command(arguments, tmp_path, closed, unbuffered):
    done = run(arguments, tmp_path, stdout=closed, unbuffered=unbuffered)
    assert (done.returncode, done.stderr) == (141, "")


@buffering
@pytest.mark.parametrize("stream", ["full", "closed"])
def test_progress_that_cannot_be_written_changes_nothing(tmp_path, stream, unbuffered, request):
    """The error goes to standard error, too; its exit code stays."""
    target = request.getfixturevalue(stream)
    done = run("build --json", tmp_path, stderr=target, unbuffered=unbuffered)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["exit_code"] == 2
    done = run("targets", tmp_path, stderr=target, unbuffered=unbuffered)
    assert done.returncode == 0 and "server" in done.stdout


@pytest.mark.slow
def test_a_build_without_a_reader_of_its_progress_completes(tmp_path, closed, echo):
    root = write_project(tmp_path / "app", {"src/mastra/index.py": echo})
    assert run("build", root, stderr=closed).returncode == 0
    assert (root / ".mastra/mastra-bundle.json").exists()


def test_a_pipe_that_does_not_block_gets_the_whole_output(tmp_path):
    """Node makes its pipes non-blocking, also for the programs that share them."""
    code = (
        "import os, subprocess, sys, time\n"
        "reader, writer = os.pipe()\n"
        "os.set_blocking(writer, False)\n"
        "os.write(writer, bytes(65536))\n"  # the pipe is full
        "child = subprocess.Popen(sys.argv[1:], stdout=writer)\n"
        "time.sleep(1)\n"
        "os.close(writer)\n"
        "sys.stdout.buffer.write(open(reader, 'rb').read()[65536:])\n"
        "sys.exit(child.wait())\n"
    )
    command = [sys.executable, "-c", code, MASTRA, "deploy", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--rollback-on-failure" in done.stdout
