"""Durable runs survive that the network between processes and PostgreSQL is cut."""

import json
import os
import subprocess
import sys

import pytest

from tests.core.workflows.durable import network_cut
from tests.repository import ROOT

UNSHARE = ["unshare", "--net"]
RESULTS = [1, 2, 3, 4, 5, 6]


@pytest.fixture(scope="module")
def network_rights():
    """Skip the test if this user may not make networks, or has no program to do so."""
    command = [*UNSHARE, *"ip link add probe0 type veth peer name probe1".split()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"networks cannot be made here: {error}")
    if done.returncode:
        pytest.skip(f"this user may not make networks: {done.stderr.strip()}")


@pytest.mark.usefixtures("network_rights")
@pytest.mark.full
@pytest.mark.parametrize("seconds", [2, 30])
def test_network_between_processes_and_postgres_is_cut(tmp_path, seconds):
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-m", network_cut.__name__, str(tmp_path), str(seconds)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["alive"] == [True, False, True]  # the test has killed the second process
    one, everything = result["one"], result["all"]
    assert one["results"] == one["again"] == everything["results"] == RESULTS
    assert one["seconds"] < 10  # the other process took the runs over
    assert everything["resumed"] == [(n + 1) * 5 + 7 for n in range(6)]
    assert everything["seconds"] < 20  # after the links were restored
    if seconds == 30:
        error, delay = everything["refusal"]
        assert "cannot be reached" in error
        assert delay < 25
