"""Import the app from its source, and check what it contains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from mastra_core.errors import BuildError
from mastra_core.pipeline import Project, Report
from mastra_deployer.bundler.verify.boot import boot_source
from mastra_deployer.project.deployer_argument import DeployerCall, EnvReference, read_deployer
from mastra_deployer.project.discovery import find_module_file, parse_source
from mastra_deployer.project.interpreters import find_project_interpreter

__all__ = ("SourceReport", "check_source", "inspect_source")

SourceReport: TypeAlias = Mapping[str, Any]
"""What the app contains, as ``boot_source`` reports it."""


def inspect_source(project: Project) -> SourceReport | None:
    """Import the app from source; return ``None`` if its dependencies are not installed.

    :param project: the app.
    :raises BuildError: when the app cannot be imported.
    """
    call = _read_deployer_call(project)
    settings = call.settings.values() if call else ()
    references = [item.name for item in settings if isinstance(item, EnvReference)]
    return boot_source(project, find_project_interpreter(project), references)


def check_source(project: Project, source: SourceReport | None, report: Report) -> None:
    """Check what the app contains; write a note if its dependencies are not installed.

    :param project: the app.
    :param source: the result of ``inspect_source``.
    :param report: receives the note.
    :raises BuildError: when the app passes ``deployer=`` in a way that a build cannot read.
    """
    if source is None:
        report.note(
            "The project's dependencies are not installed for "
            f"{find_project_interpreter(project).path}, so the bundle is not compared with the "
            "source.",
            "Install the dependencies there, or activate the environment that contains them.",
        )
    elif source.get("deployer") and _read_deployer_call(project) is None:
        raise BuildError(
            f"{find_module_file(project)}: deployer= ({source['deployer']}) is not passed "
            "to Mastra(...) as a keyword argument.",
            "Write Mastra(..., deployer=XDeployer(...)).",
        )


def _read_deployer_call(project: Project) -> DeployerCall | None:
    entry = find_module_file(project)
    return read_deployer(entry, parse_source(entry))
