"""Let uv download an interpreter for Linux into mastra's cache, on any kind of machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mastra_core.errors import BuildError, BundleError
from mastra_core.pipeline import Report
from mastra_deployer.files.directories import get_cache_directory
from mastra_deployer.kit.runtimes.interpreter_tree import (
    BundledPython,
    find_executable,
    read_interpreter,
)
from mastra_deployer.project.uv import run_uv

__all__ = ("install_interpreter",)


def install_interpreter(version: str, machine: str, report: Report) -> BundledPython:
    """Return uv's interpreter of the given version; download it if it is not in the cache.

    A downloaded interpreter never changes, so that equal inputs give equal bundles. uv reads its
    environment variables, such as ``UV_PYTHON_INSTALL_MIRROR`` and ``UV_PYTHON_DOWNLOADS``.

    :param version: version with two numbers, ``3.12``.
    :param machine: machine name, ``x86_64``.
    :param report: receives progress.
    :raises BundleError: when uv cannot download the interpreter; the hint names other ways.
    """
    request = f"cpython-{version}-linux-{machine}-gnu"
    directory = get_cache_directory("interpreters") / request
    if find_executable(directory, version) is None:
        report.step(f"Downloading Python {version} for Linux on {machine} with uv")
        _run_uv(request, directory, version, machine)
    return read_interpreter(directory, version, machine, str(directory))


def _run_uv(request: str, directory: Path, version: str, machine: str) -> None:
    flags = ["--no-config", "--no-bin", "--install-dir", str(directory)]
    downloads = os.environ.get("UV_PYTHON_DOWNLOADS", "manual")
    try:
        run_uv(
            ["python", "install", *flags, request], environment={"UV_PYTHON_DOWNLOADS": downloads}
        )
    except BuildError as error:
        raise BundleError(
            f"The bundle needs Python {version} for Linux on {machine}, which was not found. uv "
            f"could not download it: {_find_cause(error.message)}.",
            "Install it on this machine. Or run the command where uv can download it. Or pass -s "
            "interpreter=PATH with a directory or an archive of python-build-standalone.",
        ) from error


def _find_cause(text: str) -> str:
    """Return the innermost cause in uv's message, as one line."""
    if "hash mismatch" in text.lower():
        return "its checksum is not the published checksum"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("cause: ")]
    last = (causes or lines)[-1]
    return re.sub(r"^(cause|error): ", "", last).rstrip(".")
