"""Find the places where a project reads given variables, so that an error can name them."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.errors import MastraError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.sources.first_party import list_first_party_files
from mastra_deployer.checks.parsed_sources import ParsedSources

__all__ = ("locate_variables",)

_MAX_SHOWN = 3


def locate_variables(project: Project, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the file and line of each variable's first read, if it can be found.

    :param project: the app.
    :param names: the names of the variables.
    """
    try:
        files = list_first_party_files(project) if project.module else []
    except MastraError:  # the build reports this; here the missing value matters
        return {}
    locations: dict[str, list[str]] = {}
    for finding in ParsedSources(project.root, project.import_root, files).iter_findings():
        for read in finding.reads:
            if read.name in names:
                locations.setdefault(read.name, []).append(f"{finding.path}:{read.line}")
    return {name: locations[name][:_MAX_SHOWN] for name in names if name in locations}
