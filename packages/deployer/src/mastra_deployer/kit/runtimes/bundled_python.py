"""Find the interpreter for a bundle: in a setting, on this machine, or with uv."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mastra_core.pipeline import Report
from mastra_deployer.kit.runtimes.find_python import find_python
from mastra_deployer.kit.runtimes.interpreter_source import get_source_tree
from mastra_deployer.kit.runtimes.interpreter_tree import BundledPython, read_interpreter
from mastra_deployer.kit.runtimes.uv_interpreter import install_interpreter

__all__ = ("get_interpreter",)

_PROBE = """
import json, os, platform, sys, sysconfig
print(json.dumps([
    os.path.realpath(sys.executable), "%d.%d" % sys.version_info[:2], platform.python_version(),
    platform.machine(), platform.libc_ver()[0], os.path.realpath(sysconfig.get_path("stdlib")),
    sys.platform,
]))
"""


def get_interpreter(
    version: str, machine: str, report: Report, *, source: str = "", preferred_path: str = ""
) -> BundledPython:
    """Return the interpreter to put into a bundle.

    The interpreter comes from ``source``, else from this machine, else from uv, which downloads the
    interpreter into mastra's cache. An interpreter from ``source`` or from uv may be for another
    kind of machine, because mastra only reads its files.

    :param version: version with two numbers, ``3.12``.
    :param machine: machine name, ``x86_64``.
    :param report: receives progress.
    :param source: the deployer's setting ``interpreter``: a directory, or a ``.tar.gz`` or
        ``.tar.zst``.
    :param preferred_path: path of an interpreter to try first.
    :raises ConfigError: when the source has no suitable interpreter.
    :raises BundleError: when this machine has no suitable interpreter, and uv cannot download one.
    """
    if source:
        # A user without a home gets the error that the directory is missing; pathlib would raise.
        tree = get_source_tree(Path(os.path.expanduser(source)))  # noqa: PTH111  # as above
        return read_interpreter(tree, version, machine, source)
    python = _find_installed(version, machine, preferred_path)
    return python or install_interpreter(version, machine, report)


def _find_installed(version: str, machine: str, preferred_path: str) -> BundledPython | None:
    for path in _iter_candidates(version, preferred_path):
        python = _probe(path)
        if python and (python.version, python.machine, python.libc) == (version, machine, "glibc"):
            return python
    return None


def _iter_candidates(version: str, preferred_path: str) -> Iterator[str]:
    yield from filter(None, (preferred_path, sys.executable, find_python(version)))


def _probe(path: str) -> BundledPython | None:
    """Run an interpreter to read its version and paths; return ``None`` if it is not for Linux."""
    try:
        process = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE], capture_output=True, timeout=20, check=True
        )
        executable, version, full, machine, libc, library, system = json.loads(process.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if system != "linux":
        return None
    return BundledPython(
        path=Path(executable),
        version=version,
        full_version=full,
        machine=machine,
        libc=libc,
        library=Path(library),
    )
