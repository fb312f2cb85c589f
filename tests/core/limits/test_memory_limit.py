"""Limits in bytes follow the memory of the control group, in both versions of control groups."""

import subprocess
import sys

import pytest

from mastra_core.limits.memory_limit import find_memory_limit

MIB = 1024 * 1024
UNLIMITED = "9223372036854771712"  # what version 1 shows without a limit
V2 = "sys/fs/cgroup/"
V1 = "sys/fs/cgroup/memory/"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {f"{V2}memory.max": "268435456\n"}, 256 * MIB),
        ("0::/\n", {f"{V2}memory.max": "max\n"}, None),
        ("0::/\n", {}, None),
        (
            "0::/system.slice/shop.service\n",
            {
                f"{V2}system.slice/shop.service/memory.max": "max\n",
                f"{V2}system.slice/memory.max": str(512 * MIB),
            },
            512 * MIB,
        ),
        # In a container, version 1 shows the path that the group has outside.
        ("5:memory:/docker/1a2b\n0::/\n", {f"{V1}memory.limit_in_bytes": "134217728\n"}, 128 * MIB),
        ("5:cpu,memory:/\n", {f"{V1}memory.limit_in_bytes": UNLIMITED}, None),
        ("5:cpu:/\n0::/a:b\n", {f"{V2}unified/a:b/memory.max": "268435456"}, 256 * MIB),
        ("", {}, None),
        (None, {}, None),
    ],
)
def test_the_limit_of_a_control_group(tmp_path, groups, files, expected):
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        if text is not None:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    find_memory_limit.cache_clear()  # pytest may reuse the name of a directory
    assert find_memory_limit(str(tmp_path)) == expected


SCRIPT = """
import sys
from mastra_core.limits import memory_limit
memory_limit.find_memory_limit = lambda: int(sys.argv[1]) if len(sys.argv) > 1 else None
from mastra_server.middleware.limits import BODY_BYTES
print(BODY_BYTES.capacity)
"""


@pytest.mark.parametrize(
    ("memory", "workers", "expected"),
    [
        (None, "", 256),
        (8192, "", 256),
        (2048, "", 256),
        (512, "", 64),
        (512, "2", 32),
        (512, "many", 64),
        (512, "0", 64),
        (64, "4", 16),
    ],
)
def test_limits_fit_the_memory_of_a_process(memory, workers, expected):
    arguments = [] if memory is None else [str(memory * MIB)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env={"WEB_CONCURRENCY": workers},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{expected * MIB}\n", done.stderr
