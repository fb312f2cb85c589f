"""Read how much memory and processor time a process takes."""

import os
from pathlib import Path

import pytest


def read_resident_bytes(pid):
    """Return the resident memory of a process; skip the test where the system has no /proc."""
    status = _read_file(pid, "status")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def read_processor_seconds(pid):
    """Return the processor time of a process; skip the test where the system has no /proc."""
    fields = _read_file(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_file(pid, name):
    file = Path(f"/proc/{pid}/{name}")
    if not file.exists():
        pytest.skip("no /proc here")
    return file.read_text()
