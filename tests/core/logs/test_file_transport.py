"""Test the log file: its size, several processes, a full disk, and reading it back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_core.errors import ConfigError
from mastra_core.logs import FileTransport, LinesLost


def read_all(path):
    files = sorted(path.parent.glob(f"{path.name}*"), key=lambda each: each.name)
    return [json.loads(line) for each in files for line in each.read_text().splitlines()]


def test_a_full_file_is_renamed(tmp_path):
    path = tmp_path / "logs" / "app.log"
    transport = FileTransport(path, max_bytes=1000, backups=2)
    for number in range(100):
        transport.write([f'{{"number":{number},"text":"{"x" * 80}"}}'])
    transport.close()
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "app.log", "app.log.1", "app.log.2",
    ]  # fmt: skip
    assert all(each.stat().st_size <= 1000 for each in path.parent.iterdir())
    assert [line["number"] for line in transport.iter_lines()][-1] == 99


def test_a_file_that_was_moved_away_is_opened_again(tmp_path):
    path = tmp_path / "app.log"
    transport = FileTransport(path)
    transport.write(['{"number":1}'])
    path.rename(tmp_path / "moved")  # as logrotate does
    transport.write(['{"number":2}'])
    assert path.read_text() == '{"number":2}\n'
    transport.close()


WRITER = """
import sys
from mastra_core.logs import FileTransport
transport = FileTransport(sys.argv[1], max_bytes=20_000, backups=50)
for number in range(1500):
    transport.write(['{"writer":%s,"number":%d}' % (sys.argv[2], number)])
transport.close()
"""


def test_several_processes_lose_no_line(tmp_path):
    path = tmp_path / "app.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(number)]) for number in range(3)
    ]
    assert [each.wait(60) for each in writers] == [0, 0, 0]
    found = sorted((line["writer"], line["number"]) for line in read_all(path))
    assert found == [(writer, number) for writer in range(3) for number in range(1500)]
    assert len(list(tmp_path.iterdir())) > 3


@pytest.mark.skipif(os.name != "posix", reason="needs flock")
def test_a_full_file_is_renamed_without_locks_of_the_file_system(tmp_path):
    source = """
import errno, sys
from mastra_core.logs import FileTransport

def refuse_locks(event, arguments):
    if event == "fcntl.flock":
        raise OSError(errno.ENOLCK, "No locks available")

sys.addaudithook(refuse_locks)
transport = FileTransport(sys.argv[1], max_bytes=100)
for number in range(20):
    transport.write(['{"number":%d}' % number])
"""
    path = tmp_path / "app.log"
    subprocess.run([sys.executable, "-c", source, path], timeout=60, check=True)
    assert sorted(line["number"] for line in read_all(path)) == list(range(20))
    assert all(each.stat().st_size <= 100 for each in tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_error_with_the_number_of_lines(tmp_path):
    path = tmp_path / "app.log"
    transport = FileTransport(path)
    path.symlink_to("/dev/full")
    with pytest.raises(LinesLost, match="No space left") as failure:
        transport.write(["{}", "{}"])
    assert failure.value.count == 2
    path.unlink()
    transport.write(['{"number":3}'])
    assert read_all(path) == [{"number": 3}]


@pytest.mark.skipif(os.name != "posix", reason="needs a limit of the size of files")
def test_a_line_that_was_cut_does_not_spoil_the_next_one(tmp_path):
    source = """
import resource, signal, sys
from mastra_core.logs import FileTransport, LinesLost
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
transport = FileTransport(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (24, 100_000))
try:
    transport.write(['{"number":1}', '{"number":2}', '{"number":3}'])
except LinesLost as error:
    print(error.count)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
transport.write(['{"number":4}'])
"""
    path = tmp_path / "app.log"
    command = [sys.executable, "-c", source, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "2\n"
    assert path.read_text() == '{"number":1}\n{"number":2\n{"number":4}\n'
    assert [line["number"] for line in FileTransport(path).iter_lines()] == [1, 4]


def test_invalid_sizes_are_refused(tmp_path):
    for name in ("max_bytes", "backups"):
        with pytest.raises(ConfigError, match=f"{name}=0 is not a valid number"):
            FileTransport(tmp_path / "app.log", **{name: 0})
