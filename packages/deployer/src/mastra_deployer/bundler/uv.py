"""Runs uv, and says in our words what it could not do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from mastra_core.errors import BuildError

__all__ = ("run_uv", "target_arguments", "unsolvable")

# Of an address only the host and path are shown: user, password and query may be credentials.
_ADDRESS = re.compile(r"(\w+://)(?:[^/\s@`]*@)?([^\s?`]*)(?:\?[^\s`]*)?")
_USER_AND_PASSWORD = re.compile(r"\w+://([^/\s@:]*):?([^/\s@]*)@")


_NO_WHEEL = "A dependency has no wheel for the target."
_NO_SOLUTION = "The dependencies cannot be resolved together."


def run_uv(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str = "",
) -> str:
    """What uv prints on stdout.

    :param environment: beside this process's own; what is secret goes here, since anyone can
        read an argument list.
    :param text: its standard input.
    :raises BuildError: with uv's own explanation, and the cure where it is known.
    """
    from uv import find_uv_bin

    variables = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    # mastra's own environment must not decide what a project resolves to.
    variables.pop("VIRTUAL_ENV", None)
    variables.update(environment or {})
    done = subprocess.run(
        [find_uv_bin(), *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=variables,
        check=False,
    )
    if done.returncode:
        raise _explained(_shown(done.stderr, variables))
    return done.stdout


def target_arguments(python: str, wheels: str) -> list[str]:
    """Resolve or install for a machine that is not this one.

    uv wants some interpreter to start from; ours will do, since version and platform are given.
    """
    given = ["--python-version", python, "--python-platform", wheels]
    return ["--python", sys.executable, *given]


def unsolvable(error: BuildError) -> bool:
    """Whether ``run_uv`` found no versions, or no wheels for the target, that fulfil all."""
    return error.message.startswith((_NO_WHEEL, _NO_SOLUTION))


def _shown(stderr: str, variables: Mapping[str, str]) -> str:
    """What uv said, without any credential that it was given."""
    text = _ADDRESS.sub(r"\1\2", stderr.strip())
    for secret in sorted(_secrets(variables), key=len, reverse=True):
        text = text.replace(secret, "****")
    return text


def _secrets(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if not name.startswith("UV_") or not value:
            continue
        if name.endswith(("_PASSWORD", "_TOKEN")):
            yield value
        for user, password in _USER_AND_PASSWORD.findall(value):
            # Of a name alone uv makes the user, and it may well be a token.
            yield from {found for found in (password or user, unquote(password or user)) if found}


def _explained(stderr: str) -> BuildError:
    text = re.sub(r"^error: ", "", stderr, flags=re.MULTILINE)
    lowered = " ".join(text.lower().split())
    for marks, message, hint in _KNOWN:
        if any(mark in lowered for mark in marks):
            return BuildError(f"{message}\n{text}", hint)
    return BuildError(f"uv failed:\n{text}", "The line above says why; `mastra -v` shows more.")


_KNOWN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("401 unauthorized", "403 forbidden", "missing credentials", "could not read username")
        + ("authentication failed",),
        "A package index wants other credentials than it was given.",
        "Set UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD for [[tool.uv.index]], or an "
        "entry in ~/.netrc, or UV_INDEX_URL / UV_EXTRA_INDEX_URL with user and password in it.",
    ),
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
        ("needs to be updated",),
        "uv.lock does not match pyproject.toml.",
        "Run `uv lock`, and commit the result.",
    ),
    (
        ("failed to build", "build backend returned an error"),
        "A dependency comes as source only, and does not build here.",
        "Take a version that has wheels, or set UV_FIND_LINKS to a directory with one.",
    ),
    (
        ("no wheels with a matching", "no usable wheels", "no matching platform tag")
        + ("no matching python abi", "no matching python version tag", "no-build")
        + ("building from source is disabled", "no binary distribution"),
        _NO_WHEEL,
        "Take a version that has one, or set UV_FIND_LINKS to a directory with one, or build "
        "for another Python (--python) or platform (--platform).",
    ),
    (
        ("no solution found", "conflicting", "unsatisfiable"),
        _NO_SOLUTION,
        "Loosen one of the requirements named above.",
    ),
)
