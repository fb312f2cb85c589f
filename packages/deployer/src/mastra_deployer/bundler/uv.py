"""Run uv and turn its failures into Mastra's errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from mastra_core.errors import BuildError
from mastra_deployer.bundler.macos_version import MACOS_VARIABLE, get_macos_version, is_macos

__all__ = ("build_target_arguments", "is_unsolvable", "run_uv")

# Of an address only the host and path are shown: user, password and query may be credentials.
_ADDRESS = re.compile(r"(\w+://)(?:[^/\s@`]*@)?([^\s?`]*)(?:\?[^\s`]*)?")
_USER_AND_PASSWORD = re.compile(r"\w+://([^/\s@:]*):?([^/\s@]*)@")


# uv's package looks up its program by it. Of two threads that initialize it at once, one sees half
# of it in Python 3.11 and 3.12, and builds start threads.
sysconfig.get_config_vars()
_NO_WHEEL = "A dependency has no wheel for the target."
_NO_SOLUTION = "The dependencies cannot be resolved together."


def run_uv(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str = "",
) -> str:
    """Run uv and return its standard output.

    :param arguments: of uv.
    :param cwd: the working directory; ``None`` for that of this process.
    :param environment: variables besides those of this process. Secrets belong here, since every
        user of the machine can read an argument list.
    :param text: uv's standard input.
    :raises BuildError: with uv's own explanation, and a cure where it is known.
    """
    from uv import find_uv_bin

    variables = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    # mastra's own environment must not decide what a project resolves to.
    variables.pop("VIRTUAL_ENV", None)
    if any(map(is_macos, arguments)):
        variables[MACOS_VARIABLE] = "{}.{}".format(*get_macos_version())
    variables.update(environment or {})
    result = subprocess.run(
        [find_uv_bin(), *arguments],
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        env=variables,
        check=False,
    )
    if result.returncode:
        raise _to_build_error(_redact_output(result.stderr, variables))
    return result.stdout


def build_target_arguments(python: str, wheels: str) -> list[str]:
    """Build the arguments that make uv resolve or install for another machine.

    uv needs some interpreter to start; mastra's own is enough, since version and platform are
    given.

    :param python: the target's version, ``3.12``.
    :param wheels: the target's platform in uv's notation.
    """
    flags = ["--python-version", python, "--python-platform", wheels]
    return ["--python", sys.executable, *flags]


def is_unsolvable(error: BuildError) -> bool:
    """Return whether no versions or no wheels fulfil all requirements.

    :param error: an error of ``run_uv``.
    """
    return error.message.startswith((_NO_WHEEL, _NO_SOLUTION))


def _redact_output(stderr: str, variables: Mapping[str, str]) -> str:
    """Return uv's error output without any credential that it was given."""
    text = _ADDRESS.sub(r"\1\2", stderr.strip())
    for secret in sorted(_iter_secrets(variables), key=len, reverse=True):
        text = text.replace(secret, "****")
    return text


def _iter_secrets(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if not name.startswith("UV_") or not value:
            continue
        if name.endswith(("_PASSWORD", "_TOKEN")):
            yield value
        for user, password in _USER_AND_PASSWORD.findall(value):
            # A token may stand alone before the @; uv takes it for the user's name.
            yield from {found for found in (password or user, unquote(password or user)) if found}


def _to_build_error(stderr: str) -> BuildError:
    text = re.sub(r"^error: ", "", stderr, flags=re.MULTILINE)
    normalized = " ".join(text.lower().split())
    for phrases, message, hint in _KNOWN:
        if any(phrase in normalized for phrase in phrases):
            return BuildError(f"{message}\n{text}", hint)
    return BuildError(f"uv failed:\n{text}", "See uv's message above; `mastra -v` shows more.")


_KNOWN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("401 unauthorized", "403 forbidden", "missing credentials", "could not read username")
        + ("authentication failed",),
        "A package index rejected the credentials, or requires credentials.",
        "Set UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD for [[tool.uv.index]], or an "
        "entry in ~/.netrc, or UV_INDEX_URL / UV_EXTRA_INDEX_URL with user and password in it.",
    ),
    (
        ("no space left on device", "disk quota exceeded"),
        "The disk is full.",
        "Free some space, or move the caches to another disk: MASTRA_CACHE_DIR, UV_CACHE_DIR.",
    ),
    (
        ("failed to initialize cache", "could not create temporary file", "read-only file system"),
        "uv's cache cannot be written.",
        "Set UV_CACHE_DIR to a writable directory.",
    ),
    (
        ("invalid package format", "failed to read from zip file", "is an invalid wheel"),
        "A wheel is broken, or its download was cut off.",
        "Try again; if the error persists, use another version of the package.",
    ),
    (
        ("hash mismatch",),
        "A wheel's hash is not the expected one.",
        "Try again; if the error persists, the package index is broken, or a proxy in front of it.",
    ),
    (
        ("failed to fetch", "error sending request", "dns error", "network connectivity")
        + ("connection refused", "network was disabled", "failed to download")
        + ("error decoding response body", "http timeout", "operation timed out"),
        "The package index cannot be reached, or closed the connection, and not everything needed "
        "is in uv's cache.",
        "Check the network and try again, or set UV_INDEX_URL / UV_FIND_LINKS to a reachable "
        "index.",
    ),
    (
        ("needs to be updated",),
        "uv.lock does not match pyproject.toml.",
        "Run `uv lock`, and commit the result.",
    ),
    (
        ("unable to detect version", "error getting the version from source `vcs`")
        + ("setuptools-scm was unable", "no version file and no vcs", "versioningit"),
        "The version of a project comes from its git history, which is missing here.",
        "Build from a git checkout with its tags (in CI: fetch-depth: 0), or set "
        "SETUPTOOLS_SCM_PRETEND_VERSION=1.2.3, or write the version into pyproject.toml.",
    ),
    (
        ("failed to build", "build backend returned an error"),
        "A dependency is available as source only, and does not build here.",
        "Use a version that has wheels, or set UV_FIND_LINKS to a directory with one.",
    ),
    (
        ("no wheels with a matching", "no usable wheels", "no matching platform tag")
        + ("no matching python abi", "no matching python version tag", "no-build")
        + ("building from source is disabled", "no binary distribution"),
        _NO_WHEEL,
        "Use a version that has a wheel, or set UV_FIND_LINKS to a directory with a wheel, or "
        "build for another Python (--python) or platform (--platform).",
    ),
    (
        ("no solution found", "conflicting", "unsatisfiable"),
        _NO_SOLUTION,
        "Loosen one of the requirements named above.",
    ),
)
