"""Start an app in a separate process, and check what it reports."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError, ConfigError
from mastra_core.pipeline import Project, Report
from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.bundler.metadata.inventory import Inventory
from mastra_deployer.bundler.verify.check_entry import check_entry
from mastra_deployer.bundler.verify.explain_app_error import (
    UNKNOWN_CAUSE_HINT,
    explain_bundle_error,
    explain_error,
    is_first_party,
)
from mastra_deployer.bundler.verify.placeholders import PLACEHOLDER, build_placeholders
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.project.child_processes import child_process
from mastra_deployer.project.config import CheckConfig
from mastra_deployer.project.discovery import get_config
from mastra_deployer.project.environment import read_environment
from mastra_deployer.project.interpreters import Interpreter
from mastra_deployer.project.system_variables import read_system_variables

__all__ = (
    "boot_bundle",
    "boot_source",
    "check_boot",
    "get_environment_file",
    "get_launcher_file",
    "is_failure",
)

_CHILD = Path(__file__).parent / "source_child.py"
_REQUEST_CHILD = Path(__file__).parent / "request_child.py"
_WEBSOCKET_ROUTES_CHILD = Path(__file__).parent / "websocket_routes_child.py"
# What a process needs to run, besides the variables of the system.
_PASSED_VARIABLES = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_TIMEOUT = 60  # seconds for the import, and in a bundle also for a request
_STDOUT, _STDERR = "stdout", "stderr"  # names of files with the output of a child
_MAX_SHOWN = 500  # bytes of the error output
_SERVER_ERROR = 500


def boot_source(
    project: Project, interpreter: Interpreter, references: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Import the entry from source, and return its kind and its registry.

    :param project: the app.
    :param interpreter: the Python in which the project's dependencies are installed.
    :param references: variables that ``deployer=`` reads; they get placeholders, since a build
        needs no credentials.
    :returns: ``None`` when the project's environment lacks a dependency, so that nothing can be
        compared.
    :raises ConfigError: when the entry raises, or contains no application.
    """
    launcher = get_launcher_file()
    arguments = [str(launcher), str(project.import_root), project.module, project.attribute]
    command = [interpreter.path, "-B", str(_CHILD), *arguments]
    environment = {**dict.fromkeys(references, PLACEHOLDER), **_build_environment(project)}
    report = _run_child(command, environment)
    if not report["ok"]:
        error = report["error"]
        if error["missing"] and not is_first_party(project, error["missing"]):
            return None
        raise explain_error(project, error, project.root, ConfigError)
    registry: dict[str, Any] = report["registry"]
    check_entry(project, registry)
    return registry


def boot_bundle(project: Project, directory: Path, interpreter: Interpreter) -> dict[str, Any]:
    """Start a staged app with only its own files, send it a request, and return its report.

    :param project: the app.
    :param directory: the directory of the build.
    :param interpreter: an interpreter of the target's version.
    :returns: the report, which contains an error if the app did not start.
    :raises BuildError: when the process of the app ends without a report, or does not end.
    """
    arguments = [_REQUEST_CHILD, directory / "index.py", _CHILD, _WEBSOCKET_ROUTES_CHILD]
    command = [interpreter.path, "-B", *map(str, arguments)]
    return _run_child(command, _build_environment(project))


def check_boot(
    project: Project,
    directory: Path,
    result: Mapping[str, Any],
    inventory: Inventory,
    report: Report,
) -> None:
    """Check that a staged app started, responded to a request, and lacks no dependency.

    :param project: the app.
    :param directory: the directory of the build.
    :param result: the report of the started app.
    :param inventory: the inventory of the build, with what was left out.
    :param report: receives notes.
    :raises BuildError: naming the missing module, variable or provider, and the cure.
    """
    if not result["ok"]:
        raise explain_bundle_error(project, result["error"], directory / "app", inventory)
    _check_providers(project, result["registry"].get("missing", {}))
    _check_extras(project, result["registry"].get("missing_extras", {}), report)
    if response := result["registry"].get("request"):
        _check_response(project, response, directory / "app", inventory, report)


def get_launcher_file() -> Path:
    """Return the source file of a bundle's ``index.py``."""
    from mastra_core import launcher

    return Path(launcher.__file__)


def get_environment_file() -> Path:
    """Return the source file of a bundle's ``mastra_venv.py``."""
    from mastra_core import virtual_environment

    return Path(virtual_environment.__file__)


def _build_environment(project: Project) -> dict[str, str]:
    """Return the environment of a check, with placeholders for required variables.

    Source and bundle get the same variables, so that they can be compared. Optional variables stay
    unset, as in a deploy without a value for them.
    """
    passed = {name: os.environ[name] for name in _PASSED_VARIABLES if name in os.environ}
    base = {**read_system_variables(), **passed}
    check: CheckConfig = get_config(project).check
    required = build_placeholders(project.environment.required, read_environment(project))
    return {**required, **base, **check.env, "PYTHONDONTWRITEBYTECODE": "1"}


def _run_child(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run a child in an empty directory, and return the report that it writes."""
    with temporary_directory(prefix="mastra-start-") as temporary:
        # An empty working directory, since an app must not depend on where it is started.
        directories = [temporary / "cwd", temporary / "tmp"]
        for directory in directories:
            directory.mkdir()
        variables = {**environment, "TMPDIR": str(directories[1])}
        status = _run_process(command, variables, directories[0], temporary)
        try:
            report: dict[str, Any] = json.loads((temporary / _STDOUT).read_bytes())
        except ValueError:
            message = _read_end(temporary / _STDERR)
            raise BuildError(
                f"The app ended its process during the import (exit {status}): {message}",
                "Remove the call that exits, or put it under if __name__ == '__main__'.",
            ) from None
    return report


def _read_end(file: Path) -> str:
    """Return the end of a child's error output, which contains the reason of a failure."""
    with file.open("rb") as stream:
        stream.seek(max(file.stat().st_size - _MAX_SHOWN, 0))  # an app may write gigabytes
        return stream.read().decode("utf-8", "replace").strip()


def _run_process(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, directory: Path
) -> int:
    """Run a process, write its output to two files in a directory, and return its exit status.

    With a pipe, the caller would wait until the last background process of the app has ended.
    """
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        process.kill()

    with (
        (directory / _STDOUT).open("wb") as stdout,
        (directory / _STDERR).open("wb") as stderr,
        child_process(
            command,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
        ) as process,
    ):
        # With a timeout of its own, ``wait`` would look only every 50 milliseconds.
        timer = threading.Timer(_TIMEOUT, stop)
        timer.start()
        try:
            status = process.wait()
        finally:
            timer.cancel()
    if is_late.is_set():
        raise BuildError(
            f"The import of the app did not finish in {_TIMEOUT} seconds.",
            "Move code that waits or starts a server into a function or a lifespan, so that this "
            "code does not run at import.",
        )
    return status


def is_failure(response: Mapping[str, Any]) -> bool:
    """Return whether a response to the request of a start makes the build fail.

    :param response: the response, as the child process reports it.
    """
    error, status = response["error"], response["status"]
    return error is not None and status is None and not response["service"]


def _check_response(
    project: Project, response: Mapping[str, Any], app: Path, inventory: Inventory, report: Report
) -> None:
    """Check that the server responded without an exception."""
    error, status = response["error"], response["status"]
    if error is None:
        if status is not None and status >= _SERVER_ERROR:
            report.note(
                f"In isolation, the app responds to a request for an unknown path with {status}.",
                "Correct the app, unless the cause is a service that this machine lacks.",
            )
        return
    reason = explain_bundle_error(project, error, app, inventory)
    is_unknown = reason.hint == UNKNOWN_CAUSE_HINT
    if not is_failure(response):
        report.note(
            f"In isolation, a request to the app raises an exception: {reason.message}",
            "Correct the app, unless the cause is a service that this machine lacks."
            if is_unknown
            else reason.hint,
        )
        return
    raise BuildError(
        f"The app starts, but does not respond to a request: {reason.message}",
        f"Correct the cause. If {project.entry!r} is not an ASGI or WSGI application, name the "
        "application: --app module:attribute."
        if is_unknown
        else reason.hint,
    )


def _check_providers(project: Project, missing: Mapping[str, Sequence[str]]) -> None:
    for agent, modules in missing.items():
        # Loaded on use: this module is loaded by each command that builds.
        from mastra_core.agents.providers import get_requirements

        requirements = " and ".join(map(repr, get_requirements(modules)))
        raise BuildError(
            f"The agent {agent!r} needs {' and '.join(map(repr, modules))}, but no dependency of "
            "the project installs it.",
            f"Add {requirements} to the dependencies in {find_declaration_file(project)}.",
        )


def _check_extras(project: Project, missing: Mapping[str, Sequence[str]], report: Report) -> None:
    for extra, modules in missing.items():
        message = (
            f"The server of the app needs {' and '.join(map(repr, modules))}, but no dependency of "
            "the project installs it."
        )
        file = find_declaration_file(project)
        hint = f"Add 'mastra-core[{extra}]' to the dependencies in {file}"
        if extra != "postgres":
            raise BuildError(message, f"{hint}.")
        # The URL may be a placeholder, while the served app has an SQLite file.
        report.warn(message, f"{hint}, unless a variable names a database of another kind.")
