"""An interpreter of this machine, carried in an archive with its shared libraries."""

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from mastra_core.errors import BundleError
from mastra_deployer.kit import (
    iter_python_entries,
    iter_shared_libraries,
    iter_standard_library,
    list_extension_modules,
    open_interpreter,
    write_tar,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="interpreters are carried to Linux"),
]
VERSION = "{}.{}".format(*sys.version_info)
SCRIPT = """
import json, sqlite3, ssl, sys
libraries = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
print(json.dumps([sys.prefix, sys.path, sorted(libraries)]))
"""


def test_the_interpreter_runs_with_its_own_libraries_only(tmp_path):
    """The loader of the archive needs nothing of the system but the kernel."""
    temporary, root = tmp_path / "temporary", (tmp_path / "root").resolve()
    temporary.mkdir()
    archive = io.BytesIO()
    with open_interpreter(VERSION, os.uname().machine) as python:
        libraries = list(iter_shared_libraries(python.path, list_extension_modules(python)))
        entries = [*iter_python_entries(python, "python", temporary), *libraries]
        assert any("asyncio" in path.parts for path in iter_standard_library(python))
        write_tar(entries, archive.write)
    with tarfile.open(fileobj=io.BytesIO(archive.getvalue())) as content:
        content.extractall(root, filter="tar")
    assert not [path for path in root.rglob("*") if path.name in ("test", "tkinter", "idlelib")]
    loader = next(root / item.path for item in libraries if "ld-linux" in item.path)
    directory = next(
        root / item.path for item in libraries if item.path.endswith("/libc.so.6")
    ).parent
    command = [loader, "--library-path", directory, "--argv0", root / "python/bin/python3"]
    done = subprocess.run(
        [*command, root / f"python/bin/python{VERSION}", "-I", "-S", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    prefix, paths, loaded = json.loads(done.stdout)
    assert prefix == str(root / "python") and all(path.startswith(prefix) for path in paths)
    assert loaded and all(path.startswith(str(root)) for path in loaded), loaded


def test_another_machine_needs_its_own_interpreter():
    with (
        pytest.raises(BundleError, match=r"for Linux on s390x with glibc, and the Pythons of this"),
        open_interpreter(VERSION, "s390x"),
    ):
        pass
