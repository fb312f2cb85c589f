"""Starts an app in a process of its own and explains what went wrong there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError, ConfigError, MastraError
from mastra_core.pipeline import Project
from mastra_deployer.files.temporary import scratch_directory
from mastra_deployer.project.config import CheckConfig
from mastra_deployer.project.discovery import config_of, module_file
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("boot_bundle", "boot_source", "check_found", "launcher_file")

_CHILD = Path(__file__).parent / "source_child.py"
# Enough for a process to run and find its home; nothing of the user's own.
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "LD_LIBRARY_PATH",
)
_TIMEOUT = 60
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|(?<=')[A-Z][A-Z0-9]+(?=')")


def boot_source(
    project: Project, interpreter: Interpreter, references: Sequence[str] = ()
) -> dict[str, Any] | None:
    """What the entry has when it runs from source: kind, registry, adapters.

    ``None`` when the project's environment lacks a dependency, so nothing can be compared.

    :param references: variables that ``deployer=`` reads; they get a placeholder too, since a
        build needs no credentials.

    :raises ConfigError: when the entry raises, or holds no application.
    """
    launcher = launcher_file()
    arguments = [str(launcher), str(project.import_root), project.module, project.attribute]
    command = [interpreter.path, "-B", str(_CHILD), *arguments]
    environment = {**dict.fromkeys(references, "placeholder"), **_environment(project)}
    report = _run(command, environment)
    if not report["ok"]:
        error = report["error"]
        if error["missing"] and not _first_party(project, error["missing"]):
            return None
        raise _explained(project, error, project.root, ConfigError)
    registry: dict[str, Any] = report["registry"]
    check_found(project, registry)
    return registry


def boot_bundle(project: Project, directory: Path, interpreter: Interpreter) -> dict[str, Any]:
    """What a staged app reports when it starts from nothing but its own files.

    :raises BuildError: naming the missing module, variable or provider, and the cure.
    """
    command = [interpreter.path, "-B", str(directory / "index.py"), "--check"]
    report = _run(command, _environment(project))
    if not report["ok"]:
        raise _explained(project, report["error"], directory / "app", BuildError)
    _check_providers(report["registry"].get("missing", {}))
    return report


def launcher_file() -> Path:
    """The source of a bundle's ``index.py``."""
    from mastra_core import launcher

    return Path(launcher.__file__)


def _environment(project: Project) -> dict[str, str]:
    """Placeholders for declared names: a check must run where no secret is.

    Source and bundle get the same, so that they can be compared.
    """
    base = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    check: CheckConfig = config_of(project).check
    declared = dict.fromkeys(project.environment.names, "placeholder")
    return {**declared, **base, **check.env, "PYTHONDONTWRITEBYTECODE": "1"}


def _run(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    with scratch_directory(Path(tempfile.gettempdir()), "mastra-start-") as empty:
        done = _finished(command, environment, empty)  # an app must not lean on where it starts
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise BuildError(
            f"The app ended its process while being imported (exit {done.returncode}): "
            f"{done.stderr.strip()[-500:]}",
            "Remove the call that exits, or guard it with if __name__ == '__main__'.",
        ) from None
    return report


def _finished(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            cwd=cwd,
            timeout=_TIMEOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"The app did not finish importing in {_TIMEOUT} seconds.",
            "Move what waits or serves out of import time, into a function or a lifespan.",
        ) from None


def check_found(project: Project, registry: Mapping[str, Any]) -> None:
    """Make sure that the entry holds one application.

    :raises ConfigError: when it holds none, or something else, or several.
    """
    kind, objects = registry["kind"], registry["objects"]
    file = module_file(project)
    if kind == "missing":
        cure = "Name it: mastra = Mastra(...)."
        if objects:
            cure = f"Rename it, or write [tool.mastra] entry = '{project.module}:{objects[0]}'."
        raise ConfigError(f"{file} has no {project.attribute!r} in it.", cure)
    if kind not in ("mastra", "asgi"):
        raise ConfigError(
            f"{project.entry!r} is {kind}, neither a Mastra object nor an ASGI application.",
            "Name the application itself, as an ASGI server would import it.",
        )
    if len(objects) > 1 and not _chosen(project):
        raise ConfigError(
            f"{file} has {len(objects)} Mastra objects: {', '.join(objects)}.",
            f"Keep one, or choose: [tool.mastra] entry = '{project.module}:{objects[0]}'.",
        )


def _chosen(project: Project) -> bool:
    """Whether the user named the object, so that others beside it do no harm."""
    return bool(project.config.get("entry")) or not project.module.startswith("mastra")


def _check_providers(missing: Mapping[str, Sequence[str]]) -> None:
    for agent, modules in missing.items():
        provider = modules[-1].partition(".")[0]
        wanted = (
            "mastra-core[agents]" if provider == "pydantic_ai" else f"pydantic-ai-slim[{provider}]"
        )
        raise BuildError(
            f"Agent {agent!r} needs {' and '.join(map(repr, modules))}, which is not among the "
            "project's dependencies.",
            f"Add {wanted!r} to the dependencies in pyproject.toml.",
        )


def _first_party(project: Project, module: str) -> bool:
    stem = project.import_root / module.partition(".")[0]
    return stem.is_dir() or stem.with_suffix(".py").is_file()


def _explained(
    project: Project, error: Mapping[str, Any], app: Path, kind: type[MastraError]
) -> MastraError:
    """The child's exception as one of ours: what, where in the user's code, what to do."""
    frames = [frame for frame in error["frames"] if frame[0].startswith(f"{app}{os.sep}")]
    where = f"{_shown(project, frames[-1][0], app)}:{frames[-1][1]}: " if frames else ""
    last = error["frames"][-1] if error["frames"] else None
    if error["missing"]:
        module = error["missing"]
        if _first_party(project, module):
            return kind(
                f"{where}the module {module!r} is in the project but not in the bundle.",
                "Keep it: [tool.mastra.build] include, and no test or hidden file name.",
            )
        return kind(
            f"{where}there is no module {module!r}.",
            f"Add the package that has {module.partition('.')[0]!r} to the dependencies in "
            "pyproject.toml.",
        )
    # The standard library's own os is frozen into the interpreter.
    if error["type"] == "KeyError" and last and last[0] == "<frozen os>":
        name = error["message"].strip("'\"")
        return kind(
            f"{where}the environment variable {name!r} is read, and nobody declared it.",
            f'Declare it: [tool.mastra.env] required = ["{name}"].',
        )
    message = _sentence(error["message"].strip()) or error["type"]
    named = "" if error["hint"] else f"{error['type']}: "
    hint = _declare(project, error["message"]) or error["hint"] or _cure(message)
    return kind(f"{where}{named}{message}", hint)


def _declare(project: Project, message: str) -> str:
    """The cure where a library says which variable it misses: the check has declared ones only."""
    if "environment variable" not in message:
        return ""
    for name in _VARIABLE.findall(message):
        if name not in project.environment.names:
            return f'Declare it: [tool.mastra.env] required = ["{name}"].'
    return ""


def _cure(message: str) -> str:
    if "Field required" in message:  # pydantic's words, for a settings class too
        return "Where the values come from the environment, declare them: [tool.mastra.env]."
    if "placeholder" in message:
        return "Give the check a value that fits: [tool.mastra.check] env = { NAME = '...' }."
    return "The app fails while being imported; correct that line."


def _sentence(message: str) -> str:
    """The first line; of pydantic's list of fields all names, and never a value."""
    first, _, rest = message.partition("\n")
    lacking = re.findall(r"^(\S+)\n +Field required", rest, re.MULTILINE)
    return f"{first}: Field required: {', '.join(lacking)}" if lacking else first


def _shown(project: Project, file: str, app: Path) -> str:
    """A path of the bundle as the user's own, relative to the project."""
    relative = Path(file).relative_to(app)
    return str(project.root / relative)
