"""A function in a root directory with nothing but Node, a shell and the kernel's files."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from mastra_deployer_netlify.preview.function_instance import STAND_IN, build_node_command
from mastra_deployer_netlify.preview.unpack_function import unpack_function
from tests.netlify.function_process import check_children, wait_for_port
from tests.node import find_node

pytestmark = pytest.mark.slow

_ENTER = """
set -e
root=$0
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind "$root/function" "$root/function"
mount -o remount,ro,bind "$root/function"
exec chroot "$root" "$@"
"""


def copy_program(program, root):
    """Copy a program with the libraries that it is linked with."""
    printed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for path in (program, *re.findall(r"(/\S+) \(0x", printed)):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


@pytest.fixture
def root(function_archive, tmp_path):
    """The root directory, with the unpacked function and the stand-in for AWS Lambda."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a root directory of its own needs root and the program unshare")
    root = tmp_path / "root"
    for name in ("proc", "dev", "tmp", "bin"):
        (root / name).mkdir(parents=True)
    copy_program(find_node(), root)
    shell = str(Path(shutil.which("sh")).resolve())
    copy_program(shell, root)
    shutil.copy2(shell, root / "bin/sh")
    shutil.copy(STAND_IN, root / STAND_IN.name)
    unpack_function(function_archive, root / "function")
    return root


def test_a_function_needs_only_node_and_a_shell(root):
    node, *_, settings = build_node_command(find_node(), Path("/function"), Path("/port"))
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER]
    command += [str(root), node, f"/{STAND_IN.name}", settings]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, env={"FAILURE": "none"}, stdout=log, stderr=log)
    try:
        port = wait_for_port(root / "port", process)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False
        ) as client:
            results = client.get("/children").json()
            writable = client.get("/write").json()
    finally:
        process.kill()  # the kernel kills the rest
        process.wait(20)
    check_children({**results, "script": results["dependency"]}, "/function")
    assert writable == {"/function/app": "Read-only file system", "/tmp": "yes"}
    assert "Error" not in (root / "log").read_text()
