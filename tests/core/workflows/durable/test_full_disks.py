"""A full disk delays durable runs, and loses nothing."""

import json
import os
import subprocess
import sys

import pytest

from tests.core.workflows.durable import full_disk
from tests.repository import ROOT

UNSHARE = ["unshare", "--mount"]


@pytest.fixture(scope="module")
def mount_rights():
    """Skip the test if this user may not mount a file system."""
    command = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this user may not mount a file system: {done.stderr.strip()}")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("file", "disk I/O error"),
        ("disk", "The disk of "),
        pytest.param("server", "The disk of ", marks=pytest.mark.full),
    ],
)
def test_a_run_waits_until_its_disk_has_space(request, tmp_path, kind, words):
    if kind != "file":
        request.getfixturevalue("mount_rights")
    command = [] if kind == "file" else UNSHARE
    done = subprocess.run(
        [*command, sys.executable, "-m", full_disk.__name__, str(tmp_path), kind],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["before"] == [["prepare", "work"], "running"]
    assert result["calls"] == ["prepare", "work", "finish"] * 2  # no step was repeated
    assert result["results"] == [3, 7]
    assert words in result["refusal"]
    assert "\n" in result["refusal"]  # a hint with the cure
