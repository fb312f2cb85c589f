"""Import a bundle in Pyodide under the rules of a Worker's start, for ``mastra check``."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mastra_core.errors import ApiError, ConfigError, DeployError
from mastra_core.pipeline import Bundle, Problem, Report
from mastra_deployer.kit import temporary_directory
from mastra_deployer_cloudflare.preview.worker_process import WorkerHost, build_environment

__all__ = ("verify_bundle",)

_FRAME = re.compile(r'File "/session/metadata/([^"]+)", line (\d+)')
_STACK = re.compile(r'File "?/session/metadata/([^",]+)"?, line (\d+)')
_OWN = "app/"
# Milliseconds for the start; https://developers.cloudflare.com/workers/platform/limits/
_LIMIT = 1000
_TIMEOUT = 300  # seconds
_RANDOM_HINT = (
    "All instances of a Worker would get the same value. Make the value in a function that runs "
    'during a request. Or set build_app = "request", so that the app is imported at the first '
    "request."
)
_VARIABLE_HINT = (
    "Variables have no value while a Worker is imported. Read the variable in a function that "
    'runs during a request. Or set build_app = "request".'
)
_OTHER_HINT = 'Correct the cause, or set build_app = "request" to import the app later.'


class _ImportReport(msgspec.Struct):
    """The output of the script that imports the Worker's main module."""

    error: str
    milliseconds: int
    randomness: list[str]
    modules: int


def verify_bundle(bundle: Bundle, report: Report) -> Iterator[Problem]:
    """Import the Worker's main module, and yield each problem that stops a start on Cloudflare.

    :param bundle: the bundle.
    :param report: receives progress.
    :returns: the problems, or only a note if this machine cannot run Pyodide.
    """
    try:
        worker = WorkerHost.find(report)
    except (ApiError, ConfigError, DeployError) as error:
        message = f"The Worker was not imported, because Pyodide cannot run here. {error.message}"
        yield Problem(message=message, hint=error.hint, severity="note")
        return
    report.step("Importing the Worker in Pyodide")
    result = _import_worker(worker, bundle.directory)
    if result.error:
        yield _describe_error(result.error)
    for stack in dict.fromkeys(result.randomness):
        place = _find_place(_STACK.findall(stack)[::-1])
        yield Problem(
            message="Compiled code uses randomness while the Worker is imported.",
            hint=_RANDOM_HINT,
            where=place,
        )
    if result.milliseconds > _LIMIT and not result.error:
        yield _describe_duration(result)


def _import_worker(worker: WorkerHost, directory: Path) -> _ImportReport:
    with temporary_directory() as temporary:
        command = worker.build_command(directory, temporary, check=True, variables={})
        try:
            done = subprocess.run(
                command,
                env=dict(build_environment(temporary)),
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _report_error(f"the import did not end within {_TIMEOUT} seconds.")
    try:
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=_ImportReport)
    except (IndexError, msgspec.DecodeError):
        text = done.stderr.decode(errors="replace")[-2000:]
        return _report_error(text or "Node printed nothing.")


def _report_error(text: str) -> _ImportReport:
    return _ImportReport(error=text, milliseconds=0, randomness=[], modules=0)


def _describe_error(text: str) -> Problem:
    """Return the problem that a traceback shows, with its last line and the place in the app."""
    last = text.strip().splitlines()[-1]
    hint = _OTHER_HINT
    if "Randomness is not allowed" in last or "outside of request context" in last:
        hint = _RANDOM_HINT
    elif re.match(r"KeyError: |.*environment variable|.*is not set", last):
        hint = _VARIABLE_HINT
    return Problem(
        message=f"The app cannot be imported in a Worker: {last}",
        hint=hint,
        where=_find_place(_FRAME.findall(text)),
    )


def _find_place(frames: list[tuple[str, str]]) -> str:
    """Return file and line of the innermost frame in the app, or else in a dependency."""
    own = [frame for frame in frames if frame[0].startswith(_OWN)]
    chosen = (own or frames)[-1:]
    return f"{chosen[0][0].removeprefix(_OWN)}:{chosen[0][1]}" if chosen else ""


def _describe_duration(result: _ImportReport) -> Problem:
    seconds = result.milliseconds / 1000
    return Problem(
        message=f"The import of the Worker took {seconds:.1f} s of processor time on this machine, "
        f"for {result.modules} modules. Cloudflare allows {_LIMIT / 1000:.0f} s for a start.",
        hint="Cloudflare starts a Worker from a snapshot of the import, so this time counts only "
        "when a version is uploaded. If Cloudflare refuses the upload with the code 10021, "
        'set preload = false or build_app = "request".',
        severity="note",
    )
