"""Start an app in a separate process, and explain its errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError, ConfigError, MastraError
from mastra_core.pipeline import Project, Report
from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.bundler.metadata.inventory import Inventory
from mastra_deployer.bundler.verify.placeholders import PLACEHOLDER, build_placeholders
from mastra_deployer.bundler.verify.pruned_cause import find_pruned_cause
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.output.masking import mask
from mastra_deployer.output.shorten import shorten_message
from mastra_deployer.project.child_processes import child_process
from mastra_deployer.project.config import CheckConfig
from mastra_deployer.project.discovery import find_module_file, get_config
from mastra_deployer.project.environment import read_environment
from mastra_deployer.project.interpreters import Interpreter
from mastra_deployer.project.system_variables import read_system_variables

__all__ = (
    "APP_KINDS",
    "boot_bundle",
    "boot_source",
    "check_entry",
    "get_environment_file",
    "get_launcher_file",
)

APP_KINDS = ("mastra", "asgi", "wsgi")  # what can be served; WSGI through an adapter
_CHILD = Path(__file__).parent / "source_child.py"
_REQUEST_CHILD = Path(__file__).parent / "request_child.py"
_GENERATED = ("mastra_asgi.py",)  # files of a bundle that the project does not have
# What a process needs to run, besides the variables of the system.
_PASSED_VARIABLES = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_FIELD = re.compile(r"^(\w+)\n +\S", re.MULTILINE)  # as in an error of pydantic
_MISSING_FIELD = re.compile(r"^(\S+)\n +Field required", re.MULTILINE)
_FILE_OF_MODULE = re.compile(r" \([^()]+\.py\)$")  # in an ImportError; it is a temporary path
_TIMEOUT = 60  # seconds for the import, and in a bundle also for a request
_STDOUT, _STDERR = "stdout", "stderr"  # names of files with the output of a child
_MAX_SHOWN = 500  # bytes of the error output
_SERVER_ERROR = 500
_OWN_SERVERS = ("aiohttp", "tornado")  # frameworks that no ASGI server can serve
_QUOTED = re.compile(r"'([\w./-]+)'")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|(?<=')[A-Z][A-Z0-9]+(?=')")


def boot_source(
    project: Project, interpreter: Interpreter, references: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Import the entry from source, and return its kind, its registry and its adapters.

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
        if error["missing"] and not _is_first_party(project, error["missing"]):
            return None
        raise _to_error(project, error, project.root, ConfigError)
    registry: dict[str, Any] = report["registry"]
    check_entry(project, registry)
    return registry


def boot_bundle(
    project: Project,
    directory: Path,
    interpreter: Interpreter,
    inventory: Inventory,
    report: Report,
) -> dict[str, Any]:
    """Start a staged app with only its own files, send it a request, and return its report.

    :param project: the app.
    :param directory: the directory of the build.
    :param interpreter: an interpreter of the target's version.
    :param inventory: the inventory of the build, with what was left out.
    :param report: receives notes.
    :raises BuildError: naming the missing module, variable or provider, and the cure.
    """
    arguments = [str(_REQUEST_CHILD), str(directory / "index.py"), str(_CHILD)]
    result = _run_child([interpreter.path, "-B", *arguments], _build_environment(project))
    if not result["ok"]:
        raise _to_bundle_error(project, result["error"], directory / "app", inventory)
    _check_providers(project, result["registry"].get("missing", {}))
    _check_extras(project, result["registry"].get("missing_extras", {}), report)
    if response := result["registry"].get("request"):
        _check_response(project, response, directory / "app", inventory, report)
    return result


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
    with temporary_directory(Path(tempfile.gettempdir()), "mastra-start-") as temporary:
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

    A pipe would stay open until the last background process of the app has ended.
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


def check_entry(project: Project, registry: Mapping[str, Any]) -> None:
    """Check that the entry contains exactly one application.

    :param project: the app.
    :param registry: the report of an import from source.
    :raises ConfigError: when the entry contains no application, several applications, or another
        object.
    """
    kind, objects = registry["kind"], registry["objects"]
    file = find_module_file(project)
    if kind == "missing":
        raise _build_entry_error(project, objects)
    if kind not in APP_KINDS:
        raise ConfigError(
            f"{project.entry!r} is {kind}, neither a Mastra object nor an ASGI or WSGI "
            "application.",
            _suggest_application(kind),
        )
    if len(objects) > 1 and not _has_explicit_entry(project):
        raise ConfigError(
            f"{file} has {len(objects)} Mastra objects: {', '.join(objects)}.",
            "Keep only one Mastra object. Or choose one: [tool.mastra] entry = "
            f"'{project.module}:{objects[0]}'.",
        )


def _build_entry_error(project: Project, objects: Sequence[str] = ()) -> ConfigError:
    """Build the error for a module that lacks the application.

    :param project: the app.
    :param objects: the names of the Mastra objects in the module.
    """
    hint = "Name the variable that contains the application: --app module:attribute."
    if project.attribute == "mastra":
        hint = "Add it: mastra = Mastra(...)."
    if objects:
        hint = f"Rename it, or write [tool.mastra] entry = '{project.module}:{objects[0]}'."
    return ConfigError(f"{find_module_file(project)} does not define {project.attribute!r}.", hint)


def _suggest_application(kind: str) -> str:
    if kind == "a factory":
        return "Call it in the module, and name its result: app = create_app()."
    if framework := next((name for name in _OWN_SERVERS if f" {name}." in kind), ""):
        return (
            f"{framework} has its own server and no ASGI or WSGI interface. Move the routes to "
            "Starlette, FastAPI or Flask, or deploy its server without mastra."
        )
    return "Name the application itself, as for an ASGI server."


def _has_explicit_entry(project: Project) -> bool:
    """Return whether the user named the app's object; if so, other objects have no effect."""
    return bool(project.config.get("entry")) or not project.module.startswith("mastra")


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
    reason = _to_bundle_error(project, error, app, inventory)
    if status is not None or response["service"]:
        report.note(
            f"In isolation, a request to the app raises an exception: {reason.message}",
            "Correct the app, unless the cause is a service that this machine lacks.",
        )
        return
    raise BuildError(
        f"The app starts, but does not respond to a request: {reason.message}",
        reason.hint
        if find_pruned_cause(error, inventory, project)
        else f"Check that {project.entry!r} is an ASGI or WSGI application.",
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


def _is_first_party(project: Project, module: str) -> bool:
    stem = project.import_root / module.partition(".")[0]
    return stem.is_dir() or stem.with_suffix(".py").is_file()


def _to_bundle_error(
    project: Project, error: Mapping[str, Any], app: Path, inventory: Inventory
) -> MastraError:
    """Convert an exception in the bundle to an error, which names missing files or packages."""
    converted = _to_error(project, error, app, BuildError)
    if cause := find_pruned_cause(error, inventory, project):
        return BuildError(f"{converted.message} {cause.message}", cause.hint)
    return converted


def _lacks_entry(project: Project, message: str) -> bool:
    """Return whether the bundle's own import of the application failed with this message."""
    module, attribute = project.module, project.attribute
    return message.startswith(
        (
            f"module {module!r} has no attribute {attribute!r}",
            f"cannot import name {attribute!r} from {module!r} (",
        )
    )


def _to_error(
    project: Project, error: Mapping[str, Any], app: Path, kind: type[MastraError]
) -> MastraError:
    """Convert the child's exception to an error with the user's line of code and a cure."""
    frames = [
        frame
        for frame in error["frames"]
        if frame[0].startswith(f"{app}{os.sep}") and Path(frame[0]).name not in _GENERATED
    ]
    if not frames and _lacks_entry(project, error["message"]):
        return _build_entry_error(project)
    where = f"{_to_project_path(project, frames[-1][0], app)}:{frames[-1][1]}: " if frames else ""
    last = error["frames"][-1] if error["frames"] else None
    if error["missing"]:
        module = error["missing"]
        if _is_first_party(project, module):
            return kind(
                f"{where}the module {module!r} is in the project but not in the bundle.",
                "Add it to [tool.mastra.build] include. Or rename it, if its name begins with a "
                "dot or is the name of a test.",
            )
        return kind(
            f"{where}there is no module {module!r}.",
            f"Add the package that provides {module.partition('.')[0]!r} to the dependencies in "
            f"{find_declaration_file(project)}.",
        )
    # The standard library's os module is frozen into the interpreter.
    if error["type"] == "KeyError" and last and last[0] == "<frozen os>":
        name = error["message"].strip("'\"")
        problem = "optional" if name in project.environment.optional else "not declared"
        return kind(
            f"{where}the environment variable {name!r} is read without a default, but {problem}.",
            f'Declare it: [tool.mastra.env] required = ["{name}"].',
        )
    text = _FILE_OF_MODULE.sub("", error["message"].strip())
    message = shorten_message(mask(text)) or error["type"]
    prefix = "" if error["hint"] else f"{error['type']}: "
    hint = _suggest_declaration(project, message) or error["hint"]
    return kind(f"{where}{prefix}{message}", hint or _suggest_fix(project, message, frames))


def _suggest_declaration(project: Project, message: str) -> str:
    """Return a cure for a missing environment variable that a library names."""
    if "environment variable" not in message:
        return ""
    for name in _VARIABLE.findall(message):
        if name not in project.environment.required:
            return f'Declare it: [tool.mastra.env] required = ["{name}"].'
    return ""


def _suggest_fix(project: Project, message: str, frames: Sequence[Sequence[Any]]) -> str:
    """Return a cure for an unknown error, whose cause may be a placeholder."""
    for path in _QUOTED.findall(message):
        if not path.startswith("/") and (project.root / path).exists():
            return (
                f"{path!r} is relative to the working directory, but a served bundle has another "
                "working directory. Write it relative to the file: Path(__file__).parent / ..."
            )
    required, values = project.environment.required, get_config(project).check.env
    undeclared = [name for name in _MISSING_FIELD.findall(message) if name.upper() not in required]
    if undeclared:  # pydantic's words, for a settings class too
        return "If the values come from the environment, declare them in [tool.mastra.env]."
    text = "\n".join([message, *(str(frame[3]) for frame in frames)]).upper()
    endings = tuple(f"_{field.upper()}" for field in _FIELD.findall(message))
    names = [
        name
        for name in dict.fromkeys((*required, *values))
        if name.upper() in text or name.upper().endswith(endings)
    ]
    if configured := [name for name in names if name in values]:
        return f"[tool.mastra.check] env sets {', '.join(configured)} here. Correct that value."
    if names or (required and PLACEHOLDER in message):
        missing = ", ".join(f"{name} = '...'" for name in names or required)
        return (
            "During this check, each required variable has a placeholder, which may not be a "
            f"valid value. Set a value for the check: [tool.mastra.check] env = {{ {missing} }}. "
            "Or write a value to .env. The placeholder then has the same type."
        )
    return "The import of the app fails. Correct that line."


def _to_project_path(project: Project, file: str, app: Path) -> str:
    """Convert a path in the bundle to the path of the user's file."""
    relative = Path(file).relative_to(app)
    return str(project.root / relative)
