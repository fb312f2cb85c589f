"""Small files of a project that several commands change at once."""

import subprocess
import sys

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.files.local_records import change_record, read_record
from mastra_deployer.project.discovery import find_project
from tests.sample_projects import ECHO, write_project

APPEND = """
import sys
from pathlib import Path
from mastra_deployer.files.local_records import change_record
from mastra_deployer.project.discovery import find_project

project = find_project(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(100):
    change_record(project, "words.txt", lambda content: content + b"x")
"""


@pytest.fixture
def project(tmp_path):
    return find_project(write_project(tmp_path / "app", {"src/mastra/index.py": ECHO}))


def test_concurrent_changes_are_all_kept(project):
    command = [sys.executable, "-c", APPEND, str(project.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert read_record(project, "words.txt") == b"x" * 200
    left = sorted(path.name for path in project.local_directory.iterdir())
    assert left == [".gitignore", "records.lock", "words.txt"]


def test_a_change_that_fails_keeps_the_content(project):
    change_record(project, "words.txt", lambda _: b"old")

    def fail(content):
        raise ValueError(content)

    with pytest.raises(ValueError, match="old"):
        change_record(project, "words.txt", fail)
    assert read_record(project, "words.txt") == b"old"


def test_a_file_that_cannot_be_written(project):
    (project.local_directory / "words.txt").mkdir(parents=True)
    assert read_record(project, "words.txt") == b""
    with pytest.raises(ConfigError, match=r"words.txt' cannot be written: Is a directory"):
        change_record(project, "words.txt", lambda content: content)
