"""Run uv, and convert its failures to Mastra's errors."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from mastra_core.errors import BuildError
from mastra_deployer.project.child_processes import child_process
from mastra_deployer.project.macos_version import MACOS_VARIABLE, get_macos_version, is_macos

__all__ = ("INSTALL_VARIABLES", "build_target_arguments", "is_unsolvable", "run_uv")

INSTALL_VARIABLES: Mapping[str, str] = {"UV_CONSTRAINT": "", "UV_OVERRIDE": ""}
"""Variables for the installation of a lock: uv accepts no constraints besides a lock."""

# Of an address only the host and path are shown: user, password and query may be credentials.
# A password may contain an @ that is not encoded: the last one is the end of the credentials.
# A password may also contain a # or a ? that is not encoded, so neither ends it.
_ADDRESS = re.compile(r"(\w+://)(?:[^/\s`]*@)?([^\s?`]*)(?:\?[^\s`]*)?")
# In a variable, the password may contain a / too. A comma before an address separates two values.
_USER_AND_PASSWORD = re.compile(r"\w+://([^/\s@:]*):?((?:(?!,\w+://)\S)*)@")


# The package uv finds its program with this module. If two threads initialize the module at once,
# one of them sees half of it in Python 3.11 and 3.12, and builds start threads.
sysconfig.get_config_vars()
_OUTDATED_LOCK = "uv.lock does not match pyproject.toml."
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

    :param arguments: the arguments of uv.
    :param cwd: the working directory of uv; ``None`` for the working directory of this process.
    :param environment: variables besides those of this process. Pass secrets as variables and not
        as arguments, because every user of the machine can read an argument list.
    :param text: uv's standard input.
    :raises BuildError: with uv's own explanation, and a cure if it is known.
    """
    from uv import find_uv_bin

    variables = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    # mastra's own environment must not decide what a project resolves to.
    variables.pop("VIRTUAL_ENV", None)
    if settings := variables.get("UV_CONFIG_FILE"):  # relative to the directory of the user
        variables["UV_CONFIG_FILE"] = os.path.abspath(settings)  # noqa: PTH100  # a name
    if any(map(is_macos, arguments)):
        variables[MACOS_VARIABLE] = "{}.{}".format(*get_macos_version())
    variables.update(environment or {})
    with child_process(
        [find_uv_bin(), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        env=variables,
    ) as process:
        stdout, stderr = process.communicate(text)
    if process.returncode < 0:
        raise _build_killed_error(-process.returncode)
    if process.returncode:
        raise _to_build_error(_redact_output(stderr, variables))
    return str(stdout)


def build_target_arguments(python: str, wheels: str) -> list[str]:
    """Build arguments for uv that resolve or install for another machine.

    uv does not start without an interpreter. Any interpreter is enough, because the arguments name
    the target's version and platform.

    :param python: the target's version, ``3.12``.
    :param wheels: the target's platform in uv's notation.
    """
    flags = ["--python-version", python, "--python-platform", wheels]
    return ["--python", sys.executable, *flags]


def is_unsolvable(error: BuildError) -> bool:
    """Return whether uv found no versions or wheels that meet all requirements.

    :param error: an error of ``run_uv``.
    """
    return error.message.startswith((_NO_WHEEL, _NO_SOLUTION))


def _build_killed_error(number: int) -> BuildError:
    """Build the error for uv that a signal has ended; Linux sends one if memory is short."""
    return BuildError(
        f"uv was ended by {signal.Signals(number).name}.",
        "Check the free memory and the limits of this machine, and run the same command again.",
    )


def _redact_output(stderr: str, variables: Mapping[str, str]) -> str:
    """Return uv's error output without the credentials that were passed to uv."""
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
            # A token may be the only text before the @; uv treats it as the user's name.
            yield from {found for found in (password or user, unquote(password or user)) if found}


def _to_build_error(stderr: str) -> BuildError:
    text = re.sub(r"^error: ", "", stderr, flags=re.MULTILINE)
    normalized = " ".join(text.lower().split())
    for phrases, message, hint in _KNOWN:
        if any(phrase in normalized for phrase in phrases):
            # Uv's message names --locked, which the user did not pass.
            if message == _OUTDATED_LOCK:
                return BuildError(message, hint)
            return BuildError(f"{message}\n{text}", hint)
    return BuildError(f"uv failed:\n{text}", "Correct the input that uv's message names.")


_KNOWN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("401 unauthorized", "403 forbidden", "missing credentials", "could not read username")
        + ("authentication failed",),
        "A package index rejected the credentials, or requires credentials.",
        "Set UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD for [[tool.uv.index]]. Or add "
        "an entry to ~/.netrc, or set UV_INDEX_URL or UV_EXTRA_INDEX_URL with user and password.",
    ),
    (
        ("no space left on device", "disk quota exceeded"),
        "The disk is full.",
        "Free some space on the disk. Or move the caches to another disk with MASTRA_CACHE_DIR "
        "and UV_CACHE_DIR.",
    ),
    (
        ("too many open files",),
        "uv may not open enough files.",
        "Raise the limit of open files: `ulimit -n 1024`.",
    ),
    (
        ("failed to initialize cache", "could not create temporary file", "read-only file system"),
        "uv's cache cannot be written.",
        "Set UV_CACHE_DIR to a writable directory.",
    ),
    (
        ("invalid package format", "failed to read from zip file", "is an invalid wheel")
        + ("the wheel is invalid", "archive contains"),
        "A wheel is damaged, or its download was interrupted.",
        "Run the same command again. If the error remains, use another version of the package.",
    ),
    (
        ("hash mismatch",),
        "The hash of a wheel is not the expected hash.",
        "Run the same command again. If the error remains, the package index is faulty, or a proxy "
        "changes its content.",
    ),
    (
        ("failed to fetch", "error sending request", "dns error", "network connectivity")
        + ("connection refused", "network was disabled", "failed to download")
        + ("error decoding response body", "http timeout", "operation timed out"),
        "The package index cannot be reached or closed the connection, and uv's cache does not "
        "have all packages.",
        "Check the network and run the same command again. Or set UV_INDEX_URL or UV_FIND_LINKS "
        "to a reachable index.",
    ),
    (
        ("needs to be updated",),
        _OUTDATED_LOCK,
        "Run `uv lock`, and commit the result. If pyproject.toml has not changed, set the indexes "
        "and UV_FIND_LINKS as they were when uv.lock was made.",
    ),
    (
        ("unable to detect version", "error getting the version from source `vcs`")
        + ("setuptools-scm was unable", "no version file and no vcs", "versioningit"),
        "The version of a project comes from its git history, but the history is missing here.",
        "Build from a git checkout with its tags (in CI: fetch-depth: 0). Or set "
        "SETUPTOOLS_SCM_PRETEND_VERSION=1.2.3. Or write the version into pyproject.toml.",
    ),
    (
        ("failed to build", "build backend returned an error"),
        "A dependency is available only as source, and its build fails.",
        "Use a version that has wheels, or set UV_FIND_LINKS to a directory with a wheel.",
    ),
    (
        ("no wheels with a matching", "no usable wheels", "no matching platform tag")
        + ("no matching python abi", "no matching python version tag", "no-build")
        + ("building from source is disabled", "no binary distribution"),
        _NO_WHEEL,
        "Use a version that has a wheel. Or set UV_FIND_LINKS to a directory with a wheel. Or "
        "build for another Python (--python) or platform (--platform).",
    ),
    (
        ("no solution found", "conflicting", "unsatisfiable"),
        _NO_SOLUTION,
        "Change one of the requirements in uv's message.",
    ),
)
