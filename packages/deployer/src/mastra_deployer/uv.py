"""Runs uv, and says in our words what it could not do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mastra_core.errors import BuildError

__all__ = ("run_uv", "target_arguments")

# Of an address only the host and path are shown: user, password and query may be credentials.
_ADDRESS = re.compile(r"(\w+://)(?:[^/\s@`]*@)?([^\s?`]*)(?:\?[^\s`]*)?")


def run_uv(arguments: Sequence[str], *, cwd: Path | None = None) -> str:
    """What uv prints on stdout.

    :raises BuildError: with uv's own explanation, and the cure where it is known.
    """
    from uv import find_uv_bin

    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    # mastra's own environment must not decide what a project resolves to.
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        [find_uv_bin(), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise _explained(_ADDRESS.sub(r"\1\2", done.stderr.strip()))
    return done.stdout


def target_arguments(python: str, wheels: str) -> list[str]:
    """Resolve or install for a machine that is not this one.

    uv wants some interpreter to start from; ours will do, since version and platform are given.
    """
    return [
        "--python",
        sys.executable,
        "--python-version",
        python,
        "--python-platform",
        wheels,
        "--only-binary",
        ":all:",
    ]


def _explained(stderr: str) -> BuildError:
    text = re.sub(r"^error: ", "", stderr, flags=re.MULTILINE)
    lowered = " ".join(text.lower().split())
    for marks, message, hint in _KNOWN:
        if any(mark in lowered for mark in marks):
            return BuildError(f"{message}\n{text}", hint)
    return BuildError(f"uv failed:\n{text}", "The line above says why; `mastra -v` shows more.")


_KNOWN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("no space left on device", "disk quota exceeded"),
        "The disk is full.",
        "Free some space there, or move the caches: MASTRA_CACHE_DIR, UV_CACHE_DIR.",
    ),
    (
        ("failed to initialize cache", "could not create temporary file", "read-only file system"),
        "uv's cache cannot be written.",
        "Set UV_CACHE_DIR to a directory that can be written.",
    ),
    (
        ("invalid package format", "failed to read from zip file", "is an invalid wheel"),
        "A wheel is broken, or its download broke off.",
        "Try again; if it stays so, take another version of it.",
    ),
    (
        ("hash mismatch",),
        "A wheel is not the one that was promised: its hash is another.",
        "Try again; if it stays so, the package index or what lies before it is broken.",
    ),
    (
        ("failed to fetch", "error sending request", "dns error", "network connectivity")
        + ("connection refused", "network was disabled", "failed to download")
        + ("error decoding response body", "http timeout", "operation timed out"),
        "The package index cannot be reached, or broke off, and not everything needed is in uv's "
        "cache.",
        "Check the network and try again, or set UV_INDEX_URL / UV_FIND_LINKS to an index that "
        "can be reached.",
    ),
    (
        ("no wheels with a matching", "no usable wheels", "no matching platform tag")
        + ("no matching python abi", "no matching python version tag", "no-build")
        + ("building from source is disabled", "no binary distribution"),
        "A dependency has no wheel for the target.",
        "Take a version that has one, or set UV_FIND_LINKS to a directory with one, or build "
        "for another Python (--python) or platform (--platform).",
    ),
    (
        ("no solution found", "conflicting", "unsatisfiable"),
        "The dependencies cannot be resolved together.",
        "Loosen one of the requirements named above.",
    ),
    (
        ("needs to be updated",),
        "uv.lock does not match pyproject.toml.",
        "Run `uv lock`, and commit the result.",
    ),
)
