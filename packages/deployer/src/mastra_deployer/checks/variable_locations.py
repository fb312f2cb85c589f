"""Where a project reads given variables, for errors that come before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.errors import MastraError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.sources.first_party import first_party_files
from mastra_deployer.checks.parsed_sources import Sources

__all__ = ("places_of",)

_SHOWN = 3


def places_of(project: Project, names: Sequence[str]) -> dict[str, list[str]]:
    """File and line by variable, the first few; nothing where they cannot be found."""
    try:
        files = first_party_files(project) if project.module else []
    except MastraError:  # told by the build; a missing value is what is told now
        return {}
    found: dict[str, list[str]] = {}
    for item in Sources(project.root, project.import_root, files).findings():
        for read in item.reads:
            if read.name in names:
                found.setdefault(read.name, []).append(f"{item.path}:{read.line}")
    return {name: found[name][:_SHOWN] for name in names if name in found}
